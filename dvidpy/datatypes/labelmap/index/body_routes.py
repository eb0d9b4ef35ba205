"""Routes of sizes, supervoxels and lists of bodies."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Awaitable
from typing import Annotated

import orjson
from fastapi import Query

from dvidpy.datatypes.base import Here
from dvidpy.datatypes.exchange import JSON, OCTETS, Reply, json_bytes, json_reply, pieces_reply
from dvidpy.datatypes.labelled.asked import (
    TAKES_LABELS,
    Label,
    OfSupervoxel,
    about_body,
    about_label,
    read_labels,
)
from dvidpy.datatypes.labelled.bodies import Body
from dvidpy.datatypes.labelled.instance import LabelMap
from dvidpy.datatypes.labelmap.index.listing import MOST, as_json, listed
from dvidpy.datatypes.labelmap.index.sizes import sizes_of
from dvidpy.datatypes.labels.numbers import parse_number
from dvidpy.datatypes.params import Flag, gives
from dvidpy.datatypes.rooms import Parse, Room, WholeBody, at_once
from dvidpy.errors import BadRequest

room = Room()


def parse_start(text: str) -> int:
    """The first label; an empty text is none."""
    return parse_number(text or "0")


def parse_count(text: str) -> int:
    """How many; an empty text is all."""
    return parse_number(text) if text else MOST


Hash = Annotated[str, Query(alias="hash", description="MD5 of the body, hexadecimal: 400 where it is another.")]
Start = Annotated[int, Query(description="Smallest label."), Parse(parse_start)]
Number = Annotated[int, Query(description=f"Labels to list, at most {MOST:,}."), Parse(parse_count)]
WithSizes = Annotated[bool, Query(description="`true`: each label is followed by its voxels."), Flag]


@room.get("/size/{label}", summary="Voxels of a body", responses=gives("Voxels", "application/json", {"voxels": 2314}))
@at_once
def get_size(
    data: Annotated[LabelMap, Here], label: Label, supervoxels: OfSupervoxel = False
) -> Reply | Awaitable[Reply]:
    """404 where there is no such body."""

    def answer(body: Body) -> Reply:
        return json_bytes(b'{"voxels": %d}' % body.voxels)

    return about_label(data, label, supervoxel=supervoxels, answer=answer)


@room.get(
    "/sizes",
    summary="Voxels of many bodies",
    openapi_extra=TAKES_LABELS,
    responses=gives("Voxels of each, 0 where there is none", "application/json", [19381, 308, 0]),
)
def get_sizes(
    data: Annotated[LabelMap, Here],
    body: Annotated[bytes, WholeBody],
    supervoxels: OfSupervoxel = False,
    digest: Hash = "",
) -> Reply:
    """In the order asked."""
    if digest and not hmac.compare_digest(
        hashlib.md5(body, usedforsecurity=False).hexdigest().encode(), digest.encode()
    ):
        raise BadRequest(f"the MD5 of the body is not {digest[:40]!r}")
    sizes = sizes_of(data, read_labels(body), supervoxels=supervoxels)
    return json_bytes(orjson.dumps(sizes, option=orjson.OPT_SERIALIZE_NUMPY))


@room.get(
    "/supervoxels/{label}",
    summary="Supervoxels of a body",
    responses=gives("Labels, ascending", "application/json", [12, 15, 204]),
)
@at_once
def get_supervoxels(data: Annotated[LabelMap, Here], label: Label) -> Reply | Awaitable[Reply]:
    """404 where there is no such body."""
    return about_body(data, label, lambda body: json_bytes(body.json[0]))


@room.get(
    "/supervoxel-sizes/{label}",
    summary="Supervoxels of a body and their voxels",
    responses=gives("Two lists", "application/json", {"supervoxels": [12, 15], "sizes": [100, 2000]}),
)
@at_once
def get_supervoxel_sizes(data: Annotated[LabelMap, Here], label: Label) -> Reply | Awaitable[Reply]:
    """Both lists in the same order; 404 where there is no such body."""
    return about_body(data, label, lambda body: json_bytes(b'{"supervoxels":%b,"sizes":%b}' % body.json))


@room.get(
    "/lastmod/{label}",
    summary="Last change of a body",
    responses=gives(
        "Mutation, user, app and time",
        "application/json",
        {"mutation id": 2314, "last mod user": "ann", "last mod app": "Neu3", "last mod time": "2026-02-01T12:13:14Z"},
    ),
)
@at_once
def get_lastmod(data: Annotated[LabelMap, Here], label: Label) -> Reply | Awaitable[Reply]:
    """404 where there is no such body."""

    def answer(body: Body) -> Reply:
        stamp = body.stamp
        return json_reply(
            {
                "mutation id": stamp.last_mutid,
                "last mod user": stamp.last_mod_user,
                "last mod app": stamp.last_mod_app,
                "last mod time": stamp.last_mod_time,
            }
        )

    return about_body(data, label, answer)


# ---------------------------------------------------------------------- lists
@room.get(
    "/listlabels",
    summary="Labels of bodies, in order",
    responses=gives("Little-endian uint64 of each label, or of each label and its voxels", OCTETS.decode()),
)
def get_listlabels(
    data: Annotated[LabelMap, Here], start: Start = 0, number: Number = MOST, sizes: WithSizes = False
) -> Reply:
    """To go on, ask from the last label on, plus one."""
    return pieces_reply(listed(data, start, number, sizes=sizes), OCTETS)


@room.get(
    "/existing-labels", summary="Labels of all bodies", responses=gives("Labels, ascending", "application/json", [1, 2])
)
def get_existing_labels(data: Annotated[LabelMap, Here]) -> Reply:
    """As a JSON list; no index is read."""
    return pieces_reply(as_json(data.labels()), JSON)
