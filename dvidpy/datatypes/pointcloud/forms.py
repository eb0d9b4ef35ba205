"""Forms that points are asked for and sent in, and answers in each of them, piece by piece."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
import orjson

from dvidpy.datatypes.exchange import Call, Piece, Reply, pieces_reply
from dvidpy.datatypes.pointcloud.packing import Kind, Points
from dvidpy.errors import BadRequest

ARROW, PARQUET, JSON, BINARY = "arrow", "parquet", "json", "binary"
MEDIA_TYPES = {
    ARROW: "application/vnd.apache.arrow.stream",
    PARQUET: "application/vnd.apache.parquet",
    JSON: "application/json",
    BINARY: "application/octet-stream",
}
_BY_TYPE = {media_type: name for name, media_type in MEDIA_TYPES.items()} | {
    "application/vnd.apache.arrow.file": ARROW,
    "application/x-parquet": PARQUET,
}
TOGETHER = 1 << 16
"""Points of a batch of an answer, at least."""


class Labelled(NamedTuple):
    """Points of one label."""

    label: int
    points: Points


def form_named(name: str) -> str:
    """A form by its name; BadRequest for any other."""
    if name not in MEDIA_TYPES:
        raise BadRequest(f"format {name[:40]!r} is none of {', '.join(MEDIA_TYPES)}")
    return name


def form_of_type(media_type: str) -> str | None:
    """The form of a media type; None where it is none of them."""
    return _BY_TYPE.get(media_type.partition(";")[0].strip().lower())


def wanted_form(call: Call, name: str | None) -> str:
    """What a request asks for: `format`, or the Accept header, or JSON."""
    if name is not None:
        return form_named(name)
    accepted = call.headers.get(b"accept", b"").decode("latin-1").split(",")
    return next((found for one in accepted if (found := form_of_type(one))), JSON)


# ---------------------------------------------------------------------- answers
def answer_points(kind: Kind, form: str, parts: Iterable[Points]) -> Reply:
    """Points of one label: rows of coordinates."""
    if form == JSON:
        pieces: Iterable[Piece] = _json_rows(parts)
    elif form == BINARY:
        pieces = (np.ascontiguousarray(points).tobytes() for points in parts)
    else:
        pieces = _tables(kind, form, (Labelled(0, points) for points in parts), labels=False)
    return _reply(form, pieces)


def answer_labelled(kind: Kind, form: str, parts: Iterable[Labelled], asked: Iterable[int] = ()) -> Reply:
    """Points of several labels, label by label, each row with its label; in JSON all that were asked for are named."""
    if form == JSON:
        pieces: Iterable[Piece] = _json_object(parts, asked)
    elif form == BINARY:
        pieces = (_binary(kind, part) for part in parts)
    else:
        pieces = _tables(kind, form, parts, labels=True)
    return _reply(form, pieces)


def _reply(form: str, pieces: Iterable[Piece]) -> Reply:
    return pieces_reply(pieces, MEDIA_TYPES[form].encode())


def _rows(points: Points) -> bytes:
    """Rows of a JSON list, without its brackets."""
    return orjson.dumps(np.ascontiguousarray(points), option=orjson.OPT_SERIALIZE_NUMPY)[1:-1]


def _json_rows(parts: Iterable[Points]) -> Iterator[bytes]:
    yield b"["
    yield from _listed(parts)
    yield b"]"


def _listed(parts: Iterable[Points]) -> Iterator[bytes]:
    for number, points in enumerate(parts):
        if number:
            yield b","
        yield _rows(points)


def _json_object(parts: Iterable[Labelled], asked: Iterable[int]) -> Iterator[bytes]:
    last: int | None = None
    seen: set[int] = set()
    before = b"{"
    for label, points in parts:
        if label == last:
            yield b"," + _rows(points)
            continue
        yield before + b'"%d":[' % label + _rows(points)
        before, last = b"],", label
        seen.add(label)
    for label in asked:
        if label not in seen:
            yield before + b'"%d":[' % label
            before = b"],"
    yield b"{}" if before == b"{" else b"]}"


def _binary(kind: Kind, part: Labelled) -> bytes:
    rows = np.empty(len(part.points), kind.row)
    rows["label"], rows["point"] = part.label, part.points
    return rows.tobytes()


# ---------------------------------------------------------------------- tables
class _Sink(io.RawIOBase):
    """What is written here is taken out again, piece by piece."""

    def __init__(self) -> None:
        self._held: list[bytes] = []
        self._at = 0

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def write(self, data: Any) -> int:
        self._held.append(bytes(data))
        self._at += len(self._held[-1])
        return len(self._held[-1])

    def take(self) -> bytes:
        held, self._held = b"".join(self._held), []
        return held


def _tables(kind: Kind, form: str, parts: Iterable[Labelled], *, labels: bool) -> Iterator[bytes]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    fields = [pa.field("label", pa.uint64(), nullable=False)] if labels else []
    number = pa.from_numpy_dtype(kind.dtype.newbyteorder("="))
    schema = pa.schema(fields + [pa.field(f"c{axis}", number, nullable=False) for axis in range(kind.dimensions)])
    sink = _Sink()
    writer: Any = pq.ParquetWriter(sink, schema) if form == PARQUET else pa.ipc.new_stream(sink, schema)
    with writer:
        for some in _together(parts):
            writer.write_batch(_batch(schema, some, labels=labels))
            yield sink.take()
    yield sink.take()


def _together(parts: Iterable[Labelled]) -> Iterator[list[Labelled]]:
    waiting: list[Labelled] = []
    held = 0
    for part in parts:
        waiting.append(part)
        held += len(part.points)
        if held >= TOGETHER:
            yield waiting
            waiting, held = [], 0
    if waiting:
        yield waiting


def _batch(schema: Any, parts: list[Labelled], *, labels: bool) -> Any:
    import pyarrow as pa

    points = np.concatenate([part.points for part in parts])
    columns = [np.ascontiguousarray(points[:, axis]) for axis in range(points.shape[1])]
    if labels:
        names = np.array([part.label for part in parts], np.uint64)
        columns = [names.repeat([len(part.points) for part in parts]), *columns]
    return pa.record_batch([pa.array(column) for column in columns], schema=schema)
