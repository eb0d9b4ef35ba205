"""Volumes into an instance, and what import and export have in common: piece by piece, some at a time.

What breaks off goes on where it was.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from dvidpy.cli.client import CommandError
from dvidpy.cli.outside.record import Record
from dvidpy.cli.outside.volume import Outside
from dvidpy.client.boxes import Box, Zyx
from dvidpy.client.instances import Instance
from dvidpy.client.line import Line
from dvidpy.client.progress import bar, each
from dvidpy.client.versions import Version
from dvidpy.client.volumes import Image

PIECE = 1 << 23
"""Voxels of a piece, unless what must be written together has more."""
LABELS = ("labelmap", "labelarray", "labelblk")
IMAGES = ("uint8blk", "uint16blk", "uint32blk", "uint64blk", "float32blk", "rgba8blk")
COARSEST = 256
"""Voxels along the longest side of the coarsest scale of a labelmap that is made."""


class Job(NamedTuple):
    """Which instance, and how."""

    line: Line
    uuid: str
    name: str
    workers: int
    restart: bool

    @property
    def version(self) -> Version:
        """The version."""
        return Version(self.line, self.uuid)

    def volume(self) -> Image:
        """The instance; CommandError for one without voxels."""
        found = Instance(self.line, self.uuid, self.name)
        if found.typename in LABELS:
            return self.version.labelmap(self.name)
        if found.typename not in IMAGES:
            raise CommandError(f"{self.name!r} is a {found.typename}: it has no volume of voxels")
        return self.version.image(self.name)


class Part(NamedTuple):
    """A piece of one of the scales that are written."""

    scale: int
    box: Box


# ---------------------------------------------------------------------- in
def bring_in(job: Job, outside: Outside, source: str, dataset: str, offset: Zyx | None, new: str) -> int:
    """Write all voxels of a volume into an instance; how many."""
    if new:
        _make_instance(job, outside, new)
    volume = job.volume()
    start = outside.offset if offset is None else offset
    box = _placed(outside.shape, start)
    before = volume.bounds
    parts = parts_of(box, volume.block)
    about = {"into": f"{job.uuid} {job.name}", "from": source, "dataset": dataset, "at": start, "piece": PIECE}
    record = Record(Path(f".{job.name}-{job.uuid[:8].replace(':', '-')}.dvidpy"), about, restart=job.restart)

    def work(part: Part) -> None:
        volume.write(part.box.start, outside.read(moved(part.box, start)))

    each_part(job, work, parts, record, [outside], f"import {job.name}")
    _set_extents(volume, box, before)
    return box.volume


def _make_instance(job: Job, outside: Outside, typename: str) -> None:
    if typename not in (*LABELS, *IMAGES):
        raise CommandError(f"{typename!r} has no volume of voxels; there are {', '.join((*LABELS, *IMAGES))}")
    if job.name in job.version.instances():
        return
    settings: dict[str, Any] = {} if outside.resolution is None else {"VoxelSize": list(outside.resolution[::-1])}
    if typename == "labelmap":
        longest = max(outside.shape)
        settings["MaxDownresLevel"] = next(level for level in range(32) if longest >> level <= COARSEST)
    job.version.new_instance(typename, job.name, **settings)


def _set_extents(volume: Image, box: Box, before: Box) -> None:
    """What they were, and the volume: not the whole blocks that were written."""
    if before.volume:
        low, high = (tuple(map(pick, a, b)) for pick, a, b in zip((min, max), box, before, strict=True))
    else:
        low, high = box
    last = [at - 1 for at in high]
    volume.ask("POST", "extents", {"MinPoint": [*low[::-1]], "MaxPoint": last[::-1]})


# ---------------------------------------------------------------------- both
def parts_of(box: Box, grid: Zyx, scale: int = 0) -> list[Part]:
    """A volume in pieces."""
    return [Part(scale, one) for one in box.pieces(grid, PIECE) if one.volume]


def each_part(
    job: Job, work: Callable[[Part], None], parts: list[Part], record: Record, outsides: list[Outside], what: str
) -> None:
    """Do all pieces that are not done."""
    waiting = [one for one in parts if one not in record]
    finished = False

    def one(part: Part) -> Part:
        work(part)
        return part

    try:
        with bar(len(parts), what) as shown:
            shown.update(len(parts) - len(waiting))

            def done(part: Part) -> None:
                record.add(part)
                shown.update()

            each(one, waiting, job.workers, done)
        finished = True
    except (ValueError, OSError) as error:
        raise CommandError(str(error)) from None
    finally:
        for outside in outsides:
            outside.close()
        record.close(finished=finished)


def _placed(shape: Zyx, start: Zyx) -> Box:
    return moved(Box((0, 0, 0), shape), (-start[0], -start[1], -start[2]))


def moved(box: Box, origin: Zyx) -> Box:
    """The same box, counted from another voxel."""
    (a, b, c), (d, e, f) = box
    z, y, x = origin
    return Box((a - z, b - y, c - x), (d - z, e - y, f - x))
