"""A volume of Google's, as a googlevoxels instance shows it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from dvidpy.datatypes.base import Data
from dvidpy.datatypes.exchange import Call
from dvidpy.datatypes.googlevoxels.brainmaps import ask_subvolume, ask_tile, pieces
from dvidpy.datatypes.googlevoxels.geometry import Geometry, choose, finest, load_geometry, map_scales
from dvidpy.datatypes.voxels.cutting import paste
from dvidpy.datatypes.voxels.kinds import Voxels
from dvidpy.datatypes.voxels.pictures import Format
from dvidpy.datatypes.voxels.planes import Plane
from dvidpy.errors import BadRequest
from dvidpy.geometry import Box


class Wanted(NamedTuple):
    """A box of one of the volume's scales."""

    box: Box
    scale: int
    """Index of the geometry."""
    geometry: Geometry

    @property
    def inside(self) -> Box:
        """The part that the volume has."""
        return self.box.common(self.geometry.box)

    @property
    def whole(self) -> bool:
        """The volume has all of it."""
        return self.inside == self.box

    @property
    def outside(self) -> bool:
        """The volume has nothing of it."""
        return self.inside.volume == 0


class GoogleVoxels(Data):
    """A proxy of one volume; nothing of it is kept but its description."""

    __slots__ = ()

    @property
    def geometries(self) -> list[Geometry]:
        """Scales of the volume, in Google's order."""
        return [load_geometry(kept) for kept in self.instance.settings["Scales"]]

    @property
    def tile_size(self) -> int:
        """Pixels of a tile along each axis."""
        return int(self.instance.settings["TileSize"])

    def extended(self) -> dict[str, Any]:
        """Properties, in the reference's words; the key of the account is withheld."""
        geometries, side = self.geometries, self.tile_size
        best = finest(geometries)
        scales = map_scales(geometries)
        coarsest = max(int(name.partition(":")[2]) for name in scales)
        return {
            "VolumeID": self.instance.settings["VolumeID"],
            "MinTileCoord": [0, 0, 0],
            "MaxTileCoord": [math.ceil(length / side) for length in geometries[0].size],
            "TileSize": side,
            "GeomMap": scales,
            "Scales": [one.shown() for one in geometries],
            "HighResIndex": best,
            "Levels": {
                str(scale): {"Resolution": [p * 2**scale for p in geometries[best].pixel], "TileSize": [side] * 3}
                for scale in range(coarsest + 1)
            },
        }

    def wanted(self, plane: Plane | None, scale: int, box: Box) -> Wanted:
        """A box at a scale; BadRequest where there is no such scale, or the answer would have too many bytes."""
        geometries = self.geometries
        index = choose(map_scales(geometries), plane, scale)
        size = box.volume * geometries[index].itemsize
        if self.call is not None and size > self.call.limit:
            raise BadRequest(f"this asks for {size} bytes; the server gives at most {self.call.limit}")
        return Wanted(box, index, geometries[index])

    # ------------------------------------------------------------------ asking Google
    def picture(self, call: Call, wanted: Wanted, form: Format) -> Iterator[bytes]:
        """The part of a slice that the volume has, as a picture."""
        answer = ask_tile(*self._account, wanted.inside, wanted.scale, _options(form))
        call.until_sent.callback(answer.close)
        return pieces(answer, call.limit)

    def stack(self, call: Call, wanted: Wanted, form: Format) -> Iterator[bytes]:
        """A box as one picture."""
        answer = ask_subvolume(*self._account, wanted.box, wanted.scale, _options(form))
        call.until_sent.callback(answer.close)
        return pieces(answer, call.limit)

    def voxels(self, call: Call, wanted: Wanted) -> Iterator[bytes]:
        """The part of a box that the volume has, x fastest."""
        size = wanted.inside.volume * wanted.geometry.itemsize
        answer = ask_subvolume(*self._account, wanted.inside, wanted.scale)
        call.until_sent.callback(answer.close)
        return pieces(answer, call.limit, size)

    def padded(self, call: Call, wanted: Wanted) -> Voxels:
        """(z, y, x) voxels of a box, 0 outside the volume."""
        kind = wanted.geometry.kind
        if wanted.geometry.channels != 1:
            raise BadRequest("volumes of several channels are given as raw, and inside their bounds only")
        out = np.zeros(wanted.box.size, kind.dtype)
        if not wanted.outside:
            plain = b"".join(self.voxels(call, wanted))
            paste(
                out, wanted.box.start, np.frombuffer(plain, kind.dtype).reshape(wanted.inside.size), wanted.inside.start
            )
        return out

    @property
    def _account(self) -> tuple[str, str]:
        settings = self.instance.settings
        return settings["JWT"], settings["VolumeID"]


def _options(form: Format) -> dict[str, Any]:
    """As Google names them."""
    return {"imageFormat": "JPEG", "jpegQuality": form.quality} if form.name == "JPEG" else {"imageFormat": "PNG"}
