"""What `dvidpy check` looks at: values that make sense, and rows of one label and block that belong together."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import msgspec
import numpy as np

from dvidpy.datatypes.events import subject_of
from dvidpy.datatypes.pointcloud.instance import Cloud
from dvidpy.datatypes.pointcloud.keys import (
    HELD,
    MERGED,
    OPEN,
    ORDER,
    POINTS,
    SUMMARY,
    held_key,
    label_span,
    parse_held,
    parse_place,
    place_of,
)
from dvidpy.datatypes.pointcloud.packing import Kind, decode, decode_summary, in_order, summary_of
from dvidpy.datatypes.pointcloud.voxels import Order
from dvidpy.errors import StoreError
from dvidpy.storage.keys import after
from dvidpy.versioning.datastore import Datastore
from dvidpy.versioning.duties import Kept
from dvidpy.versioning.records import Instance

SHOWN = 5


def judge(kept: Kept) -> Iterator[str]:
    """What is wrong with a stored value."""
    try:
        yield from _judge(
            kept, Kind(np.dtype(kept.instance.settings["PointType"]), kept.instance.settings["Dimensions"])
        )
    except (ValueError, StoreError, msgspec.DecodeError) as error:
        yield f"this makes no sense: {error}"


def _judge(kept: Kept, kind: Kind) -> Iterator[str]:
    key = kept.typekey
    if key[:1] == HELD:
        if held_key(*parse_held(key)) != key:
            yield "this is no key of a block's label"
    elif key == ORDER:
        msgspec.json.decode(kept.read(), type=Order)
    elif key[:1] in (OPEN, MERGED):
        if kept.read():
            yield "this note has more than its name"
    elif key[:1] in (SUMMARY, POINTS):
        if key[:1] + place_of(*parse_place(key)) != key:
            yield "this is no key of a label's block"
        if key[:1] == SUMMARY:
            decode_summary(kept.read(), kind)
        else:
            points = decode(kept.read(), kind)
            if not len(points) or len(in_order(points)) != len(points):
                yield "these points are none, or one of them is there twice"


def faults(datastore: Datastore, instance: Instance) -> Iterator[str]:
    """Rows of a label and block that do not belong together, in any version that wrote some."""
    for node in datastore.catalogue.repo(instance.repo).nodes.values():
        cloud = subject_of(datastore, instance.number, node.version)
        if isinstance(cloud, Cloud) and (instance.versioned or node.version == instance.root_version):
            yield from (f"version {node.version}: {fault}" for fault in islice(_disagreeing(cloud.frozen()), SHOWN))


def _disagreeing(cloud: Cloud) -> Iterator[str]:
    held = {parse_held(key) for key in cloud.view.keys(HELD, after(HELD))}
    with_points = {parse_place(key) for key in cloud.view.keys(*label_span(POINTS, 0))}
    for key, stored in cloud.view.range(*label_span(SUMMARY, 0)):
        place = parse_place(key)
        is_whole = place in held and place in with_points
        held.discard(place)
        with_points.discard(place)
        if not is_whole:
            yield f"label {place[0]} in block {place[1]!r} has no points, or its block does not say so"
        elif stored.read() != summary_of(cloud.part(*place)).encode():
            yield f"what is said of label {place[0]} in block {place[1]!r} is not true of its points"
    for label, block in sorted(held | with_points):
        yield f"label {label} in block {block!r} has rows that nothing is said of"
