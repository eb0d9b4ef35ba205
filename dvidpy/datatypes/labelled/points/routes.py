"""Routes of labels at points and of supervoxels' bodies."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Annotated

import numpy as np
import orjson
from fastapi import Path, Query

from dvidpy.datatypes.base import Here
from dvidpy.datatypes.exchange import JSON, Reply, json_reply
from dvidpy.datatypes.labelled.asked import AT_ONCE, on_worker
from dvidpy.datatypes.labelled.instance import LabelMap
from dvidpy.datatypes.labelled.options import Hash, Scale, Supervoxels, demand_hash
from dvidpy.datatypes.labelled.points.reading import bodies_of, is_quick, label_at, labels_at, parse_points
from dvidpy.datatypes.labelled.raw.reading import begin
from dvidpy.datatypes.labels.numbers import parse_labels
from dvidpy.datatypes.params import Flag, gives, takes
from dvidpy.datatypes.rooms import Parse, Room, WholeBody, at_once
from dvidpy.geometry import Zyx, parse_point
from dvidpy.kernels.label_blocks import Labels

room = Room()

Coordinate = Annotated[Zyx, Path(description="Voxel of the scale, x_y_z.", examples=["10_20_30"]), Parse(parse_point)]


@room.get(
    "/label/{coord}",
    summary="Label of a voxel",
    responses=gives("Its body or supervoxel", "application/json", {"Label": 23}),
)
@at_once
def get_label(
    data: Annotated[LabelMap, Here], coord: Coordinate, scale: Scale = 0, supervoxels: Supervoxels = False
) -> Reply:
    """0 where nothing was written."""
    return json_reply({"Label": label_at(data, coord, scale=scale, supervoxels=supervoxels)})


@room.get(
    "/labels",
    summary="Labels of many voxels",
    openapi_extra=takes("x, y, z of each voxel of the scale", "application/json", [[10, 20, 30], [11, 20, 30]]),
    responses=gives("Of each its body or supervoxel", "application/json", [23, 911]),
)
def get_labels(
    data: Annotated[LabelMap, Here],
    body: Annotated[bytes, WholeBody],
    scale: Scale = 0,
    supervoxels: Supervoxels = False,
    hash: Hash = "",  # noqa: A002  # its name on the wire
) -> Reply:
    """In the order asked; 0 where nothing was written."""
    demand_hash(body, hash)
    points = parse_points(body)
    return _list_reply(labels_at(begin(data, scale=scale, supervoxels=supervoxels), points))


@room.get(
    "/mapping",
    summary="Bodies of supervoxels",
    openapi_extra=takes("Supervoxels", "application/json", [23, 911]),
    responses=gives("Of each its body", "application/json", [23, 0]),
)
@at_once
def get_mapping(
    data: Annotated[LabelMap, Here],
    body: Annotated[bytes, WholeBody],
    nolookup: Annotated[bool, Query(description="`true`: do not look whether they exist."), Flag] = False,
    hash: Hash = "",  # noqa: A002  # its name on the wire
) -> Reply | Awaitable[Reply]:
    """0 for a supervoxel that was split, for the label of a cleaved or renumbered body, and for one that no index has.
    The last is not looked for with `nolookup`: it is then a body of its own.
    """
    if len(body) > AT_ONCE:
        return on_worker(data, lambda: _mapped(data, _supervoxels(body, hash), verify=not nolookup))
    supervoxels = _supervoxels(body, hash)
    if nolookup or is_quick(data, data.bodies(), supervoxels):
        return _mapped(data, supervoxels, verify=not nolookup)
    return on_worker(data, lambda: _mapped(data, supervoxels, verify=True))


def _supervoxels(body: bytes, md5: str) -> Labels:
    demand_hash(body, md5)
    return np.array(parse_labels(body), np.uint64)


def _mapped(data: LabelMap, supervoxels: Labels, *, verify: bool) -> Reply:
    return _list_reply(data.steady(lambda still, bodies: bodies_of(still, bodies, supervoxels, verify=verify)))


def _list_reply(labels: Labels) -> Reply:
    return Reply(orjson.dumps(np.ascontiguousarray(labels), option=orjson.OPT_SERIALIZE_NUMPY), JSON)
