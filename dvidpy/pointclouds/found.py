"""What an index says of one label: its parts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from dvidpy.pointclouds.columns import Box
from dvidpy.pointclouds.parts import AXES
from dvidpy.pointclouds.reading import Ranges, by_file

PAIRS = 1_000_000
"""Pairs of parts that are compared before it is cheaper to read the points."""


class Found:
    """Parts of one label, as rows of a table of the index."""

    def __init__(self, parts: pa.Table) -> None:
        self.parts = parts

    def _column(self, name: str) -> npt.NDArray[Any]:
        values: npt.NDArray[Any] = self.parts.column(name).to_numpy()
        return values

    def block_names(self) -> list[str]:
        """Blocks of the parts, in order."""
        return sorted(set(self.parts.column("block_id").to_pylist()))

    def files(self) -> list[str]:
        """Data files of the parts, relative to the store, in order."""
        return sorted(set(self.parts.column("file_path").to_pylist()))

    def of_blocks(self, blocks: Iterable[str]) -> Found:
        """The parts in these blocks."""
        names = pa.array([str(block) for block in blocks], pa.string())
        return Found(self.parts.filter(pc.is_in(self.parts.column("block_id").cast(pa.string()), names)))

    def near(self, box: Box) -> Found:
        """The parts that may have points in a box."""
        keep = np.ones(len(self.parts), bool)
        for axis, (first, end) in enumerate(zip(*box, strict=True)):
            if axis < AXES:
                keep &= (self._column(f"high{axis}") >= first) & (self._column(f"low{axis}") < end)
        return Found(self.parts.filter(pa.array(keep)))

    def rows(self) -> Ranges:
        """Rows of each part in its data file."""
        return np.stack((self._column("first_row"), self._column("point_count")), 1).astype(np.int64)

    def ranges(self) -> dict[str, Ranges]:
        """Rows of each data file."""
        files = self.parts.column("file_path").cast(pa.string()).combine_chunks().dictionary_encode()
        return by_file(files.dictionary.to_pylist(), files.indices.to_numpy(), self.rows())

    def counts_by_file(self) -> list[int]:
        """Number of points in each of the files."""
        return [int(rows[:, 1].sum()) for _, rows in sorted(self.ranges().items())]

    def count_if_distinct(self) -> int | None:
        """Number of points, if the index alone shows that none is there twice."""
        if not self._column("is_distinct").all() or self._may_share():
            return None
        return int(self._column("point_count").sum())

    def _may_share(self) -> bool:
        """Whether the bounds of two parts meet, so that both might hold the same point."""
        order = np.argsort(self._column("low0"), kind="stable")
        low = np.stack([self._column(f"low{axis}")[order] for axis in range(AXES)])
        high = np.stack([self._column(f"high{axis}")[order] for axis in range(AXES)])
        after = np.searchsorted(low[0], high[0], "right")
        counts = after - np.arange(len(order)) - 1
        if counts.sum() > PAIRS:
            return True
        one = np.repeat(np.arange(len(order)), counts)
        ends = np.cumsum(counts)
        other = one + 1 + np.arange(len(one)) - np.repeat(ends - counts, counts)
        return bool(((low[:, other] <= high[:, one]) & (low[:, one] <= high[:, other])).all(0).any())
