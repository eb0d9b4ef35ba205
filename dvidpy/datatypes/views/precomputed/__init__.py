"""Neuroglancer's precomputed format, made of what is stored at the moment it is asked for.

`volume_routes` voxels, `info` what they are, `image_routes` and `segmentation_routes` all that an instance shows.
Source: https://github.com/google/neuroglancer, src/datasource/precomputed.
"""
