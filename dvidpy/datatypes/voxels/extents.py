"""Where an instance has voxels: the smallest and the largest point, both included, as [x, y, z]."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import Struct

from dvidpy.datatypes.settings import read_json
from dvidpy.errors import BadRequest
from dvidpy.geometry import HIGHEST, LOWEST, Box, Zyx, from_wire, to_wire


class Extents(Struct, frozen=True):
    """Both points, or none of them while there are no voxels."""

    MinPoint: list[int] | None = None
    MaxPoint: list[int] | None = None

    def grown(self, box: Box) -> Extents:
        """Wide enough for a box too."""
        return united([self, Extents(to_wire(box.start), [end - 1 for end in to_wire(box.stop)])])

    def holds(self, box: Box) -> bool:
        """Wide enough for a box already."""
        return self.grown(box) == self

    def halved(self, times: int) -> Extents:
        """Those of a volume whose sides were halved so often."""
        return Extents(*(corner and [at >> times for at in corner] for corner in (self.MinPoint, self.MaxPoint)))

    def shown(self) -> dict[str, Any]:
        """As `info` shows them."""
        return {"MinPoint": self.MinPoint, "MaxPoint": self.MaxPoint}

    def indices(self, block: Zyx) -> dict[str, Any]:
        """The blocks of both points, as `info` shows them."""
        low, high = self.MinPoint, self.MaxPoint
        return {"MinIndex": low and _index(low, block), "MaxIndex": high and _index(high, block)}

    def encode(self) -> bytes:
        """As stored."""
        return msgspec.json.encode(self)


def united(extents: Iterable[Extents]) -> Extents:
    """Wide enough for all of them."""
    lows, highs = [], []
    for one in extents:
        if one.MinPoint is not None and one.MaxPoint is not None:
            lows.append(one.MinPoint)
            highs.append(one.MaxPoint)
    if not lows:
        return Extents()
    return Extents(
        [min(along) for along in zip(*lows, strict=True)], [max(along) for along in zip(*highs, strict=True)]
    )


decode = msgspec.json.Decoder(Extents).decode
"""Stored extents -> Extents."""


def read_extents(body: bytes) -> Extents:
    """{"MinPoint": [x, y, z], "MaxPoint": [x, y, z]}; a missing point counts as 0, 0, 0. BadRequest otherwise."""
    given = read_json(body)
    if not isinstance(given, dict):
        raise BadRequest('expected {"MinPoint": [x, y, z], "MaxPoint": [x, y, z]}')
    lower = {key.lower(): value for key, value in given.items()}
    low, high = (_point(key, lower.get(key.lower(), [0, 0, 0])) for key in ("MinPoint", "MaxPoint"))
    if any(a > b for a, b in zip(low, high, strict=True)):
        raise BadRequest(f"MinPoint {low} lies beyond MaxPoint {high}")
    return Extents(low, high)


def _point(key: str, value: Any) -> list[int]:
    if isinstance(value, list) and len(value) == 3 and all(_is_coordinate(number) for number in value):
        return value
    raise BadRequest(f"{key} must be three whole numbers of 32 bits")


def _is_coordinate(number: Any) -> bool:
    return isinstance(number, int) and not isinstance(number, bool) and LOWEST <= number <= HIGHEST


def _index(point: list[int], block: Zyx) -> list[int]:
    return to_wire(Box(from_wire(point), (1, 1, 1)).blocks(block).start)
