"""Data files: points as Parquet, sorted by label within what was written at once, and the index file of each."""

from __future__ import annotations

from contextlib import ExitStack, suppress
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from dvidpy.pointclouds.columns import schema, table, together
from dvidpy.pointclouds.parts import Header, Pieces, described, index_bytes
from dvidpy.pointclouds.places import Place

ROWS = 1 << 15
"""Rows of a group of a data file: what is read at least for one point of it, so they are few."""


def parquet_writer(stream: Any, dtype: np.dtype[Any], dimensions: int) -> pq.ParquetWriter:
    """A writer of data files. LZ4 packs numbers best, and quickest, byte by byte: all first ones, all second ones, …"""
    return pq.ParquetWriter(
        stream,
        schema(dtype, dimensions),
        compression="lz4",
        use_dictionary=["block_id"],
        column_encoding={f"data.c{axis}": "BYTE_STREAM_SPLIT" for axis in range(dimensions)},
        write_statistics=["label"],
    )


class DataFile:
    """A data file that is being written. It counts once its index file is there, which is written last."""

    def __init__(self, place: Place, path: str, index: str, generation: str = "") -> None:
        self._place = place
        self._path = path
        self._index = index
        self.names: list[str] = []
        """Blocks, by their number in this file."""
        self._numbers: dict[str, int] = {}
        self._open = ExitStack()
        self._writer: pq.ParquetWriter | None = None
        self._kept: np.dtype[Any] | None = None
        self._rows = 0
        self._header = Header(path, generation=generation)
        self._described: list[pa.RecordBatch] = []

    def number_of(self, block: str) -> int:
        """Number of a block in this file."""
        number = self._numbers.setdefault(block, len(self.names))
        if number == len(self.names):
            self.names.append(block)
        return number

    @property
    def kept(self) -> np.dtype[Any] | None:
        """Type of its columns; None while nothing is written."""
        return self._kept

    def append(self, dtype: np.dtype[Any], columns: npt.NDArray[Any], waiting: list[Pieces]) -> None:
        """Write points of a type, as columns (D, N) of it or a narrower one, and pieces of them, by label and block."""
        pieces = Pieces.joined(waiting).in_order()
        rows = pieces.gathered(columns)
        names = self.names[: int(pieces.blocks.max()) + 1]
        blocks = pa.DictionaryArray.from_arrays(rows.blocks, pa.array(names, pa.string()))
        self._described += described(pieces, rows, names, self._rows)
        self._header.dtype, self._header.dimensions = dtype.str, len(columns)
        writer = self._writer_for(columns.dtype, len(columns))
        writer.write_table(table(rows.labels, blocks, [*rows.columns]), row_group_size=ROWS)
        self._rows += len(rows.labels)

    def _writer_for(self, dtype: np.dtype[Any], dimensions: int) -> pq.ParquetWriter:
        if self._writer is None:
            self._kept = dtype
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


def joined(waiting: list[tuple[npt.NDArray[Any], Pieces]], dtype: np.dtype[Any]) -> tuple[npt.NDArray[Any], Pieces]:
    """(columns of all, their pieces) of some columns (D, N) with pieces, of a type or narrower ones."""
    starts = np.cumsum([0] + [columns.shape[1] for columns, _ in waiting])
    pieces = [
        Pieces(one.labels, one.blocks, one.firsts + start, one.counts)
        for (_, one), start in zip(waiting, starts[:-1], strict=True)
    ]
    return together([columns for columns, _ in waiting], dtype, axis=1), Pieces.joined(pieces)
