"""Routes of meshes and skeletons that are made on request."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated

import orjson
from fastapi import Path, Query

from dvidpy.datatypes.base import Data, Here
from dvidpy.datatypes.exchange import JSON, OCTETS, TEXT, Call, Reply
from dvidpy.datatypes.labels.numbers import parse_number
from dvidpy.datatypes.params import gives, gives_any
from dvidpy.datatypes.rooms import Parse, Room, TheCall, at_once
from dvidpy.datatypes.views.caching import kept_reply, small_reply
from dvidpy.datatypes.views.precomputed import skeletons
from dvidpy.datatypes.views.shapes.files import MESHES, mesh_file, skeleton_file
from dvidpy.datatypes.views.shapes.workshop import WORKSHOP
from dvidpy.errors import BadRequest
from dvidpy.geometry import parse_integer

room = Room(heads=True)

SKELETONS = ("precomputed", "swc")
MADE_OF = "the size of voxels, and what makes shapes"
"""What answers depend on beside what is stored."""

Subject = Annotated[Data, Here]
Body = Annotated[int, Path(description="A body.", examples=["23"]), Parse(parse_number)]
Scale = Annotated[
    int | None,
    Query(description="0 is full resolution; without it the finest at which it has at most a million voxels."),
    Parse(parse_integer),
]


@room.get(
    "/mesh/{body}",
    summary="Mesh of a body, made on request",
    responses=gives_any("Points in nanometers and triangles", "application/octet-stream", "text/plain"),
)
@at_once
def get_mesh(
    data: Subject,
    call: Annotated[Call, TheCall],
    body: Body,
    form: Annotated[str, Query(alias="format", description="`ngmesh` (as without it), `obj` or `draco`.")] = "ngmesh",
    scale: Scale = None,
) -> Awaitable[Reply]:
    """The surface of its voxels, with fewer triangles where it is flat; kept until the body changes. 413 where the body
    is too large at that scale, 503 where too many wait, 404 where there is no such body or the server has no zmesh.
    """
    if form not in MESHES:
        raise BadRequest(f"{form[:40]!r} is no format of meshes; there are {', '.join(MESHES)}")
    media_type = TEXT if form == "obj" else OCTETS
    return _made(call, data, lambda: mesh_file(data, body, form, scale), media_type, f"{form} {scale}")


@room.get(
    "/skeleton/info",
    summary="precomputed:// skeletons, made on request",
    responses=gives("Their format", "application/json", skeletons.INFO),
)
def get_skeleton_info(data: Subject, call: Annotated[Call, TheCall]) -> Reply:
    """A source of skeletons of its own, to be added to any segmentation: precomputed://http://…/skeleton."""
    return small_reply(call, orjson.dumps(skeletons.INFO), JSON)


@room.get(
    "/skeleton/{body}",
    summary="Skeleton of a body, made on request",
    responses=gives_any("Points, edges and radii", "application/octet-stream", "text/plain"),
)
@at_once
def get_skeleton(
    data: Subject,
    call: Annotated[Call, TheCall],
    body: Body,
    form: Annotated[
        str, Query(alias="format", description="`precomputed` (as without it), in nanometers, or `swc`, in voxels.")
    ] = "precomputed",
    scale: Scale = None,
) -> Awaitable[Reply]:
    """Made by kimimaro of its voxels; kept until the body changes, and refused as a mesh is."""
    if form not in SKELETONS:
        raise BadRequest(f"{form[:40]!r} is no format of skeletons; there are {', '.join(SKELETONS)}")
    media_type = TEXT if form == "swc" else OCTETS
    return _made(call, data, lambda: skeleton_file(data, body, form, scale), media_type, f"{form} {scale}")


def _made(call: Call, data: Data, make: Callable[[], bytes], media_type: bytes, asked: str) -> Awaitable[Reply]:
    """The file, made in the workshop where the client does not have it."""
    also = f"{MADE_OF} {asked} {data.instance.settings.get('VoxelSize')}"
    return WORKSHOP.answer(lambda: kept_reply(call, [data], make, media_type, also=also))
