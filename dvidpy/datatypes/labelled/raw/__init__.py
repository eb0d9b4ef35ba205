"""Voxels as arrays and pictures.

`routes` HTTP to values, `reading` boxes out of blocks, `answers` how they are sent, `taking` volumes coming in.
"""
