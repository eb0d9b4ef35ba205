"""Volumes between an instance and a file, piece by piece, some at a time; what breaks off goes on where it was."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from dvidpy.cli.client import CommandError
from dvidpy.cli.outside.formats import make_outside
from dvidpy.cli.outside.record import Record
from dvidpy.cli.outside.volume import Outside, Plan
from dvidpy.client.boxes import Box, Zyx
from dvidpy.client.instances import Instance
from dvidpy.client.labels import LabelMap
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
NANOMETERS = {"nanometers": 1.0, "microns": 1e3, "micrometers": 1e3, "millimeters": 1e6}


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


class Asked(NamedTuple):
    """What of an instance is written, and how."""

    form: str
    dataset: str
    box: tuple[Zyx, Zyx] | None
    scale: int
    supervoxels: bool
    sharded: bool


# ---------------------------------------------------------------------- in
def bring_in(job: Job, outside: Outside, source: str, dataset: str, offset: Zyx | None, new: str) -> int:
    """Write all voxels of a volume into an instance; how many."""
    if new:
        _make_instance(job, outside, new)
    volume = job.volume()
    start = outside.offset if offset is None else offset
    box = _placed(outside.shape, start)
    before = volume.bounds
    pieces = [one for one in box.pieces(volume.block, PIECE) if one.volume]
    about = {"into": f"{job.uuid} {job.name}", "from": source, "dataset": dataset, "at": start, "piece": PIECE}
    record = Record(Path(f".{job.name}-{job.uuid[:8].replace(':', '-')}.dvidpy"), about, restart=job.restart)

    def work(piece: Box) -> None:
        volume.write(piece.start, outside.read(_moved(piece, start)))

    _each(job, work, pieces, record, outside, f"import {job.name}")
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


# ---------------------------------------------------------------------- out
def take_out(job: Job, dest: str, asked: Asked) -> int:
    """Write voxels of an instance as a volume of another format; how many."""
    volume = _at_scale(job.volume(), asked)
    box = volume.bounds if asked.box is None else Box(*asked.box)
    if not box.volume:
        raise CommandError(f"{job.name!r} has no voxels: nothing to export")
    about = {"from": f"{job.uuid} {job.name}", "box": box, **asked._replace(box=None)._asdict(), "piece": PIECE}
    whole = Path(dest)
    record = Record(whole.with_name(f".{whole.name}.dvidpy"), about, restart=job.restart)
    if not record.begun and whole.exists() and not (whole.is_dir() and asked.dataset):
        raise CommandError(f"{dest} is there already; --restart does not replace it, remove it first")
    plan = Plan(
        box.shape,
        volume.dtype,
        box.start,
        _nanometers(volume),
        isinstance(volume, LabelMap),
        asked.dataset,
        sharded=asked.sharded,
        again=record.begun and whole.exists(),
    )
    outside = make_outside(dest, asked.form, plan)
    pieces = [one for one in _placed(box.shape, (0, 0, 0)).pieces(outside.grid, PIECE) if one.volume]

    def work(piece: Box) -> None:
        outside.write(piece, volume.read(_moved(piece, (-box.start[0], -box.start[1], -box.start[2]))))

    _each(job, work, pieces, record, outside, f"export {job.name}")
    return box.volume


def _at_scale(volume: Image, asked: Asked) -> Image:
    if asked.supervoxels:
        if not isinstance(volume, LabelMap):
            raise CommandError(f"{volume.name!r} is an image: it has no supervoxels")
        volume = volume.supervoxels()
    return volume.scale(asked.scale)


def _nanometers(volume: Image) -> tuple[float, float, float]:
    units = volume.info()["Extended"].get("VoxelUnits") or ["nanometers"] * 3
    z, y, x = (side * NANOMETERS.get(unit, 1.0) for side, unit in zip(volume.resolution, reversed(units), strict=True))
    return z, y, x


# ---------------------------------------------------------------------- both
def _each(
    job: Job, work: Callable[[Box], None], pieces: list[Box], record: Record, outside: Outside, what: str
) -> None:
    """Do all pieces that are not done."""
    waiting = [one for one in pieces if one not in record]
    finished = False

    def one(piece: Box) -> Box:
        work(piece)
        return piece

    try:
        with bar(len(pieces), what) as shown:
            shown.update(len(pieces) - len(waiting))

            def done(piece: Box) -> None:
                record.add(piece)
                shown.update()

            each(one, waiting, job.workers, done)
        finished = True
    except (ValueError, OSError) as error:
        raise CommandError(str(error)) from None
    finally:
        outside.close()
        record.close(finished=finished)


def _placed(shape: Zyx, start: Zyx) -> Box:
    return _moved(Box((0, 0, 0), shape), (-start[0], -start[1], -start[2]))


def _moved(box: Box, origin: Zyx) -> Box:
    """The same box, counted from another voxel."""
    (a, b, c), (d, e, f) = box
    z, y, x = origin
    return Box((a - z, b - y, c - x), (d - z, e - y, f - x))
