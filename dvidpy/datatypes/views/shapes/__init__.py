"""Meshes and skeletons of bodies, made of their voxels when somebody asks.

`solids` which voxels, at which scale; `workshop` where they are made, one after the other, by a process of its own
(`making`) with bounds of time and memory; `files` what comes out, kept as long as the voxels are the same; `routes`.
"""
