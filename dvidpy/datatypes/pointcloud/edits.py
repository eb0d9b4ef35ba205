"""Edits of a cloud: points added to blocks, blocks replaced and deleted. Each is one batch: all of it or nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple

import numpy as np
import orjson
from msgspec import Raw
from numpy.typing import NDArray

from dvidpy.datatypes.events import turn
from dvidpy.datatypes.pointcloud.instance import Cloud, Labels
from dvidpy.datatypes.pointcloud.keys import POINTS, SUMMARY, held_key, place_of
from dvidpy.datatypes.pointcloud.packing import Points, encode, in_order, summary_of
from dvidpy.errors import BadRequest, DvidError
from dvidpy.storage.codecs import Codec
from dvidpy.versioning.commits import Change
from dvidpy.versioning.large import PART


class Rows(NamedTuple):
    """Points of one block, each with its label."""

    block: str
    labels: Labels
    """(N,)."""
    points: Points
    """(N, D) of the type of the instance."""


class Packed(NamedTuple):
    """The points of one label in one block, ready to be stored."""

    label: int
    summary: bytes
    """Packed."""
    points: bytes
    """Packed, unless they are more than a value at once may be."""
    is_large: bool


def by_label(labels: Labels, points: Points) -> Iterator[tuple[int, Points]]:
    """(label, its points in order and each once), by label."""
    order = np.argsort(labels, kind="stable")
    ordered = labels[order]
    cuts = np.flatnonzero(ordered[1:] != ordered[:-1]) + 1
    for some in np.split(order, cuts) if len(order) else ():
        yield int(labels[some[0]]), in_order(points[some])


def pack(label: int, points: Points, codec: Codec) -> Packed:
    """Points in order -> what is stored."""
    plain = encode(points)
    is_large = len(plain) > PART
    summary = codec.encode(summary_of(points).encode())
    return Packed(label, summary, plain if is_large else codec.encode(plain), is_large)


# ---------------------------------------------------------------------- edits
def add_points(cloud: Cloud, rows: Iterable[Rows]) -> None:
    """Add points to what blocks have."""
    rows = list(rows)
    with turn(cloud):
        _demand_alive(cloud, rows)
        change = cloud.change(_said(cloud, "add-points", rows))
        for one in rows:
            for label, points in by_label(one.labels, one.points):
                before = cloud.part(label, one.block)
                _put(cloud, change, one.block, label, in_order(np.concatenate((before, points))))
        _commit(cloud, change)


def replace_block(cloud: Cloud, rows: Rows) -> None:
    """Replace all points of a block."""
    with turn(cloud):
        _demand_alive(cloud, [rows])
        change = cloud.change(_said(cloud, "replace-block", [rows]))
        packed = [pack(label, points, cloud.view.codec) for label, points in by_label(rows.labels, rows.points)]
        put_block(cloud, change, rows.block, packed)
        _commit(cloud, change)


def delete_block(cloud: Cloud, block: str) -> None:
    """Delete all points of a block; nothing happens where it has none."""
    with turn(cloud):
        change = cloud.change(_said(cloud, "delete-block", [Rows(block, np.empty(0, np.uint64), cloud.kind.nothing)]))
        put_block(cloud, change, block, [])
        _commit(cloud, change)


def _demand_alive(cloud: Cloud, rows: Iterable[Rows]) -> None:
    """BadRequest where a label is that of a body, or of a supervoxel that was split: nobody would see its points.

    The caller holds the turn: what is split from now on is divided later.
    """
    source = cloud.segmentation()
    if source is None:
        return
    labels = np.unique(np.concatenate([np.empty(0, np.uint64), *(one.labels for one in rows)]))
    gone = labels[(source.bodies_of(labels) == 0) & (labels != 0)]
    if gone.size:
        raise BadRequest(f"label {gone[0]} is no supervoxel: points of a segmentation are stored by supervoxel")


def put_block(cloud: Cloud, change: Change, block: str, packed: Iterable[Packed]) -> None:
    """Add to an edit that a block holds this and nothing else. The caller holds the turn."""
    gone = set(cloud.labels_in(block))
    for one in packed:
        gone.discard(one.label)
        _put_packed(cloud, change, block, one)
    for label in gone:
        _drop(cloud, change, block, label)


def move(cloud: Cloud, change: Change, block: str, label: int, parts: Iterable[tuple[int, Points]]) -> None:
    """Add to an edit that the points of a label in a block are these labels'. The caller holds the turn."""
    targets = set()
    for target, points in parts:
        before = cloud.kind.nothing if target == label else cloud.part(target, block)
        _put(cloud, change, block, target, in_order(np.concatenate((before, points))))
        targets.add(target)
    if label not in targets:
        _drop(cloud, change, block, label)


def _drop(cloud: Cloud, change: Change, block: str, label: int) -> None:
    place = place_of(label, block)
    for key in (SUMMARY + place, POINTS + place, held_key(label, block)):
        cloud.view.delete(change, key)


def _put(cloud: Cloud, change: Change, block: str, label: int, points: Points) -> None:
    _put_packed(cloud, change, block, pack(label, points, cloud.view.codec))


def _put_packed(cloud: Cloud, change: Change, block: str, packed: Packed) -> None:
    place = place_of(packed.label, block)
    cloud.view.put_stored(change, SUMMARY + place, packed.summary)
    if packed.is_large:
        cloud.view.put(change, POINTS + place, packed.points)
    else:
        cloud.view.put_stored(change, POINTS + place, packed.points)
    cloud.view.put(change, held_key(packed.label, block), b"")


def _commit(cloud: Cloud, change: Change) -> None:
    try:
        cloud.view.commit(change)
    except DvidError:
        cloud.view.forget(change)
        raise


def _said(cloud: Cloud, action: str, rows: Iterable[Rows]) -> Raw:
    """What the mutation log says of an edit."""
    rows = list(rows)
    said: dict[str, Any] = {
        "Action": action,
        "Blocks": [one.block for one in rows],
        "Points": sum(len(one.points) for one in rows),
        "UUID": cloud.version_uuid,
        "Timestamp": datetime.now(UTC).isoformat(sep=" "),
    }
    return Raw(orjson.dumps(said))


# ---------------------------------------------------------------------- what is posted
def rows_of(labels: Labels, blocks: list[str] | str, points: Points) -> list[Rows]:
    """Points with their labels, each in its block or all in one -> block by block."""
    if isinstance(blocks, str):
        return [Rows(blocks, labels, points)]
    names, which = np.unique(np.array(blocks, object), return_inverse=True)
    return [Rows(str(name), labels[at], points[at]) for name, at in zip(names, _places(which, len(names)), strict=True)]


def _places(which: NDArray[np.int64], count: int) -> list[NDArray[np.int64]]:
    order = np.argsort(which, kind="stable")
    return np.split(order, np.searchsorted(which[order], np.arange(1, count)))
