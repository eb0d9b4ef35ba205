"""Place of a region in the store.

| type key | value |
|---|---|
| 01 | spans: all z, then all y, all x0, all x1, each int32, little-endian; ascending by z, y, x0, x1 |

One value: a region is replaced as a whole. By columns it packs well, and its range of z needs no other number.
"""

from __future__ import annotations

REGION = b"\x01"
"""Whole key of the region."""
