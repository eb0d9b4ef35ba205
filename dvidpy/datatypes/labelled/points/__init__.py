"""Labels of single voxels, and bodies of supervoxels: `routes` HTTP to values, `reading` what they mean."""
