"""Neuroglancer's precomputed format, made of what is stored at the moment it is asked for.

`volume_routes` voxels, `info` what they are; `meshes`, `skeletons` and `properties` of bodies, `annotations` points.
`image_routes`, `segmentation_routes`, `properties_routes` and `annotation_routes` are all that an instance shows.
Source: https://github.com/google/neuroglancer, src/datasource/precomputed.
"""
