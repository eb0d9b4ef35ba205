"""Voxels of an instance as a volume of another format, at one scale or at several."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from dvidpy.cli.client import CommandError
from dvidpy.cli.outside.formats import finish, make_outside
from dvidpy.cli.outside.record import Record
from dvidpy.cli.outside.volume import Outside, Plan
from dvidpy.cli.transferring import LABELS, Job, Part, each_part, moved, parts_of
from dvidpy.client.boxes import Box, Zyx
from dvidpy.client.labels import LabelMap
from dvidpy.client.volumes import Image

ALL = "all"
"""All scales that the instance has."""
NANOMETERS = {"nanometers": 1.0, "microns": 1e3, "micrometers": 1e3, "millimeters": 1e6}


class Asked(NamedTuple):
    """What of an instance is written, and how."""

    form: str
    dataset: str
    box: tuple[Zyx, Zyx] | None
    scale: int
    """The first one."""
    scales: str
    """How many, or ALL; empty: that one as a plain volume."""
    supervoxels: bool
    sharded: bool


def take_out(job: Job, dest: str, asked: Asked) -> int:
    """Write voxels of an instance as a volume of another format; how many."""
    volumes = _volumes(job, asked)
    first = volumes[0].bounds if asked.box is None else Box(*asked.box)
    if not first.volume:
        raise CommandError(f"{job.name!r} has no voxels: nothing to export")
    boxes = [_halved(first, number) for number in range(len(volumes))]
    record = _record(job, dest, asked, first)
    again = record.begun and Path(dest).exists()
    plans = [
        _plan(volume, box, asked, number, again=again)
        for number, (volume, box) in enumerate(zip(volumes, boxes, strict=True))
    ]
    outsides = [make_outside(dest, asked.form, plan) for plan in plans]
    if asked.scales:
        finish(dest, asked.form, job.name, plans)
    _write(job, volumes, boxes, outsides, record)
    return sum(box.volume for box in boxes)


def _write(job: Job, volumes: list[Image], boxes: list[Box], outsides: list[Outside], record: Record) -> None:
    parts = [
        part
        for number, (box, outside) in enumerate(zip(boxes, outsides, strict=True))
        for part in parts_of(moved(box, box.start), outside.grid, number)
    ]

    def work(part: Part) -> None:
        z, y, x = boxes[part.scale].start
        outsides[part.scale].write(part.box, volumes[part.scale].read(moved(part.box, (-z, -y, -x))))

    each_part(job, work, parts, record, outsides, f"export {job.name}")


def _record(job: Job, dest: str, asked: Asked, box: Box) -> Record:
    """What is done so far; CommandError where something else is there."""
    about = {"from": f"{job.uuid} {job.name}", "box": box, **asked._replace(box=None)._asdict()}
    whole = Path(dest)
    record = Record(whole.with_name(f".{whole.name}.dvidpy"), about, restart=job.restart)
    if not record.begun and whole.exists() and not (whole.is_dir() and asked.dataset):
        raise CommandError(f"{dest} is there already; --restart does not replace it, remove it first")
    return record


def _plan(volume: Image, box: Box, asked: Asked, number: int, *, again: bool) -> Plan:
    return Plan(
        box.shape,
        volume.dtype,
        box.start,
        _nanometers(volume),
        isinstance(volume, LabelMap),
        asked.dataset,
        sharded=asked.sharded,
        again=again,
        scale=number if asked.scales else None,
    )


# ---------------------------------------------------------------------- scales
def _volumes(job: Job, asked: Asked) -> list[Image]:
    """The instance at each of its scales that are written."""
    volume = job.volume()
    if asked.supervoxels:
        if not isinstance(volume, LabelMap):
            raise CommandError(f"{volume.name!r} is an image: it has no supervoxels")
        volume = volume.supervoxels()
    if not asked.scales:
        return [volume.scale(asked.scale)]
    there = _scales_of(job, volume) - asked.scale
    if asked.scales != ALL and not (asked.scales.isdecimal() and 0 < int(asked.scales) <= there):
        raise CommandError(f"--scales is {ALL} or a number from 1 to {max(there, 1)}, of what {job.name!r} has")
    count = there if asked.scales == ALL else int(asked.scales)
    return [volume.scale(asked.scale + number) for number in range(max(count, 1))]


def _scales_of(job: Job, volume: Image) -> int:
    if volume.typename in LABELS:
        return 1 + int(volume.info()["Extended"].get("MaxDownresLevel", 0))
    names = job.version.instances()
    return next(number for number in range(1, len(names) + 2) if f"{job.name}_{number}" not in names)


def _halved(box: Box, times: int) -> Box:
    """The voxels of a coarser scale that hold those of a box."""
    (a, b, c), (d, e, f) = box
    return Box((a >> times, b >> times, c >> times), (_up(d, times), _up(e, times), _up(f, times)))


def _up(at: int, times: int) -> int:
    return -(-at >> times)


def _nanometers(volume: Image) -> tuple[float, float, float]:
    units = volume.info()["Extended"].get("VoxelUnits") or ["nanometers"] * 3
    z, y, x = (side * NANOMETERS.get(unit, 1.0) for side, unit in zip(volume.resolution, reversed(units), strict=True))
    return z, y, x
