"""Labels over an image: an rgba8blk instance with a colour for each body, times the gray value. Block by block."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dvidpy.cli.client import Client, CommandError, path_of
from dvidpy.cli.streams import Received, received
from dvidpy.cli.targets import LABELS, Target, each, target_of, words_of
from dvidpy.datatypes.labels.blocks import LabelBlock, parse, to_volume
from dvidpy.datatypes.labels.pictures import Colours, pseudocolours, shaded

if TYPE_CHECKING:
    from dvidpy.datatypes.voxels.kinds import Voxels

TOGETHER = 16
"""Neighbours along x that are coloured and written at once."""


class _Painting(NamedTuple):
    """Where labels and gray values come from, and where colours go."""

    labels: Target
    gray: Target
    colours: Target


def compose(client: Client, uuid: str, name: str, gray: str, new: str) -> int:
    """Make the instance `new`, and give it all blocks that labels were written in; the number of blocks."""
    labels, source = (target_of(client, path_of("node", uuid, one)) for one in (name, gray))
    if labels.kind != LABELS or source.kind != "uint8":
        raise CommandError(f"{name!r} must hold labels and {gray!r} be a uint8blk")
    painting = _Painting(labels, source, _new(client, uuid, labels, new))
    blocks = 0
    for row in _rows(painting):
        _paint(painting, row)
        blocks += len(row)
    if source.extents is not None:
        low, high = map(list, source.extents)
        client.ask("POST", f"{painting.colours.path}/extents", {"MinPoint": low, "MaxPoint": high})
    return blocks


def _new(client: Client, uuid: str, labels: Target, name: str) -> Target:
    """An instance of colours, of the grid of the labels."""
    extended = client.json("GET", f"{labels.path}/info")["Extended"]
    grid = {key: ",".join(map(str, extended[key])) for key in ("BlockSize", "VoxelSize", "VoxelUnits")}
    client.ask("POST", path_of("repo", uuid, "instance"), {"typename": "rgba8blk", "dataname": name, **grid})
    return target_of(client, path_of("node", uuid, name))


def _rows(painting: _Painting) -> Iterator[list[Received]]:
    """Neighbours along x, of all blocks of bodies; a layer of blocks is asked for at a time."""
    labels = painting.labels
    if labels.extents is None:
        return
    low, last = (each(int.__floordiv__, point, labels.block) for point in labels.extents)
    for z in range(low[2], last[2] + 1):
        first = each(int.__mul__, (low[0], low[1], z), labels.block)
        size = each(int.__mul__, (last[0] + 1 - low[0], last[1] + 1 - low[1], 1), labels.block)
        path = f"{labels.path}/blocks/{words_of(size)}/{words_of(first)}"
        with labels.client.open("GET", path, query={"compression": "blocks"}) as answer:
            yield from _neighbours(received(answer, labels.block))


def _neighbours(blocks: Iterator[Received]) -> Iterator[list[Received]]:
    """Runs of blocks that follow each other along x."""
    numbered = enumerate(blocks)
    for _, row in groupby(numbered, lambda one: (one[1].place[1:], one[1].place[0] - one[0])):
        waiting: list[Received] = []
        for _, block in row:
            waiting.append(block)
            if len(waiting) == TOGETHER:
                yield waiting
                waiting = []
        if waiting:
            yield waiting


def _paint(painting: _Painting, row: list[Received]) -> None:
    block = painting.labels.block
    low = each(int.__mul__, row[0].place, block)
    width, height, depth = block
    high = each(int.__add__, low, (len(row) * width, height, depth))
    painted = [coloured(parse(one.plain, (depth, height, width))) for one in row]
    gray: Voxels = painting.gray.read(low, high)
    painting.colours.write(low, shaded(np.concatenate(painted, axis=2), gray))


def coloured(block: LabelBlock) -> Colours:
    """(z, y, x) colours of the labels of a block: made for each label, not for each voxel."""
    colours = to_volume(block.with_labels(pseudocolours(block.labels).astype(np.uint64))).astype(np.uint32)
    background = pseudocolours(np.zeros(1, np.uint64))[0]
    return np.where(colours == 0, background, colours)  # sub-blocks without entries; every colour is opaque
