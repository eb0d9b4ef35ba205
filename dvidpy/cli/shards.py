"""Label blocks as Arrow streams, a file a shard, with a table of where each block stands. See `precomputed`.

| column | |
|---|---|
| chunk_x, chunk_y, chunk_z | int32, in the grid of chunks |
| labels, supervoxels | lists of uint64, as many of each: the labels of the block's head, as bodies and as stored |
| dvid_compressed_block | the label block of supervoxels, one zstd frame |
| uncompressed_size | uint32, bytes of the block |

Chunks that show nothing but background are left away, and so are shards of such chunks. A shard is asked for and
written block by block.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
import pyarrow as pa

from dvidpy.cli.client import Client, CommandError, whole_file
from dvidpy.cli.precomputed import Cell, Scale, Volume
from dvidpy.cli.streams import Received, received
from dvidpy.cli.targets import Point, Target, each, target_of, words_of
from dvidpy.datatypes.labels.blocks import labels_of
from dvidpy.kernels.label_blocks import Labels

SCHEMA = pa.schema(
    [
        *(pa.field(f"chunk_{axis}", pa.int32(), nullable=False) for axis in "xyz"),
        pa.field("labels", pa.list_(pa.uint64()), nullable=False),
        pa.field("supervoxels", pa.list_(pa.uint64()), nullable=False),
        pa.field(
            "dvid_compressed_block", pa.binary(), nullable=False, metadata={"compression": "true", "codec": "zstd"}
        ),
        pa.field("uncompressed_size", pa.uint32(), nullable=False),
    ]
)
END = b"\xff\xff\xff\xff\0\0\0\0"
"""What stands behind the last batch of a stream."""
ASKED = 1 << 20
"""Blocks that are asked for at once."""
TOGETHER, TOGETHER_BYTES = 64, 32 << 20
"""Blocks, and bytes of them, whose bodies are asked for at once."""
ZSTD_LEVEL = 3


class Chunk(NamedTuple):
    """A block on its way into a shard."""

    place: Point
    """x, y, z in the grid of chunks."""
    bodies: Labels
    supervoxels: Labels
    plain: bytes


class Written(NamedTuple):
    """What was written of a scale."""

    chunks: int
    shards: int
    bytes: int


def export(client: Client, path: str, volume: Volume, folder: Path, scales: int) -> Iterator[Written]:
    """Write the first scales of an instance, one after the other, of those that the volume and the instance have."""
    source = target_of(client, path)
    if source.typename != "labelmap":
        raise CommandError(f"shards are written of a labelmap, and this is a {source.typename}")
    stored = 1 + int(client.json("GET", f"{source.path}/info")["Extended"]["MaxDownresLevel"])
    chosen = volume.scales[: min(scales, stored)]
    for scale in chosen:
        if scale.chunk != source.block or any(each(int.__mod__, scale.offset, source.block)):
            raise CommandError(f"chunks must be the blocks of the instance, {source.block} voxels")
    return (_export_scale(source, number, scale, volume.batch, folder) for number, scale in enumerate(chosen))


def _export_scale(source: Target, number: int, scale: Scale, batch: int, folder: Path) -> Written:
    place = folder / f"s{number}"
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CommandError(f"{place} cannot be made: {error.strerror}") from None
    chunks = shards = size = 0
    for cell in scale.cells():
        first = each(int.__add__, each(int.__mul__, cell.first, scale.chunk), scale.offset)
        with _shard(place / words_of(first), batch) as shard:
            for chunk in _chunks(source, number, scale, cell):
                shard.add(chunk)
        chunks, shards, size = chunks + shard.chunks, shards + bool(shard.chunks), size + shard.size
    return Written(chunks, shards, size)


# ---------------------------------------------------------------------- blocks in
def _chunks(source: Target, number: int, scale: Scale, cell: Cell) -> Iterator[Chunk]:
    """Chunks of a shard that show a body, in the order z, y, x."""
    for some in _gathered(_blocks(source, number, scale, cell)):
        supervoxels = [labels_of(plain, source.block[::-1]) for _, plain in some]
        known = np.unique(np.concatenate(supervoxels))
        bodies = _bodies(source, known)
        for (place, plain), labels in zip(some, supervoxels, strict=True):
            mapped = bodies[np.searchsorted(known, labels)]
            if mapped.any():
                yield Chunk(each(int.__sub__, place, _first(scale)), mapped, labels, plain)


def _blocks(source: Target, number: int, scale: Scale, cell: Cell) -> Iterator[Received]:
    """Blocks of a shard that were written, asked for in layers."""
    width, height, depth = cell.size
    thick = max(1, ASKED // (width * height))
    for z in range(0, depth, thick):
        low = each(int.__add__, each(int.__add__, cell.first, _first(scale)), (0, 0, z))
        size = width, height, min(thick, depth - z)
        words = [words_of(each(int.__mul__, point, source.block)) for point in (size, low)]
        query = {"compression": "blocks", "supervoxels": "true", "scale": str(number)}
        with source.client.open("GET", "/".join((source.path, "blocks", *words)), query=query) as answer:
            yield from received(answer, source.block)


def _first(scale: Scale) -> Point:
    """The block that the first chunk is."""
    return each(int.__floordiv__, scale.offset, scale.chunk)


def _gathered(blocks: Iterable[Received]) -> Iterator[list[Received]]:
    waiting: list[Received] = []
    size = 0
    for block in blocks:
        waiting.append(block)
        size += len(block.plain)
        if len(waiting) == TOGETHER or size >= TOGETHER_BYTES:
            yield waiting
            waiting, size = [], 0
    if waiting:
        yield waiting


def _bodies(source: Target, supervoxels: Labels) -> Labels:
    """Body of each, background too."""
    body = json.dumps(supervoxels.tolist()).encode()
    return np.array(source.client.json("GET", f"{source.path}/mapping", body, {"nolookup": "true"}), np.uint64)


# ---------------------------------------------------------------------- files out
@contextmanager
def _shard(path: Path, batch: int) -> Iterator[_Shard]:
    """A shard to be filled inside; its files appear, whole, when it is left."""
    with ExitStack() as files:
        shard = _Shard(path, batch, files)
        yield shard
        shard.close()


class _Shard:
    """The two files of a shard; none while it has no chunk."""

    def __init__(self, path: Path, batch: int, files: ExitStack) -> None:
        self.chunks = self.size = 0
        self._path, self._batch, self._files = path, batch, files
        self._waiting: list[Chunk] = []
        self._arrow: IO[bytes] | None = None
        self._table: Any = None
        self._codec = pa.Codec("zstd", compression_level=ZSTD_LEVEL)

    def add(self, chunk: Chunk) -> None:
        """Behind those before it."""
        self.chunks += 1
        self._waiting.append(chunk)
        if len(self._waiting) == self._batch:
            self._write()

    def close(self) -> None:
        """It has all its chunks."""
        if self._waiting:
            self._write()
        if self._arrow is not None:
            self.size += self._arrow.write(END)

    def _write(self) -> None:
        if self._arrow is None:
            self._arrow, self._table = (
                self._files.enter_context(whole_file(self._path.with_name(f"{self._path.name}{suffix}")))
                for suffix in (".arrow", ".csv")
            )
            self.size = self._arrow.write(SCHEMA.serialize())
            self._table.write(b"# schema_size=%d\nx,y,z,offset,size,batch_idx\n" % self.size)
        size = self._arrow.write(_batch(self._waiting, self._codec).serialize())
        for row, chunk in enumerate(self._waiting):
            self._table.write(b"%d,%d,%d,%d,%d,%d\n" % (*chunk.place, self.size, size, row))
        self.size += size
        self._waiting = []


def _batch(chunks: list[Chunk], codec: Any) -> pa.RecordBatch:
    columns = [
        *([chunk.place[axis] for chunk in chunks] for axis in range(3)),
        [chunk.bodies for chunk in chunks],
        [chunk.supervoxels for chunk in chunks],
        [codec.compress(chunk.plain, asbytes=True) for chunk in chunks],
        [len(chunk.plain) for chunk in chunks],
    ]
    arrays = [pa.array(column, field.type) for column, field in zip(columns, SCHEMA, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=SCHEMA)
