"""Images and labels: nothing is read before it is asked for by slices."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dvidpy.client.boxes import Box, Zyx, read_key
from dvidpy.client.instances import Instance
from dvidpy.client.progress import bar, each

PIECE = 1 << 24
"""Voxels of a request."""
AT_ONCE = 4
"""Requests under way."""


class Image(Instance):
    """Voxels of an imageblk instance at one scale. `volume[z0:z1, y0:y1, x0:x1]` reads and writes them."""

    scale_number = 0

    @cached_property
    def _extended(self) -> dict[str, Any]:
        found: dict[str, Any] = self.info()["Extended"]
        return found

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of its voxels; rgba8blk has uint32, red in the lowest byte."""
        kind = self.typename.removesuffix("blk")
        return np.dtype({"rgba8": "uint32"}.get(kind, kind))

    @property
    def block(self) -> Zyx:
        """Voxels of a block; those of a scale have as many."""
        x, y, z = self._extended["BlockSize"]
        return z, y, x

    @property
    def resolution(self) -> tuple[float, float, float]:
        """Size of a voxel of this scale along z, y, x, in the units of the instance."""
        x, y, z = (side * 2**self.scale_number for side in self._extended["VoxelSize"])
        return z, y, x

    @property
    def bounds(self) -> Box:
        """Voxels that were written, of this scale, as the server tells now; an empty box where there are none."""
        extents = self.info()["Extended"]
        if not extents.get("MinPoint") or not extents.get("MaxPoint"):
            return Box((0, 0, 0), (0, 0, 0))
        low = [at >> self.scale_number for at in extents["MinPoint"]]
        high = [(at >> self.scale_number) + 1 for at in extents["MaxPoint"]]
        return Box((low[2], low[1], low[0]), (high[2], high[1], high[0]))

    @property
    def shape(self) -> Zyx:
        """Of what the bounds hold."""
        return self.bounds.shape

    ndim = 3

    def scale(self, number: int) -> Image:
        """The same volume, its sides halved so often. The server says if there is no such scale, when it is read."""
        other = type(self)(self.line, self.uuid, self.name, self.progress)
        other.scale_number = number
        return other

    def __getitem__(self, key: Any) -> NDArray[Any]:
        box, index = read_key(key, self._bounds_for(key))
        found: NDArray[Any] = self.read(box)[index]
        return found

    def __setitem__(self, key: Any, voxels: ArrayLike) -> None:
        box, index = read_key(key, self._bounds_for(key))
        given = np.asarray(voxels)
        whole = np.broadcast_to(given, np.empty(box.shape, np.bool_)[index].shape).reshape(box.shape)
        self.write(box.start, whole)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return self[...].astype(dtype or self.dtype, copy=False)

    def read(self, box: Box) -> NDArray[Any]:
        """(z, y, x) voxels of a box, 0 where none were written; a large one in pieces, some at a time."""
        out = np.zeros(box.shape, self.dtype)
        if not box.volume:
            return out
        pieces = list(box.pieces(self.block, PIECE))

        def work(piece: Box) -> None:
            out[piece.within(box.start)] = self._get(piece)

        self._all(work, pieces, "read")
        return out

    def write(self, start: Zyx, voxels: NDArray[Any]) -> None:
        """Write (z, y, x) voxels from one on. Blocks that they cover in part are read and filled up before: nobody
        else should write there meanwhile. ValueError at a coarser scale, and where voxels do not fit the dtype.
        """
        if self.scale_number:
            raise ValueError("voxels are written at full resolution; coarser scales follow")
        if not np.can_cast(voxels.dtype, self.dtype, "same_kind") and voxels.dtype.kind not in "iub":
            raise ValueError(f"{voxels.dtype} voxels do not fit into {self.dtype}")
        converted = voxels.astype(self.dtype, copy=False)
        if converted is not voxels and not np.array_equal(converted, voxels):
            raise ValueError(f"some {voxels.dtype} voxels do not fit into {self.dtype}")
        depth, height, width = converted.shape
        box = Box(start, (start[0] + depth, start[1] + height, start[2] + width))
        pieces = list(box.pieces(self.block, PIECE)) if box.volume else []
        self._all(lambda piece: self._put(piece, converted[piece.within(start)]), pieces, "write")

    def _bounds_for(self, key: Any) -> Box:
        """The bounds, where a slice leaves an end open; asked for only then."""
        keys = key if isinstance(key, tuple) else (key,)
        closed = len(keys) == 3 and all(
            not isinstance(one, slice) or (one.start is not None and one.stop is not None) for one in keys
        )
        return Box((0, 0, 0), (0, 0, 0)) if closed and Ellipsis not in keys else self.bounds

    def _all(self, work: Any, pieces: list[Box], what: str) -> None:
        if len(pieces) == 1:
            work(pieces[0])
            return
        with bar(len(pieces), f"{what} {self.name}", shown=self.progress) as shown:
            each(work, pieces, AT_ONCE, lambda _: shown.update())

    def _put(self, box: Box, voxels: NDArray[Any]) -> None:
        whole = box.around(self.block)
        if whole != box:
            filled = self._stored(whole)
            filled[box.within(whole.start)] = voxels
            voxels = filled
        self.ask("POST", f"raw/0_1_2/{whole.words()}", np.ascontiguousarray(voxels, self._wire).tobytes())

    @property
    def _wire(self) -> np.dtype[Any]:
        return self.dtype.newbyteorder("<")

    def _get(self, box: Box) -> NDArray[Any]:
        name = f"{self.name}_{self.scale_number}" if self.scale_number else self.name
        said = self.beside(name).ask("GET", f"raw/0_1_2/{box.words()}")
        return np.frombuffer(said, self._wire).reshape(box.shape)

    def _stored(self, box: Box) -> NDArray[Any]:
        """A copy of voxels as they are written."""
        return self._get(box).copy()
