"""Routes of segmentations: voxels, and what is known of bodies by the instances beside them."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Annotated, Any

import orjson
from fastapi import Path

from dvidpy.datatypes.base import Data, Here
from dvidpy.datatypes.bodies import Bodies
from dvidpy.datatypes.exchange import JSON, OCTETS, Call, Reply
from dvidpy.datatypes.labels.numbers import parse_number
from dvidpy.datatypes.params import gives
from dvidpy.datatypes.rooms import Room, TheCall, at_once
from dvidpy.datatypes.views.caching import kept_reply, small_reply
from dvidpy.datatypes.views.companions import (
    ANNOTATIONS,
    MESHES,
    SKELETONS,
    Files,
    find_files,
    find_notes,
    need_files,
)
from dvidpy.datatypes.views.precomputed import meshes, nothing, skeletons, volume_routes
from dvidpy.datatypes.views.precomputed.properties_routes import PROPERTIES, properties_reply
from dvidpy.datatypes.views.precomputed.volume_routes import INFO, info_reply
from dvidpy.datatypes.views.shapes.files import mesh_file
from dvidpy.datatypes.views.shapes.routes import MADE_OF
from dvidpy.datatypes.views.shapes.solids import Shaped
from dvidpy.datatypes.views.shapes.workshop import WORKSHOP, can_make
from dvidpy.errors import NotFound

room = Room(heads=True, routes=[*volume_routes.room.routes, *nothing.room.routes])
Subject = Annotated[Data, Here]


@room.get("/precomputed/info", summary="precomputed:// segmentation", responses=INFO)
def get_segmentation_info(data: Subject, call: Annotated[Call, TheCall]) -> Reply:
    """Bodies at all scales, read as precomputed://http://…/precomputed; with skeletons and properties where
    NAME_skeletons and NAME_annotations have them, or the instances that tags of these names name. Meshes are those
    of NAME_meshes, and made on request where it has none.
    """
    volume: Any = data
    there = {
        "mesh": find_files(data, MESHES) or _meshed(data),
        "skeletons": find_files(data, SKELETONS),
        "segment_properties": find_notes(data),
    }
    return info_reply(call, volume, {folder: folder for folder, found in there.items() if found is not None})


@room.get("/precomputed/segment_properties/info", summary="Segment properties", responses=PROPERTIES)
def get_segment_properties(data: Subject, call: Annotated[Call, TheCall]) -> Reply:
    """Fields of bodies in NAME_annotations, a neuronjson."""
    notes = find_notes(data)
    if notes is None:
        raise NotFound(f"{data.instance.name!r} has no {ANNOTATIONS} of bodies")
    return properties_reply(call, notes)


@room.get("/precomputed/mesh/info", summary="Meshes", responses=gives("Their format", "application/json", meshes.INFO))
def get_mesh_info(data: Subject, call: Annotated[Call, TheCall]) -> Reply:
    """Meshes in the legacy format, out of NAME_meshes or made on request."""
    if _meshed(data) is None:
        need_files(data, MESHES)
    return small_reply(call, orjson.dumps(meshes.INFO), JSON)


@room.get(
    "/precomputed/mesh/{name}",
    summary="Manifest or triangles of a mesh",
    responses=gives("Manifest, or float32 points in nanometers and triangles", "application/octet-stream"),
)
@at_once
def get_mesh(
    data: Subject,
    call: Annotated[Call, TheCall],
    name: Annotated[str, Path(description="BODY:0, or a file that a manifest names.", examples=["23:0"])],
) -> Awaitable[Reply]:
    """`BODY:0` is the JSON manifest: files N.ngmesh of the body, or of its supervoxels where NAME_meshes is a
    tarsupervoxels; else BODY.made, which is made on request. 404 where there is no such body, or no mesh.
    """
    if name.endswith(meshes.MADE):
        body = parse_number(name.removesuffix(meshes.MADE))
        also = f"{MADE_OF} {data.instance.settings.get('VoxelSize')}"
        return WORKSHOP.answer(
            lambda: kept_reply(call, [data], lambda: mesh_file(data, body, "ngmesh", None), OCTETS, also=also)
        )
    return call.pool.run(_kept_mesh, data, call, name)


def _kept_mesh(data: Data, call: Call, name: str) -> Reply:
    """A manifest, or a file that is kept."""
    files = find_files(data, MESHES) if _meshed(data) else need_files(data, MESHES)
    if not name.endswith(meshes.MANIFEST):
        found = need_files(data, MESHES)
        return kept_reply(call, meshes.sources_of(data, found)[:1], lambda: _need_file(found, name), OCTETS)
    body = parse_number(name.removesuffix(meshes.MANIFEST))
    sources = meshes.sources_of(data, files) if files is not None else []
    if not _meshed(data):
        return kept_reply(call, sources, lambda: orjson.dumps(_manifest(data, files, body)), JSON)
    sources = sources if data in sources else [*sources, data]
    return kept_reply(
        call, sources, lambda: orjson.dumps(_manifest(data, files, body)), JSON, also="instances that may come"
    )


def _manifest(data: Data, files: Files | None, body: int) -> dict[str, Any]:
    """Files that are kept, or else the one that is made."""
    bodies = data
    assert isinstance(bodies, Bodies)
    names = meshes.kept_names(bodies, files, body) if files is not None else []
    solid = _meshed(data)
    if not names and solid is not None and solid.find_solid(body) is not None:
        names = [f"{body}{meshes.MADE}"]
    if not names:
        raise NotFound(f"body {body} has no mesh")
    return {"fragments": names}


def _meshed(data: Data) -> Shaped | None:
    """The instance, where meshes of its bodies can be made."""
    return data if isinstance(data, Shaped) and data.knows_bodies and can_make("mesh") else None


@room.get(
    "/precomputed/skeletons/info",
    summary="Skeletons",
    responses=gives("Their format", "application/json", skeletons.INFO),
)
def get_skeletons_info(data: Subject, call: Annotated[Call, TheCall]) -> Reply:
    """Skeletons in nanometers with radii, out of NAME_skeletons."""
    need_files(data, SKELETONS)
    return small_reply(call, orjson.dumps(skeletons.INFO), JSON)


@room.get(
    "/precomputed/skeletons/{body}",
    summary="Skeleton of a body",
    responses=gives("Points, edges and radii", "application/octet-stream"),
)
def get_skeleton(
    data: Subject, call: Annotated[Call, TheCall], body: Annotated[str, Path(description="A body.", examples=["23"])]
) -> Reply:
    """Made of the SWC under the key BODY_swc, whose points are in voxels. 404 where there is none."""
    files, label = need_files(data, SKELETONS), parse_number(body)
    assert isinstance(files, Data)
    volume: Any = data
    resolution = volume.levels()[0].resolution

    def make() -> bytes:
        return skeletons.from_swc(_need_file(files, f"{label}_swc"), resolution)

    return kept_reply(call, [files], make, OCTETS, also=f"voxels of {resolution} nm")


def _need_file(files: Files, name: str) -> bytes:
    found = files.file(name)
    if found is None:
        raise NotFound(f"there is no {name[:80]!r}")
    return found
