"""Data files: points as Parquet, sorted by label within what was written at once, and the index file of each."""

from __future__ import annotations

from contextlib import ExitStack, suppress
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from dvidpy.pointclouds.columns import Points, schema, table
from dvidpy.pointclouds.parts import Header, Pieces, described, index_bytes
from dvidpy.pointclouds.places import Place

ROWS = 1 << 17
"""Rows of a group of a data file: what is read at least for one point of it."""


def parquet_writer(stream: Any, dtype: np.dtype[Any], dimensions: int) -> pq.ParquetWriter:
    """A writer of data files. LZ4 alone packs coordinates in order well, and is the quickest to write and read."""
    return pq.ParquetWriter(
        stream,
        schema(dtype, dimensions),
        compression="lz4",
        use_dictionary=["label", "block_id"],
        write_statistics=["label"],
    )


class DataFile:
    """A data file that is being written. It counts once its index file is there, which is written last."""

    def __init__(self, place: Place, path: str, index: str, generation: str = "", rows: int = ROWS) -> None:
        self._place = place
        self._path = path
        self._index = index
        self._group = rows
        self.names: list[str] = []
        """Blocks, by their number in this file."""
        self._numbers: dict[str, int] = {}
        self._open = ExitStack()
        self._writer: pq.ParquetWriter | None = None
        self._rows = 0
        self._header = Header(path, generation=generation)
        self._described: list[pa.RecordBatch] = []

    def number_of(self, block: str) -> int:
        """Number of a block in this file."""
        number = self._numbers.setdefault(block, len(self.names))
        if number == len(self.names):
            self.names.append(block)
        return number

    def append(self, waiting: list[tuple[Points, Pieces]]) -> None:
        """Write points, columns (D, N) and the pieces of them, sorted by label and block."""
        axes, pieces = _joined(waiting)
        pieces = pieces.in_order()
        rows = pieces.rows()
        columns = [axis.take(rows) for axis in axes]
        labels = np.repeat(pieces.labels, pieces.counts)
        numbers = np.repeat(pieces.blocks, pieces.counts)
        names = self.names[: int(pieces.blocks.max()) + 1]
        blocks = pa.DictionaryArray.from_arrays(numbers, pa.array(names, pa.string()))
        self._described += described(pieces, columns, names, self._rows)
        self._writer_for(axes.dtype, len(axes)).write_table(table(labels, blocks, columns), row_group_size=self._group)
        self._rows += len(rows)

    def _writer_for(self, dtype: np.dtype[Any], dimensions: int) -> pq.ParquetWriter:
        if self._writer is None:
            self._header.dtype, self._header.dimensions = dtype.str, dimensions
            stream = self._open.enter_context(self._place.writing(self._path))
            self._writer = self._open.enter_context(parquet_writer(stream, dtype, dimensions))
        return self._writer

    def forget(self, block: str) -> None:
        """Take a block out of the index; its points stay in the file, unseen."""
        import pyarrow.compute as pc

        self._described = [batch.filter(pc.not_equal(batch.column("block_id"), block)) for batch in self._described]

    def close(self, deleted: dict[str, dict[str, int]]) -> None:
        """End the file, and write its index, by which it counts."""
        self._open.close()
        self._header.deleted = deleted
        self._place.write(self._index, index_bytes(self._header, self._described))

    def abandon(self) -> None:
        """Leave nothing of the file on a disk; in an object store it may stay, and does not count."""
        with suppress(_Abandoned, OSError):
            self._open.push(_raise)
            self._open.close()


class _Abandoned(Exception):
    """Ends the writing of a file in the middle."""


def _raise(*_: object) -> None:
    raise _Abandoned


def _joined(waiting: list[tuple[Points, Pieces]]) -> tuple[Points, Pieces]:
    """All points in one array, and the pieces of them."""
    starts = np.cumsum([0] + [points.shape[1] for points, _ in waiting])
    pieces = [one for _, one in waiting]
    firsts: list[npt.NDArray[np.int64]] = [one.firsts + start for one, start in zip(pieces, starts[:-1], strict=True)]
    joined = Pieces(
        np.concatenate([one.labels for one in pieces]),
        np.concatenate([one.blocks for one in pieces]),
        np.concatenate(firsts),
        np.concatenate([one.counts for one in pieces]),
    )
    return (waiting[0][0] if len(waiting) == 1 else np.concatenate([points for points, _ in waiting], 1)), joined
