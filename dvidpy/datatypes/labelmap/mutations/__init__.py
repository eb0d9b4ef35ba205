"""Proofreading: bodies are merged, cleaved, renumbered, supervoxels and bodies split; and what was done is told again.

Each kind of edit is a file with two things: a function that checks what is asked, locks, applies and commits it as one
batch; and its event, a value that is kept with the mutation record and can be applied again. `events` names them all.
"""
