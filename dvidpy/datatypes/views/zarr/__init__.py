"""Zarr version 3 with OME-Zarr 0.5 multiscales, made of what is stored at the moment it is asked for.

`metadata` what the group and its arrays say of themselves, `routes` all that an instance shows.
Sources: https://zarr-specs.readthedocs.io/en/latest/v3/core/index.html, https://ngff.openmicroscopy.org/0.5.
"""
