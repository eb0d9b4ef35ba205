"""What is known of bodies without their voxels: sizes, supervoxels, lists of labels, and the indices themselves.

`body_routes` and `routes` HTTP to values, `sizes` of many labels, `listing` labels in order, `indices` in and out,
`history` as they were before a mutation.
"""
