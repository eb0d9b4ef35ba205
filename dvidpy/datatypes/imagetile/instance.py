"""Tiles of an imagetile instance, as one version sees them, and pictures stitched from them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from dvidpy.datatypes.base import Data
from dvidpy.datatypes.imagetile import tiles
from dvidpy.datatypes.imagetile.keys import LENGTH, TILE, Tile
from dvidpy.datatypes.imagetile.levels import Level, Levels, load_levels
from dvidpy.datatypes.imagetile.settings import FORMATS
from dvidpy.datatypes.voxels.cutting import paste
from dvidpy.datatypes.voxels.kinds import UINT8, Kind, Voxels
from dvidpy.datatypes.voxels.planes import Plane
from dvidpy.datatypes.voxels.reading import pixels_as
from dvidpy.errors import BadRequest, StoreError
from dvidpy.geometry import Box, Zyx
from dvidpy.versioning.duties import Kept
from dvidpy.versioning.queue import Task
from dvidpy.versioning.records import Instance

MAKE = "make tiles"
"""Kind of the tasks that make tiles (`generation`)."""
MOST_TILES = 1 << 14
"""Tiles that a stitched picture may need."""


class ImageTile(Data):
    """Tiles of three planes at several scales."""

    __slots__ = ()

    @property
    def form(self) -> str:
        """png, jpg or lz4."""
        return str(self.instance.settings["Format"])

    @property
    def levels(self) -> Levels:
        """Its scales; none before metadata was posted."""
        return load_levels(self.instance.settings["Levels"])

    def demand_levels(self) -> Levels:
        """The scales; BadRequest where there are none."""
        levels = self.levels
        if not levels:
            raise BadRequest(f"tile metadata of {self.instance.name!r} was not posted yet")
        return levels

    # ------------------------------------------------------------------ properties
    def metadata(self) -> dict[str, Any]:
        """Extents in tiles, and the scales."""
        settings = self.instance.settings
        return {name: settings[name] for name in ("MinTileCoord", "MaxTileCoord", "Levels")}

    def set_metadata(self, metadata: dict[str, Any]) -> None:
        """Replace those, for all versions."""

        def update(instance: Instance) -> dict[str, Any]:
            return {"settings": {**instance.settings, **metadata}}

        self.datastore.repos.update_instance(self.instance, update)

    def extended(self) -> dict[str, Any]:
        """Properties, in the reference's words; `Generating` while tiles of this version are being made."""
        settings = self.instance.settings
        task = self.generating()
        return {
            "Source": settings["Source"],
            **self.metadata(),
            "Placeholder": settings["Placeholder"],
            "Encoding": FORMATS[self.form],
            "Quality": 0,
            **({"Generating": progress(task)} if task else {}),
        }

    def generating(self) -> Task | None:
        """What is left to do of tiles being made for this version."""
        pending = self.datastore.stack_of(self.instance).queue.pending()
        own = (task for _, task in pending if task.kind == MAKE and task.instance == self.instance.number)
        return next((task for task in own if task.version == self.version), None)

    # ------------------------------------------------------------------ tiles
    def find(self, tile: Tile) -> bytes | None:
        """A stored tile; None where there is none."""
        return self.view.get(tile.key())

    def put(self, tile: Tile, body: bytes) -> None:
        """Store a posted picture; BadRequest where it cannot be that tile."""
        levels = self.levels
        change = self.change()
        self.view.put(change, tile.key(), tiles.take(self.form, body, _most(levels, tile)))
        self.view.commit(change)

    def blank(self, tile: Tile) -> Voxels:
        """(height, width) black pixels; BadRequest where there is no such scale."""
        levels = self.demand_levels()
        if tile.scale >= len(levels):
            raise BadRequest(f"there is no level {tile.scale}, but those from 0 to {len(levels) - 1}")
        return tile.plane.picture(np.zeros(levels[tile.scale].cell(tile.plane), np.uint8))

    # ------------------------------------------------------------------ stitching
    def stitch(
        self, plane: Plane, scale: int, level: Level, box: Box, kind: Kind, *, placeholders: bool = False
    ) -> Voxels:
        """(height, width) pixels of a box of a level, one voxel through the plane; black where no tile is."""
        cell = level.cell(plane)
        out = np.zeros(box.size, kind.dtype)
        for at in box.blocks(cell).points():
            tile = Tile(plane, scale, at)
            value = self.find(tile)
            if value is not None:
                pixels = tiles.read(self.form, kind, value)
            elif placeholders:
                pixels = placeholder(cell[plane.across], cell[plane.down], str(tile), kind)
            else:
                pixels = None
            if pixels is not None:
                place = (at[0] * cell[0], at[1] * cell[1], at[2] * cell[2])
                inside = np.expand_dims(pixels, plane.through)[: cell[0], : cell[1], : cell[2]]
                paste(out, box.start, inside, place)
        return plane.picture(out)


def _most(levels: Levels, tile: Tile) -> tuple[int, int] | None:
    """Width and height of the tiles of a scale; None where they are not known."""
    if tile.scale >= len(levels):
        return None
    cell = levels[tile.scale].cell(tile.plane)
    return cell[tile.plane.across], cell[tile.plane.down]


def demand_few_tiles(box: Box, cell: Zyx) -> None:
    """BadRequest where a picture needs too many tiles."""
    number = box.blocks(cell).volume
    if number > MOST_TILES:
        raise BadRequest(f"this needs {number} tiles; the server stitches {MOST_TILES} at most")


def progress(task: Task) -> dict[str, Any]:
    """How far the making of tiles is, in steps; why it stopped, if it did."""
    return {"Done": task.args["done"], "Total": task.args["total"], **({"Failed": task.failed} if task.failed else {})}


def placeholder(width: int, height: int, text: str, kind: Kind) -> Voxels:
    """(height, width) gray pixels that say which tile is missing."""
    from PIL import Image, ImageDraw

    picture = Image.new("L", (width, height), 64)
    draw = ImageDraw.Draw(picture)
    draw.rectangle((0, 0, width - 1, height - 1), outline=160)
    draw.text((4, 4), text.replace("/", "\n"), fill=255)
    return pixels_as(kind, picture)


# ---------------------------------------------------------------------- checking
def judge(kept: Kept) -> Iterator[str]:
    """What is wrong with a stored tile."""
    key = kept.typekey
    if key[:1] != TILE or len(key) != LENGTH or key[1] > 2:
        yield "this is no key of a tile"
        return
    form = kept.instance.settings["Format"]
    try:
        tiles.read(form, UINT8, kept.read())
    except StoreError as error:
        yield str(error)
