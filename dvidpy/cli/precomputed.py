"""Volumes as Neuroglancer's `precomputed` describes them: scales, chunks, and the shards that chunks go to.

Source: https://github.com/google/neuroglancer, src/datasource/precomputed/volume.md and sharded.md. The number of a
chunk interleaves the bits of its coordinates, x lowest, as many of each as its axis needs. Behind the bits of preshift
and minishard stand those of the shard, so that a shard is a box of chunks.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import product
from math import ceil
from pathlib import Path
from typing import Any, NamedTuple

from dvidpy.cli.client import CommandError
from dvidpy.cli.targets import Point, each

FORMAT = "neuroglancer_uint64_sharded_v1"


class Cell(NamedTuple):
    """The chunks of a shard."""

    first: Point
    """x, y, z in the grid of chunks."""
    size: Point
    """Chunks along x, y, z; fewer than the shard has room for where the volume ends."""


class Scale(NamedTuple):
    """One scale of a volume, x, y, z."""

    chunk: Point
    """Voxels of a chunk."""
    size: Point
    """Voxels of the volume."""
    offset: Point
    """First voxel of the volume."""
    shard_bits: int
    inner_bits: int
    """Of preshift and minishard."""

    @property
    def grid(self) -> Point:
        """Chunks along each axis."""
        return each(lambda voxels, side: ceil(voxels / side), self.size, self.chunk)

    @property
    def bits(self) -> Point:
        """Bits of a chunk's coordinates."""
        x, y, z = ((chunks - 1).bit_length() for chunks in self.grid)
        return x, y, z

    @property
    def shard(self) -> Point:
        """Chunks of a shard along each axis."""
        bits, taken = self.bits, [0, 0, 0]
        for level, axis in product(range(max(bits)), range(3)):
            if level < bits[axis] and sum(taken) < self.inner_bits:
                taken[axis] += 1
        x, y, z = (1 << number for number in taken)
        return x, y, z

    def cells(self) -> Iterator[Cell]:
        """All shards, in the order z, y, x."""
        room, grid = self.shard, self.grid
        for z, y, x in product(*(range(0, grid[axis], room[axis]) for axis in (2, 1, 0))):
            yield Cell((x, y, z), each(min, room, each(int.__sub__, grid, (x, y, z))))


class Volume(NamedTuple):
    """A volume to be written."""

    scales: list[Scale]
    batch: int
    """Chunks of a record batch."""


def read_volume(file: Path) -> Volume:
    """The `info` of a volume; CommandError where it is none that shards can be written for."""
    try:
        given = json.loads(file.read_bytes())
        batch = int(given.get("batch_size") or 1)
        scales = [_scale(one) for one in given["scales"]]
    except OSError as error:
        raise CommandError(f"{file} cannot be read: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise CommandError(f"{file} describes no sharded volume: {type(error).__name__} {error}") from None
    if not scales or batch < 1:
        raise CommandError(f"{file} describes no sharded volume: it has no scales, or a batch_size below 1")
    return Volume(scales, batch)


def _scale(given: dict[str, Any]) -> Scale:
    sharding = given["sharding"]
    if sharding["@type"] != FORMAT or sharding["hash"] != "identity":
        raise CommandError(f"sharding must be {FORMAT} with the hash identity: other shards are no boxes of chunks")
    inner = int(sharding["preshift_bits"]) + int(sharding["minishard_bits"])
    offset = _point(given.get("voxel_offset") or [0, 0, 0])
    found = Scale(_point(given["chunk_sizes"][0]), _point(given["size"]), offset, int(sharding["shard_bits"]), inner)
    if min(*found.chunk, *found.size) < 1 or min(inner, found.shard_bits) < 0:
        raise CommandError("sizes of a volume, its chunks and its shards are positive")
    if sum(found.bits) > inner + found.shard_bits:
        raise CommandError(
            f"{inner + found.shard_bits} bits of preshift, minishard and shard do not number"
            f" the {'x'.join(map(str, found.grid))} chunks of the volume"
        )
    return found


def _point(given: list[int]) -> Point:
    x, y, z = map(int, given)
    return x, y, z
