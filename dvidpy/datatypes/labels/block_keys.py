"""Blocks of the grid as one number: 21 bits for each of z, y and x.

| form | bits of each coordinate | used |
|---|---|---|
| key, int64 | coordinate + 2^20 | inside: sorts by z, then y, then x |
| wire, uint64 | 20 bits of magnitude, and above them the sign | in the protobuf of label indices |
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dvidpy.errors import BadRequest
from dvidpy.geometry import Zyx
from dvidpy.kernels import label_index

Keys = NDArray[np.int64]
"""Numbers that sort as blocks do."""
_SIGN = 1 << 20
_ALL = (1 << 21) - 1


def keys_of(blocks: Sequence[Zyx] | NDArray[np.int64]) -> Keys:
    """(n, 3) z, y, x of blocks -> keys; BadRequest where a coordinate has more than 20 bits."""
    found = np.asarray(blocks, np.int64).reshape(-1, 3)
    if found.size and np.abs(found).max() >= _SIGN:
        raise BadRequest("a block lies beyond the 20 bits that a label index has for each coordinate")
    z, y, x = found.T + _SIGN
    return z << 42 | y << 21 | x


def blocks_of(keys: Keys) -> NDArray[np.int64]:
    """Keys -> (n, 3) z, y, x."""
    return np.column_stack([(keys >> shift & _ALL) - _SIGN for shift in (42, 21, 0)])


def from_wire(numbers: NDArray[np.uint64]) -> Keys:
    """Any 64 bits -> keys; the highest bit has no meaning."""
    return label_index.place(np.ascontiguousarray(numbers))
