"""Tiles made from a source in the background.

A step makes one tile, and those behind it through the plane, of one scale: of scale 0 from voxels, of others from the
tiles of the scale before, whose pixels are averaged. Its task stores them in the batch that removes it and asks for the
next step: exactly once, whatever ends the server between. Memory is that of one step, however large the volume.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from dvidpy.datatypes.events import turn
from dvidpy.datatypes.imagetile import tiles
from dvidpy.datatypes.imagetile.instance import MAKE, ImageTile, demand_few_tiles
from dvidpy.datatypes.imagetile.keys import NAMES, Tile, parse_plane
from dvidpy.datatypes.imagetile.levels import (
    Levels,
    box_of,
    default_levels,
    load_levels,
    magnifications,
    metadata_of,
    show_levels,
    total_magnification,
)
from dvidpy.datatypes.voxels.cutting import paste
from dvidpy.datatypes.voxels.kinds import RGBA8, UINT8, UINT16, Kind, Voxels
from dvidpy.datatypes.voxels.planes import Plane
from dvidpy.datatypes.voxels.reading import MOST_PIXELS
from dvidpy.datatypes.voxels.sources import Source, find_source
from dvidpy.errors import BadRequest, Busy
from dvidpy.geometry import Box, Zyx
from dvidpy.versioning.commits import Change
from dvidpy.versioning.datastore import Datastore
from dvidpy.versioning.queue import Task

STEP_BYTES = 32 << 20
"""Voxels that a step reads, if they are more than one slice."""
MOST_STEPS = 1 << 40
"""Steps of one order to make tiles."""
Span = tuple[int, int]
"""First and last voxel through a plane."""
ANYWHERE: Span = (-(1 << 31), (1 << 31) - 1)


class Order(NamedTuple):
    """Which tiles are to be made."""

    levels: Levels
    extents: Box
    planes: list[tuple[Plane, Span]]
    depth: Zyx
    """Slices of a step, by the axis through their plane."""

    def stages(self) -> Iterator[Stage]:
        """Plane by plane, finer scales first."""
        for plane, span in self.planes:
            for scale in range(len(self.levels)):
                yield Stage(self, plane, scale, span)

    @property
    def total(self) -> int:
        """Its steps."""
        return sum(stage.steps.volume for stage in self.stages())

    def step(self, number: int) -> tuple[Stage, Box] | None:
        """(stage, tiles) of a step; None behind the last."""
        for stage in self.stages():
            steps = stage.steps
            if number < steps.volume:
                return stage, stage.tiles_of(steps, number)
            number -= steps.volume
        return None


class Stage(NamedTuple):
    """All tiles of one plane and scale."""

    order: Order
    plane: Plane
    scale: int
    span: Span

    @property
    def tiles(self) -> Box:
        """Their coordinates."""
        cell = self.order.levels[self.scale].cell(self.plane, total_magnification(self.order.levels, self.scale))
        start, size = list(self.order.extents.start), list(self.order.extents.size)
        axis = self.plane.through
        first = max(start[axis], self.span[0])
        size[axis] = max(0, min(start[axis] + size[axis], self.span[1] + 1) - first)
        start[axis] = first
        return Box((start[0], start[1], start[2]), (size[0], size[1], size[2])).blocks(cell)

    @property
    def _slab(self) -> Zyx:
        sides = [1, 1, 1]
        sides[self.plane.through] = self.order.depth[self.plane.through]
        return sides[0], sides[1], sides[2]

    @property
    def steps(self) -> Box:
        """The steps as a box: tiles, and slabs of them through the plane."""
        return self.tiles.blocks(self._slab)

    def tiles_of(self, steps: Box, number: int) -> Box:
        """Tiles of one of its steps."""
        rest, x = divmod(number, steps.size[2])
        z, y = divmod(rest, steps.size[1])
        start = (steps.start[0] + z, steps.start[1] + y, steps.start[2] + x)
        return Box(start, (1, 1, 1)).voxels(self._slab).common(self.tiles)


# ---------------------------------------------------------------------- ordering
def parse_planes(text: str) -> list[Plane]:
    """Planes with semicolons between them, xy;yz or 0,1;yz; all three where the text is empty."""
    planes = [parse_plane(part.strip()) for part in (text or ";".join(NAMES)).split(";")]
    if len(set(planes)) != len(planes):
        raise BadRequest(f"{text[:80]!r} names a plane twice")
    return planes


def make_order(data: ImageTile, levels: Levels | None, planes: list[Plane], spans: tuple[Span, Span, Span]) -> Order:
    """Tiles of the source over its extents; BadRequest where there is none, or its voxels make no tiles."""
    source = find_source(data, data.instance.settings["Source"])
    if source.kind not in (UINT8, UINT16, RGBA8):
        raise BadRequest(f"tiles are made of 8-bit, 16-bit and RGBA voxels, not of {source.kind.name}")
    extents = box_of(source.extents())
    if extents is None:
        raise BadRequest(f"{source.instance.name!r} has no voxels yet")
    levels = levels or default_levels(extents, source.voxel_size)
    _demand_possible(levels)
    order = Order(levels, extents, [(plane, spans[plane.through]) for plane in planes], _depth(levels, source))
    if order.total > MOST_STEPS:
        raise BadRequest(f"this takes {order.total} steps, more than {MOST_STEPS}: choose larger tiles or fewer levels")
    return order


def _demand_possible(levels: Levels) -> None:
    """BadRequest where a tile is made of too many pixels or tiles of the level before."""
    for scale, times in enumerate(magnifications(levels)):
        for name in NAMES if scale else ():
            plane = parse_plane(name)
            cell = levels[scale].cell(plane, times)
            if math.prod(cell) > MOST_PIXELS:
                raise BadRequest(f"a tile of level {scale} is made of {math.prod(cell)} pixels, beyond {MOST_PIXELS}")
            demand_few_tiles(Box((0, 0, 0), cell), levels[scale - 1].cell(plane))


def _depth(levels: Levels, source: Source) -> Zyx:
    """Slices that a step makes tiles of: those of a block of the source, as many as fit."""
    z, y, x = (
        max(1, min(source.block[axis], STEP_BYTES // (_area(levels, axis) * source.kind.itemsize))) for axis in range(3)
    )
    return z, y, x


def _area(levels: Levels, axis: int) -> int:
    return max(math.prod(level.cell(parse_plane(NAMES[axis]))) for level in levels)


def start(data: ImageTile, order: Order) -> Task:
    """Keep the metadata and ask for the first step; Busy where tiles of this version are being made already."""
    with turn(data):
        if making := data.generating():
            failed = f", which failed until the next start: {making.failed}" if making.failed else ""
            raise Busy(f"tiles of this version are being made already{failed}")
        data.set_metadata(metadata_of(order.levels, order.extents))
        change = data.change()
        source = data.sibling(data.instance.settings["Source"])
        task = Task(MAKE, data.instance.number, data.version, _pack(order, source.uuid, data.node.version))
        data.datastore.stack_of(data.instance).queue.add(change, task)
        data.view.commit(change)
    return task


def _pack(order: Order, source: str, version: int) -> dict[str, Any]:
    return {
        "source": source,
        "at": version,
        "levels": show_levels(order.levels),
        "extents": order.extents,
        "planes": [[NAMES[plane.through], *span] for plane, span in order.planes],
        "depth": order.depth,
        "done": 0,
        "total": order.total,
    }


def _unpack(args: dict[str, Any]) -> Order:
    (z, y, x), (depth, height, width) = args["extents"]
    planes = [(parse_plane(name), (first, last)) for name, first, last in args["planes"]]
    slices = args["depth"]
    extents = Box((z, y, x), (depth, height, width))
    return Order(load_levels(args["levels"]), extents, planes, (slices[0], slices[1], slices[2]))


# ---------------------------------------------------------------------- making
def make_tiles(datastore: Datastore, task: Task, change: Change) -> None:
    """One step, and the next one asked for; nothing where the instance or its source is gone."""
    instance = datastore.catalogue.instances().get(task.instance)
    repo = instance and datastore.catalogue.repos[instance.repo]
    source = repo and datastore.catalogue.by_data(repo, task.args["source"])
    if not (instance and repo and source):
        return
    data = ImageTile(datastore, repo, datastore.catalogue.node(task.args["at"]), instance, None)
    order = _unpack(task.args)
    found = order.step(task.args["done"])
    if found is None:
        return
    stage, wanted = found
    voxels = find_source(data, source.name)
    for at, pixels in _slices(data, voxels, stage, wanted):
        tile = Tile(stage.plane, stage.scale, at)
        data.view.put(change, tile.key(), tiles.make(data.form, voxels.kind, pixels))
    done = task.args["done"] + 1
    if done < task.args["total"]:
        following = Task(MAKE, task.instance, task.version, {**task.args, "done": done})
        datastore.stack_of(instance).queue.add(change, following)


def _slices(data: ImageTile, source: Source, stage: Stage, wanted: Box) -> Iterator[tuple[Zyx, Voxels]]:
    """(coordinates of a tile, its pixels) of a step."""
    levels, plane = stage.order.levels, stage.plane
    if stage.scale == 0:
        cell = levels[0].cell(plane)
        volume = _read(source, wanted.voxels(cell), stage.order.extents)
        for number, at in enumerate(wanted.points()):
            yield at, volume.take(number, axis=plane.through)
        return
    times = magnifications(levels)[stage.scale]
    cell = levels[stage.scale].cell(plane, times)
    for at in wanted.points():
        box = Box(at, (1, 1, 1)).voxels(cell)
        finer = data.stitch(plane, stage.scale - 1, levels[stage.scale - 1], box, source.kind)
        yield at, shrink(source.kind, finer, times[plane.down], times[plane.across])


def _read(source: Source, box: Box, extents: Box) -> Voxels:
    """(z, y, x) voxels of a box, 0 outside the extents."""
    out = np.zeros(box.size, source.kind.dtype)
    inside = box.common(extents)
    if inside.volume:
        paste(out, box.start, source.read(inside), inside.start)
    return out


def shrink(kind: Kind, pixels: Voxels, down: int, across: int) -> Voxels:
    """Means of down x across pixels, (height, width) both multiples of these."""
    if down == across == 1:
        return pixels
    height, width = pixels.shape
    values = kind.values(pixels)
    parts = values.reshape(height // down, down, width // across, across, *values.shape[2:])
    return kind.voxels(parts.mean(axis=(1, 3)))
