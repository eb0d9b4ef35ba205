"""Library without routes: slicing by box, the block grid, pictures; used by every type that keeps voxels."""
