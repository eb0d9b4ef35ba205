"""Bytes to bytes: the seam (`kv`), its backends, the key layout, codecs, the mutation log and blobs.

Nothing here knows of HTTP or of what a value means. `keys` is the one table of the key layout.
"""
