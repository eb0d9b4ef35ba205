"""Stacks of pictures into an image or labelmap instance: slab by slab, whole blocks at a time, in bounded memory.

A slab is as thick as a block. Blocks that the pictures cover only in part keep what else they have: they are read,
pasted into and written. The extents grow by the pictures, not by the blocks.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from contextlib import nullcontext
from itertools import groupby, product
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import typer

from dvidpy.cli.client import Client, CommandError, path_of
from dvidpy.cli.stacks import files_of, slices_of
from dvidpy.cli.targets import Point, Target, each, parse_point, target_of

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Volume = npt.NDArray[np.generic]

IN_MEMORY = 256 << 20
"""Bytes of a slab that is gathered in memory; a larger one lies in a temporary file."""
POSTED = 64 << 20
"""Bytes sent at once, unless one block has more."""
PLANES = {"xy": (2, (0, 1, 2)), "xz": (1, (1, 0, 2)), "yz": (0, (1, 2, 0))}
"""Plane -> (axis of x, y, z along which slices follow each other; (slice, height, width) -> z, y, x)."""


class Slab(NamedTuple):
    """Some slices that lie in one layer of blocks."""

    zyx: Volume
    offset: Point
    files: int
    """Files read so far."""


def load_channels(client: Client, uuid: str, name: str, files: list[str]) -> None:
    """Send a V3D Raw file to a multichan16 instance; CommandError where it cannot be read."""
    if len(files) != 1:
        raise CommandError("one V3D Raw file is needed")
    try:
        with Path(files[0]).open("rb") as file:
            found = client.json("POST", path_of("node", uuid, name, "load"), file)
    except OSError as error:
        raise CommandError(f"{files[0]} cannot be read: {error.strerror or error}") from None
    typer.echo(f"Loaded {found['NumChannels']} channels of {' x '.join(map(str, found['Size']))} voxels.")


def load_pictures(
    client: Client, uuid: str, name: str, plane: str, offset: str, patterns: list[str], *, indexing: bool = True
) -> None:
    """Write a stack; CommandError where something does not fit, what was written before stays.

    Without `indexing`, label blocks alone are stored: no index and no coarser scale follows.
    """
    if plane not in PLANES:
        raise CommandError(f"{plane!r} is no plane; there are {', '.join(PLANES)}")
    first = parse_point(offset)
    files = files_of(patterns)
    target = target_of(client, path_of("node", uuid, name), indexing=indexing)
    low, high = first, first
    with _progress(len(files)) as bar:
        done = 0
        for slab in _slabs(files, target, plane, first):
            _send(target, slab)
            high = each(max, high, _end(slab))
            if bar is not None:
                bar.update(slab.files - done)
            done = slab.files
    _set_extents(target, low, high)


def _slabs(files: list[str], target: Target, plane: str, first: Point) -> Iterator[Slab]:
    """Slices gathered to layers of blocks."""
    import numpy as np

    axis, order = PLANES[plane]
    thick, room = target.block[axis], None
    placed = enumerate(slices_of(files, target.kind), first[axis])
    for _, layer in groupby(placed, lambda one: one[0] // thick):
        count = end = read = 0
        for place, (number, found) in layer:
            if room is None:
                room = _room((thick, *found.shape), found.dtype)
            room[count] = found
            count, end, read = count + 1, place + 1, number + 1
        x, y, z = (end - count if a == axis else first[a] for a in range(3))
        assert room is not None
        yield Slab(np.transpose(room[:count], order), (x, y, z), read)


def _room(shape: tuple[int, ...], dtype: np.dtype[Any]) -> Volume:
    """Where slices are gathered; it is used again for every slab."""
    import numpy as np

    if int(np.prod(shape)) * dtype.itemsize <= IN_MEMORY:
        return np.empty(shape, dtype)
    with tempfile.TemporaryFile() as file:  # it lives as long as it is mapped
        return np.memmap(file, dtype, "w+", shape=shape)


# ---------------------------------------------------------------------- sending
def _send(target: Target, slab: Slab) -> None:
    """Write a slab, in pieces of whole blocks."""
    end = _end(slab)
    for low, high in _pieces(target.block, slab.offset, end, slab.zyx.itemsize):
        inner = (each(max, low, slab.offset), each(min, high, end))
        own = slab.zyx[_cut(inner, slab.offset)]
        if inner != (low, high):
            whole = target.read(low, high)
            whole[_cut(inner, low)] = own
            own = whole
        target.write(low, own)


def _pieces(block: Point, low: Point, high: Point, itemsize: int) -> Iterator[tuple[Point, Point]]:
    """Boxes of whole blocks around a box: full in x and y where that is not too much, else cut in y, then in x."""
    starts = [low[a] // block[a] for a in range(3)]
    counts = [-(-high[a] // block[a]) - starts[a] for a in range(3)]
    bytes_of_block = itemsize * block[0] * block[1] * block[2] * counts[2]
    wide = max(1, min(counts[0], POSTED // bytes_of_block))
    tall = max(1, min(counts[1], POSTED // (bytes_of_block * wide))) if wide == counts[0] else 1
    for y, x in product(range(0, counts[1], tall), range(0, counts[0], wide)):
        first = (starts[0] + x, starts[1] + y, starts[2])
        number = (min(wide, counts[0] - x), min(tall, counts[1] - y), counts[2])
        piece = each(int.__mul__, first, block)
        yield piece, each(int.__add__, piece, each(int.__mul__, number, block))


def _set_extents(target: Target, low: Point, high: Point) -> None:
    """The extents: what they were, and the pictures."""
    last = each(int.__sub__, high, (1, 1, 1))
    if target.extents is not None:
        low, last = each(min, low, target.extents[0]), each(max, last, target.extents[1])
    target.client.ask("POST", f"{target.path}/extents", {"MinPoint": list(low), "MaxPoint": list(last)})


# ---------------------------------------------------------------------- points
def _end(slab: Slab) -> Point:
    depth, height, width = slab.zyx.shape
    return each(int.__add__, slab.offset, (width, height, depth))


def _cut(box: tuple[Point, Point], origin: Point) -> tuple[slice, ...]:
    """z, y, x slices of a box in an array that begins at a point."""
    return tuple(slice(box[0][a] - origin[a], box[1][a] - origin[a]) for a in (2, 1, 0))


def _progress(files: int) -> Any:
    """A bar over files where a person looks on."""
    if not sys.stderr.isatty():
        return nullcontext()
    return typer.progressbar(length=files, label="files", file=sys.stderr)
