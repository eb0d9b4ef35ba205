"""The whole mapping from supervoxels to bodies, out and in."""
