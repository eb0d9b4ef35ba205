"""Library of what types that keep labelled volumes are composed from: blocks in the store, bodies, and their routes.

`state` what is in memory, `instance` what a version knows, `edits` how it changes, `intake` blocks coming in, `sheets`
large indices, `downres` coarser scales, `ids` labels to come, `keys` places in the store. Rooms of routes are folders
of their own; a type takes those that it answers.
"""
