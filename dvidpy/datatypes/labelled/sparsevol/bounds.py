"""The part of a sparse volume that a request asks for: minx, maxx, miny, … among its query values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dvidpy.datatypes.labels.runs import EVERYWHERE
from dvidpy.geometry import Box, box_between, parse_integer

_AXES = "zyx"


def _parameter(name: str, description: str, schema: str = "integer") -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "description": description, "schema": {"type": schema}}


BOUNDS: list[dict[str, Any]] = [
    _parameter(f"{end}{axis}", f"{word} {axis} of a voxel, itself included.")
    for axis in "xyz"
    for end, word in (("min", "Smallest"), ("max", "Largest"))
]
"""Documentation of the bounds."""


def read_bounds(query: Mapping[str, str]) -> Box:
    """The voxels asked for, all of them without bounds; without any where they contradict. BadRequest for words."""
    start, stop = [], []
    for axis, low, size in zip(_AXES, *EVERYWHERE, strict=True):
        first, last = query.get(f"min{axis}"), query.get(f"max{axis}")
        start.append(parse_integer(first) if first else low)
        stop.append(max(parse_integer(last) + 1 if last else low + size, start[-1]))
    return box_between(start, stop)
