"""Where bodies have voxels: runs, binary blocks, coarse runs of blocks, NanoVDB.

`routes` HTTP to values, `bounds` what part is asked for, `regions` which blocks, `streams` the formats, piece by piece.
"""
