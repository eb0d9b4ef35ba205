"""What instances look like to programs that know nothing of DVID.

`volumes` what a pyramid of voxels must answer to be shown, `caching` answers that clients keep, `companions` instances
that belong to another one; `precomputed` the format of Neuroglancer, cloud-volume and tensorstore.
"""
