"""Place of the counts in the store.

| type key | value |
|---|---|
| 01 label / 1024: u64 | counts of labels: rows of `COUNTS`, ascending by label, none of nothing but zeros |
| 02 | uuid of the data whose elements are all counted |
| ff data uuid: 16 bytes | marks of the events of that data (`datatypes.events`) |
"""

from __future__ import annotations

import numpy as np

from dvidpy.storage.keys import after

CHUNK, SOURCE = b"\x01", b"\x02"
"""Class byte of counts, and whole key of the source."""
CHUNK_BITS = 10
ALL = (CHUNK, after(CHUNK))
COUNTS = np.dtype([("label", "<u8"), ("counts", "<u4", 4)])
"""A label, and how many elements it has of PostSyn, PreSyn, Gap, Note."""


def chunk_key(label: int) -> bytes:
    """Type key of the counts of a label and its neighbours."""
    return CHUNK + (label >> CHUNK_BITS).to_bytes(8, "big")
