"""Volumes in files of others, for `dvidpy import` and `dvidpy export`.

`formats` which one a place has, `tensors` those that tensorstore reads and writes, `files` HDF5, NRRD and TIFF,
`slices` stacks of pictures; `volume` what they have in common, `record` which pieces are done.
"""
