"""Library without routes, for every type that keeps voxels: the block grid, slices, pictures, extents, masks.

`kinds` what a voxel is, `grid` blocks as keys, `cutting` volume to blocks and back, `planes` 2d slices, `pictures`
their formats, `reading` pictures that come in, `resample` isotropic pixels, `oblique` planes of any direction,
`extents` where voxels are, `masks` regions of interest, `sources` what shows its voxels to other types, `streams` many
blocks in one answer.
"""
