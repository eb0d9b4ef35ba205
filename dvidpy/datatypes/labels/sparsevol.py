"""Sparse volumes on the wire: rles, srles, coarse rles, binary blocks. See docs/internals/label-formats.md."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator

import numpy as np

from dvidpy.datatypes.labels.masks import Mask, Masks
from dvidpy.datatypes.labels.runs import NO_RUNS
from dvidpy.errors import BadRequest
from dvidpy.geometry import HIGHEST, Zyx
from dvidpy.kernels.label_blocks import SIDE, Bytes
from dvidpy.kernels.label_masks import ALL, SOME, Bits, cells
from dvidpy.kernels.label_runs import Runs

_HEAD = struct.Struct("<4B2I")
HEAD = _HEAD.size
"""Bytes before the runs of the legacy format."""
_RUN = 16
"""Bytes of a run."""
_GRID = struct.Struct("<3IQ")
_PLACE = struct.Struct("<3iB")


def rles_head(size: int) -> bytes:
    """What stands before `size` bytes of runs in the legacy format. Its number of voxels is 0."""
    return _HEAD.pack(0, 3, 0, 0, 0, size // _RUN)


def rles(runs: Iterable[Runs]) -> bytes:
    """The legacy format: a head of 12 bytes with the number of runs, then the runs."""
    parts = [part.tobytes() for part in runs]
    return b"".join((rles_head(sum(map(len, parts))), *parts))


def parse_rles(body: bytes | memoryview) -> Runs:
    """The legacy format, voxels or blocks -> runs as they stand; BadRequest for anything else.

    Bytes behind the last run are no matter, as in the reference.
    """
    if len(body) < _HEAD.size:
        raise BadRequest(f"a sparse volume begins with {_HEAD.size} bytes, not {len(body)}")
    payload, dimensions, run_along, _, _, number = _HEAD.unpack_from(body)
    if payload:
        raise BadRequest(f"a sparse volume with a payload ({payload:#x}) is not binary")
    if dimensions != 3 or run_along:
        raise BadRequest(f"a sparse volume has 3 dimensions and runs along 0, not {dimensions} and {run_along}")
    if len(body) < _HEAD.size + _RUN * number:
        raise BadRequest(f"a sparse volume of {len(body)} bytes cannot hold {number} runs")
    return demand_runs(np.frombuffer(body, "<i4", 4 * number, _HEAD.size).reshape(number, 4))


def parse_srles(body: bytes | memoryview) -> Runs:
    """Runs without a head; BadRequest where they are none."""
    if len(body) % _RUN:
        raise BadRequest(f"{len(body)} bytes are no whole runs of {_RUN}")
    return demand_runs(np.frombuffer(body, "<i4").reshape(-1, 4))


def demand_runs(runs: Runs) -> Runs:
    """The runs; BadRequest where one is empty or leaves the 32-bit coordinates."""
    if not len(runs):
        return NO_RUNS
    if runs[:, 3].min() <= 0:
        raise BadRequest("a run has no voxel")
    if (runs[:, 0].astype(np.int64) + runs[:, 3]).max() > HIGHEST + 1:
        raise BadRequest("a run leaves the 32-bit coordinates")
    return np.require(runs, np.int32, ["A", "C"])


def binary_blocks(label: int, size: Zyx, parts: Iterable[bytes]) -> Iterator[bytes]:
    """The `blocks` format of blocks of `size` voxels: a head, then what `masked` made; nothing where that is none."""
    begun = False
    for part in filter(None, parts):
        if not begun:
            yield _GRID.pack(*(side // SIDE for side in size[::-1]), label)
            begun = True
        yield part


def masked(masks: Masks) -> bytes:
    """Each block that has voxels, as binary blocks have it."""
    parts: list[bytes | memoryview] = []
    for block, mask in masks.each():
        if not mask.is_empty:
            full = mask.is_full
            x, y, z = (at * side for at, side in zip(block[::-1], mask.size[::-1], strict=True))
            parts.append(_PLACE.pack(x, y, z, ALL if full else SOME))
            if not full:
                parts.append(cells(mask.flags, mask.bits).data)
    return b"".join(parts)


def read_binary_blocks(body: bytes | memoryview, size: Zyx) -> Iterator[tuple[Zyx, Mask]]:
    """The `blocks` format of blocks of `size` voxels -> (index of the block, mask) one by one; BadRequest else.

    The label stands in bytes 12 to 20, a little-endian number.
    """
    if len(body) < _GRID.size:
        raise BadRequest(f"binary blocks begin with {_GRID.size} bytes, not {len(body)}")
    *grid, _ = _GRID.unpack_from(body)
    if tuple(8 * along for along in grid[::-1]) != size:
        raise BadRequest(f"binary blocks of {grid} sub-blocks, where blocks have {[*size[::-1]]} voxels")
    at, cubes = _GRID.size, grid[0] * grid[1] * grid[2]
    while at < len(body):
        if len(body) < at + _PLACE.size:
            raise BadRequest("binary blocks end in the middle of a block")
        x, y, z, flag = _PLACE.unpack_from(body, at)
        if flag > SOME or z % size[0] or y % size[1] or x % size[2]:
            raise BadRequest(f"a binary block at {[x, y, z]} with content {flag}")
        flags, bits = np.full(cubes, flag, np.uint8), np.full((cubes, 64), 255 * (flag == ALL), np.uint8)
        at += _PLACE.size
        if flag == SOME:
            at = _read_sub_blocks(body, at, flags, bits)
        yield (z // size[0], y // size[1], x // size[2]), Mask(size, flags, bits)


def _read_sub_blocks(body: bytes | memoryview, at: int, flags: Bytes, bits: Bits) -> int:
    """Place behind them."""
    for cube in range(flags.size):
        flag = body[at] if at < len(body) else SOME + 1
        if flag > SOME or (flag == SOME and at + 65 > len(body)):
            raise BadRequest("binary blocks end, or have no content, in the middle of a block")
        flags[cube] = flag
        bits[cube] = np.frombuffer(body, np.uint8, 64, at + 1) if flag == SOME else 255 * flag
        at += 65 if flag == SOME else 1
    return at
