"""HTTP only: no numpy, no keys.

`front` takes every request, `dispatch` and `instances` find its handler, `replies` sends answers and refusals,
`server`, `repos` and `nodes` are the routes that belong to no datatype, `openapi` documents them all.
"""
