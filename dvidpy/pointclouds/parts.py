"""Parts: the points of one label in one block that lie side by side in a data file, and what is known of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dvidpy.kernels.point_rows import Gathered, gather_rows, gather_rows_plain
from dvidpy.pointclouds.columns import NARROW

AXES = 3
"""Leading coordinates that an index keeps the bounds of."""
SCHEMA = pa.schema(
    [
        pa.field("label", pa.uint64()),
        pa.field("block_id", pa.dictionary(pa.int32(), pa.string())),
        pa.field("first_row", pa.uint64()),
        pa.field("point_count", pa.uint64()),
        pa.field("is_distinct", pa.bool_()),
        *(pa.field(f"{bound}{axis}", pa.float64()) for bound in ("low", "high") for axis in range(AXES)),
    ]
)
"""Columns of an index file. Bounds are rounded outward; of an axis that points lack they are 0."""


@dataclass
class Pieces:
    """Runs of points, as they came in: label, number of the block, first row and number of rows of each."""

    labels: npt.NDArray[np.uint64]
    blocks: npt.NDArray[np.int32]
    firsts: npt.NDArray[np.int64]
    counts: npt.NDArray[np.int64]

    def in_order(self) -> Pieces:
        """By label, then by block, then as they came in."""
        order = np.lexsort((self.blocks, self.labels))
        return Pieces(self.labels[order], self.blocks[order], self.firsts[order], self.counts[order])

    @classmethod
    def joined(cls, pieces: list[Pieces]) -> Pieces:
        """All of some, one after another."""
        if len(pieces) == 1:
            return pieces[0]
        return cls(
            np.concatenate([one.labels for one in pieces]),
            np.concatenate([one.blocks for one in pieces]),
            np.concatenate([one.firsts for one in pieces]),
            np.concatenate([one.counts for one in pieces]),
        )

    def gathered(self, columns: npt.NDArray[Any]) -> Gathered:
        """The rows of columns (D, N), piece by piece, with their labels and blocks."""
        gather = gather_rows if columns.dtype == NARROW else gather_rows_plain
        return gather(columns, self.labels, self.blocks, self.firsts, self.counts, self.heads())

    def rows(self) -> npt.NDArray[np.int64]:
        """Numbers of the rows, piece by piece."""
        ends = np.cumsum(self.counts)
        return np.repeat(self.firsts - (ends - self.counts), self.counts) + np.arange(ends[-1] if len(ends) else 0)

    def heads(self) -> npt.NDArray[np.int64]:
        """Numbers of the pieces, in order, that begin another label or block."""
        new = np.ones(len(self.labels), bool)
        new[1:] = (self.labels[1:] != self.labels[:-1]) | (self.blocks[1:] != self.blocks[:-1])
        return np.flatnonzero(new)


def runs_of(labels: npt.NDArray[np.uint64]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """(first row, number of rows) of each run of equal labels."""
    firsts = np.concatenate(([0], np.flatnonzero(labels[1:] != labels[:-1]) + 1))
    return firsts, np.diff(firsts, append=len(labels))


def described(pieces: Pieces, rows: Gathered, names: list[str], first_row: int) -> Iterator[pa.RecordBatch]:
    """Rows of an index file: pieces in order and their rows, from `first_row` of the data file on."""
    heads = pieces.heads()
    counts = np.add.reduceat(pieces.counts, heads)
    firsts = np.cumsum(counts) - counts
    values: dict[str, Any] = {
        "label": pieces.labels[heads],
        "block_id": pa.DictionaryArray.from_arrays(pieces.blocks[heads], pa.array(names, pa.string())),
        "first_row": (firsts + first_row).astype(np.uint64),
        "point_count": counts.astype(np.uint64),
        "is_distinct": rows.distinct,
    }
    for axis in range(AXES):
        low, high = (np.zeros(len(heads)),) * 2
        if axis < len(rows.low):
            low, high = _bounds(rows.low[axis], rows.high[axis])
        values |= {f"low{axis}": low, f"high{axis}": high}
    yield pa.record_batch([pa.array(values[name]) for name in SCHEMA.names], schema=SCHEMA)


def _bounds(low: npt.NDArray[Any], high: npt.NDArray[Any]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    below, above = low.astype(np.float64), high.astype(np.float64)
    if low.dtype.kind == "f":  # not a number: it may be anywhere
        return np.where(np.isnan(low), -np.inf, below), np.where(np.isnan(high), np.inf, above)
    if low.dtype.itemsize == 8:
        below = np.where(np.abs(below) >= 2.0**53, np.nextafter(below, -np.inf), below)
        above = np.where(np.abs(above) >= 2.0**53, np.nextafter(above, np.inf), above)
    return below, above


@dataclass
class Header:
    """What an index file says of its data file and of what stood before."""

    file: str = ""
    """The data file, relative to the store; empty where there is none."""
    dtype: str = ""
    dimensions: int = 0
    deleted: dict[str, dict[str, int]] = field(default_factory=dict)
    """Blocks that were deleted: of each worker, its files of smaller numbers no longer count."""
    generation: str = ""
    """Of optimised files, what the store was when they were made."""

    def metadata(self) -> dict[str, str]:
        """As metadata of an Arrow schema."""
        return {"pointcloud": json.dumps(self.__dict__)}


def index_bytes(header: Header, batches: list[pa.RecordBatch]) -> pa.Buffer:
    """Content of an index file: an Arrow stream."""
    sink = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(compression="lz4", emit_dictionary_deltas=False)
    with pa.ipc.new_stream(sink, SCHEMA.with_metadata(header.metadata()), options=options) as writer:
        for batch in batches:
            writer.write_batch(batch)
    return sink.getvalue()


def open_index(file: Any) -> tuple[Header, Any]:
    """(header, reader of batches) of an index file; ValueError where it is none."""
    try:
        reader = pa.ipc.open_stream(file)
        return Header(**json.loads(reader.schema.metadata[b"pointcloud"])), reader
    except (pa.ArrowInvalid, KeyError, TypeError) as error:
        raise ValueError(f"this is no index of points: {error}") from None
