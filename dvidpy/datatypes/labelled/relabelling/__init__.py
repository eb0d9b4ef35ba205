"""Edits of labels that are written into the voxels, for types without supervoxels: `routes` HTTP to values, `edits`."""
