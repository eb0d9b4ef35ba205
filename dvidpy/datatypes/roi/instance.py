"""A region of interest at one version: reading and replacing it, and what it says of blocks and voxels."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import repeat
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dvidpy.datatypes.base import Data
from dvidpy.datatypes.exchange import PIECE, Call
from dvidpy.datatypes.roi.keys import REGION
from dvidpy.datatypes.roi.region import EMPTY, Columns, Region, decode
from dvidpy.datatypes.settings import Given
from dvidpy.datatypes.voxels.masks import Inside
from dvidpy.datatypes.voxels.streams import view_of
from dvidpy.errors import BadRequest, Busy
from dvidpy.geometry import HIGHEST, LOWEST, Box, Zyx, from_wire, to_wire
from dvidpy.versioning.datastore import Datastore
from dvidpy.versioning.records import Instance, Node, Repo

BLOCK_SIDE = 32
NUMBER = 4
"""Bytes of a stored number."""

SHOWN_AT_ONCE = 1 << 16
"""Bytes of a region that is shown by the event loop."""
SMALL = 1 << 14
"""Bytes of a slice that costs more to be sent by itself than to be copied."""


class Roi(Data):
    """A region of blocks, as one version sees it."""

    __slots__ = ("_region",)

    def __init__(self, datastore: Datastore, repo: Repo, node: Node, instance: Instance, call: Call | None) -> None:
        super().__init__(datastore, repo, node, instance, call)
        self._region: Region | None = None

    @property
    def block(self) -> Zyx:
        """Voxels of a block along z, y, x."""
        return from_wire(self.instance.settings["BlockSize"])

    # ------------------------------------------------------------------ the region
    @property
    def region(self) -> Region:
        """The region, read once a request."""
        if self._region is None:
            stored = self.view.get(REGION)
            self._region = EMPTY if stored is None else decode(stored)
        return self._region

    def is_small(self) -> bool:
        """Whether the region is shown sooner than handed to another thread; then it is read."""
        found = self.view.find(REGION)
        if found is not None and found.plain_size() > SHOWN_AT_ONCE:
            return False
        self._region = EMPTY if found is None else decode(found.read())
        return True

    def replace(self, region: Region) -> None:
        """Make this the region of the version, whatever it inherits."""
        change = self.change()
        self.view.put(change, REGION, region.encode())
        try:
            self.view.commit(change)
        except Busy:
            self.view.forget(change)
            raise

    async def delete(self) -> None:
        """Leave this version without a region."""
        change = self.change()
        self.view.delete(change, REGION)
        await self.view.commit_soon(change)

    def z_range(self) -> tuple[int, int]:
        """Lowest and highest z of its blocks; of an empty region the reference's HIGHEST, LOWEST."""
        found = self.view.frozen().find(REGION)  # parts must stay while they are read
        size = 0 if found is None else found.plain_size()
        if found is None or not size:
            return HIGHEST, LOWEST
        ends = (size // NUMBER // 4 - 1) * NUMBER  # z is the first of four columns
        first, last = (b"".join(found.pieces(at, at + NUMBER)) for at in (0, ends))
        return int.from_bytes(first, "little", signed=True), int.from_bytes(last, "little", signed=True)

    def extended(self) -> dict[str, Any]:
        """Size of blocks and range of z, in the reference's words."""
        low, high = self.z_range()
        return {"BlockSize": list(self.instance.settings["BlockSize"]), "MinZ": low, "MaxZ": high}

    # ------------------------------------------------------------------ what it says
    def inside(self, blocks: Box, block: Zyx) -> Inside:
        """Which blocks of a box of the block grid it touches; `block` is their size in voxels (`voxels.masks`)."""
        return self.region.touched(blocks, self.block, block)

    def holds(self, voxels: Columns) -> NDArray[np.bool_]:
        """Which of the (n, 3) voxels z, y, x are inside."""
        columns = np.ascontiguousarray(voxels.T) // np.array(self.block, np.int32)[:, None]
        return self.region.holds(columns.T)

    def mask(self, box: Box) -> Iterator[memoryview]:
        """A byte a voxel of a box, x fastest, 1 inside; some megabyte at a time, or the same slice again and again."""
        blocks = box.blocks(self.block)
        (depth, height, width), (_, y, x) = self.block, box.start
        columns = np.arange(x, box.stop[2]) // width - blocks.start[2]
        lines = np.arange(y, box.stop[1]) // height - blocks.start[1]
        for z in range(blocks.start[0], blocks.stop[0]):
            inside = self.inside(blocks.layer(z, z + 1), self.block)[0]
            rows = np.take(inside.view(np.uint8), columns, axis=1)
            slices = box.layer(z * depth, (z + 1) * depth).size[0]
            if SMALL <= len(lines) * len(columns) <= PIECE:
                yield from repeat(view_of(rows[lines]), slices)
                continue
            number = slices * len(lines)
            step = max(1, PIECE // len(columns))
            for first in range(0, number, step):
                these = np.arange(first, min(first + step, number)) % len(lines)
                yield view_of(rows[lines[these]])


def settings_of(given: Given) -> dict[str, Any]:
    """What an instance keeps: BlockSize as x, y, z. BadRequest where a side has no voxel."""
    sides = given.numbers("blocksize") or (BLOCK_SIDE,) * 3
    if not all(1 <= side <= HIGHEST for side in sides):
        raise BadRequest(f"BlockSize {list(sides)}: a block has at least one voxel along each axis")
    return {"BlockSize": list(sides)}


def demand_answerable(roi: Roi, box: Box) -> None:
    """BadRequest for a mask of more bytes than the server allows in an answer."""
    limit = roi.call.limit if roi.call is not None else box.volume
    if box.volume > limit:
        raise BadRequest(
            f"a mask of {to_wire(box.size)} voxels has {box.volume} bytes; the server gives at most {limit}"
        )
