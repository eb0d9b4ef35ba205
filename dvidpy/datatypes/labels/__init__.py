"""Library without routes, for every type that keeps labels: arrays and bytes in, arrays and bytes out.

`blocks` the compressed label block, `downres` blocks of half the resolution, `masks` and `runs` the voxels of bodies,
`sparsevol` their formats on the wire, `splits` cutting labels apart, `index` where a body has voxels, `mappings`
supervoxels to bodies, `segmentation` Neuroglancer's format, `pictures` labels as slices.
"""
