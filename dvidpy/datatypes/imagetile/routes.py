"""Routes of metadata, of single tiles, and of the making of tiles."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Annotated

from fastapi import Path, Query

from dvidpy.datatypes.base import Here
from dvidpy.datatypes.exchange import DONE, Call, Reply, json_reply
from dvidpy.datatypes.imagetile import tiles
from dvidpy.datatypes.imagetile.generation import ANYWHERE, Span, make_order, parse_planes, start
from dvidpy.datatypes.imagetile.instance import ImageTile, progress
from dvidpy.datatypes.imagetile.keys import Tile, parse_tile
from dvidpy.datatypes.imagetile.levels import Levels, metadata_of, parse_levels, parse_metadata
from dvidpy.datatypes.params import Flag, gives, gives_any, takes
from dvidpy.datatypes.rooms import Room, TheCall, WholeBody, at_once
from dvidpy.datatypes.settings import read_json
from dvidpy.datatypes.voxels.kinds import UINT8
from dvidpy.datatypes.voxels.pictures import parse_format, picture
from dvidpy.errors import BadRequest, NotFound
from dvidpy.geometry import parse_integers
from dvidpy.storage.keys import cell

room = Room()

LEVELS = {
    "0": {"Resolution": [10.0, 10.0, 10.0], "TileSize": [512, 512, 512]},
    "1": {"Resolution": [20.0, 20.0, 20.0], "TileSize": [512, 512, 512]},
}
METADATA = {"MinTileCoord": [0, 0, 0], "MaxTileCoord": [5, 5, 4], "Levels": LEVELS}
AT_ONCE = 1 << 18
"""Stored bytes that are sent from the event loop."""

Dims = Annotated[str, Path(description="xy, xz or yz (or 0_1, 0_2, 1_2).", examples=["xy"])]
Scale = Annotated[str, Path(description="0 for the original resolution, then coarser.", examples=["0"])]
Coord = Annotated[
    str,
    Path(
        description="x_y_z: counts tiles along the axes of the plane, voxels of full resolution along the other.",
        examples=["10_10_20"],
    ),
]
NoBlanks = Annotated[bool, Query(description="`true`: 404 where there is no tile."), Flag]
TileFormat = Annotated[str, Path(description="Of a black tile: png, jpg, jpg:80, tif or bmp.", examples=["png"])]
PICTURE = gives_any("The picture", "image/png", "image/jpeg", "image/tiff", "image/bmp")


# ---------------------------------------------------------------------- metadata
@room.get(
    "/metadata", summary="Scales and extents", responses=gives("As they were posted", "application/json", METADATA)
)
@at_once
def get_metadata(data: Annotated[ImageTile, Here]) -> Reply:
    """400 before any were posted, or tiles generated."""
    data.demand_levels()
    return json_reply(data.metadata())


@room.post(
    "/metadata",
    summary="Set scales and extents",
    openapi_extra=takes("Extents in tiles of level 0, and the levels", "application/json", METADATA),
    responses=gives("Stored", "text/plain", ""),
)
def post_metadata(data: Annotated[ImageTile, Here], body: Annotated[bytes, WholeBody]) -> Reply:
    """Levels are numbered from 0, each a whole multiple of the one before. All versions share them; tiles stay."""
    data.set_metadata(parse_metadata(body))
    return DONE


@room.post("/info", summary="Nothing can be changed", responses=gives("As GET", "application/json", {}))
def post_info(data: Annotated[ImageTile, Here]) -> Reply:
    """Answers as GET does; what can be changed is posted to metadata."""
    return json_reply(data.info())


# ---------------------------------------------------------------------- tiles
@room.get("/tile/{dims}/{scale}/{coord}", summary="A tile", responses=PICTURE)
@at_once
def get_tile(
    data: Annotated[ImageTile, Here],
    call: Annotated[Call, TheCall],
    dims: Dims,
    scale: Scale,
    coord: Coord,
    noblanks: NoBlanks = False,
) -> Reply | Awaitable[Reply]:
    """As it was posted or made, PNG or JPEG; of format lz4 as PNG. Where there is none, a black one in PNG."""
    return _tile(data, call, parse_tile(dims, scale, coord), "", noblanks)


@room.get("/tile/{dims}/{scale}/{coord}/{format}", summary="A tile, black ones in a format", responses=PICTURE)
@at_once
def get_tile_as(
    data: Annotated[ImageTile, Here],
    call: Annotated[Call, TheCall],
    dims: Dims,
    scale: Scale,
    coord: Coord,
    format: TileFormat,  # noqa: A002  # its name in the path
    noblanks: NoBlanks = False,
) -> Reply | Awaitable[Reply]:
    """The format is that of black tiles alone: stored ones come as they are."""
    return _tile(data, call, parse_tile(dims, scale, coord), format, noblanks)


def _tile(data: ImageTile, call: Call, tile: Tile, form: str, noblanks: bool) -> Reply | Awaitable[Reply]:
    data.demand_levels()
    wanted = parse_format(form)
    found = data.view.find(tile.key())
    if found is not None:
        if found.manifest is None and len(found.stored) <= AT_ONCE and data.form != "lz4":
            return Reply(*tiles.shown(data.form, found.read()))
        return call.on_worker(lambda: Reply(*tiles.shown(data.form, data.find(tile) or b"")))
    if noblanks:
        raise NotFound(f"there is no tile {tile}")
    blank = data.blank(tile)
    return call.on_worker(picture, UINT8, blank, wanted)


@room.post(
    "/tile/{dims}/{scale}/{coord}",
    summary="Write a tile",
    openapi_extra=takes("A picture: PNG; JPEG of format jpg; either of format lz4", "image/png"),
    responses=gives("Stored", "text/plain", ""),
)
def post_tile(
    data: Annotated[ImageTile, Here],
    body: Annotated[bytes, WholeBody],
    dims: Dims,
    scale: Scale,
    coord: Coord,
) -> Reply:
    """Replaces the tile in this version. A picture that is damaged, or larger than tiles of its scale, is refused."""
    data.put(parse_tile(dims, scale, coord), body)
    return DONE


@room.get(
    "/tilekey/{dims}/{scale}/{coord}",
    summary="Key of a tile in the store",
    responses=gives("In hexadecimal digits", "application/json", {"key": "10000000010101000080000005"}),
)
@at_once
def get_tilekey(data: Annotated[ImageTile, Here], dims: Dims, scale: Scale, coord: Coord) -> Reply:
    """The key under which this version itself keeps the tile, whether it has it or not."""
    key = data.view.prefix + parse_tile(dims, scale, coord).key() + cell(data.version)
    return json_reply({"key": key.hex()})


# ---------------------------------------------------------------------- making tiles
def _parse_span(text: str) -> Span:
    """Two numbers with a comma between them, first,last; BadRequest where that is no range."""
    first, last = parse_integers(text, 2, ",")
    if first > last:
        raise BadRequest(f"{text[:40]!r} is no range: the first number is the smaller one")
    return first, last


Planes = Annotated[str, Query(description="Planes with semicolons between them, xy;yz; all three without.")]
Xs = Annotated[str | None, Query(description="first,last: only yz tiles of these x.", examples=["100,700"])]
Ys = Annotated[str | None, Query(description="first,last: only xz tiles of these y.", examples=["100,700"])]
Zs = Annotated[str | None, Query(description="first,last: only xy tiles of these z.", examples=["100,700"])]


@room.post(
    "/generate",
    summary="Make the tiles from the source",
    openapi_extra=takes(
        "Levels; without a body tiles of 512 pixels, each level twice as coarse", "application/json", LEVELS
    ),
    responses=gives(
        "Metadata, and how far it is", "application/json", {**METADATA, "Generating": {"Done": 0, "Total": 12}}
    ),
)
def post_generate(
    data: Annotated[ImageTile, Here],
    body: Annotated[bytes, WholeBody],
    planes: Planes = "",
    xrange: Xs = None,
    yrange: Ys = None,
    zrange: Zs = None,
) -> Reply:
    """An addition: in the reference a command of its program. Goes on in the background, over restarts; `info` shows
    how far it is. The version cannot be committed before its end.
    """
    z, y, x = (ANYWHERE if text is None else _parse_span(text) for text in (zrange, yrange, xrange))
    order = make_order(data, _levels(body), parse_planes(planes), (z, y, x))
    task = start(data, order)
    return json_reply({**metadata_of(order.levels, order.extents), "Generating": progress(task)})


def _levels(body: bytes) -> Levels | None:
    if not body.strip():
        return None
    given = read_json(body)
    whole = isinstance(given, dict) and "Levels" in given
    return parse_levels(given["Levels"] if whole else given)
