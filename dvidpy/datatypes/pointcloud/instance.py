"""Points by label and block, as one version sees them. Where the instance follows a segmentation, labels asked for are
bodies, and what is stored are points of supervoxels: merges and cleaves change answers, and nothing that is stored.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from copy import copy
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dvidpy.datatypes.base import Data
from dvidpy.datatypes.bodies import Segmented, followed
from dvidpy.datatypes.pointcloud.keys import (
    HELD,
    POINTS,
    SUMMARY,
    block_span,
    label_span,
    parse_held,
    parse_place,
    place_of,
)
from dvidpy.datatypes.pointcloud.packing import Box, Kind, Points, Summary, decode, decode_summary
from dvidpy.datatypes.settings import Given
from dvidpy.errors import BadRequest
from dvidpy.storage.keys import after
from dvidpy.versioning.found import Found

Labels = NDArray[np.uint64]
TYPES = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float32", "float64")
"""Types that points may have."""
MOST_DIMENSIONS = 64
LONGEST_BLOCK = 1000
"""Bytes of the name of a block."""


class Part(NamedTuple):
    """The points of one label in one block."""

    label: int
    block: str
    summary: Summary


class Cloud(Data):
    """Points of labels."""

    __slots__ = ()

    @property
    def kind(self) -> Kind:
        """What its points are."""
        settings = self.instance.settings
        return Kind(np.dtype(settings["PointType"]).newbyteorder("<"), int(settings["Dimensions"]))

    def extended(self) -> dict[str, Any]:
        """What its points are."""
        return {name: self.instance.settings[name] for name in ("PointType", "Dimensions")}

    def frozen(self) -> Cloud:
        """The same, unchanging."""
        other = copy(self)
        other.view = self.view.frozen()
        return other

    # ------------------------------------------------------------------ labels
    def segmentation(self) -> Segmented | None:
        """What says which supervoxels a body has; None where stored labels stand for themselves."""
        return next((found for found in followed(self) if isinstance(found, Segmented)), None)

    def stored_labels(self, label: int, *, supervoxels: bool = False) -> list[int]:
        """Labels whose points are those of a label, ascending."""
        source = None if supervoxels else self.segmentation()
        if source is None:
            return [label]
        found = source.supervoxels_of(label)
        own = np.array([label], np.uint64)  # of a body that has none of this number, points may have come as its own
        every: list[int] = np.unique(np.concatenate((found, own[source.bodies_of(own) == own]))).tolist()
        return every

    def labels(self, *, supervoxels: bool = False) -> Labels:
        """Labels that have points, ascending. Supervoxels that are no more are no body's."""
        seen: list[int] = []
        for key in self.view.keys(*label_span(SUMMARY, 0)):
            label = int.from_bytes(key[1:9], "big")
            if not seen or label != seen[-1]:
                seen.append(label)
        found = np.array(seen, np.uint64)
        source = None if supervoxels else self.segmentation()
        if source is None or not found.size:
            return found
        bodies = source.bodies_of(found)
        return np.unique(bodies[(bodies > 0) | (found == 0)])

    # ------------------------------------------------------------------ parts
    def parts(self, labels: Iterable[int], block: str | None = None) -> Iterator[Part]:
        """What is known of the points of stored labels, label by label and block by block; in one block if given."""
        kind = self.kind
        if block is not None:
            places = [(label, block) for label in labels]
            found = self.view.read_many(SUMMARY + place_of(*place) for place in places)
            for place, stored in zip(places, found, strict=True):
                if stored is not None:
                    yield Part(*place, decode_summary(_whole(stored), kind))
            return
        for key, value in self.view.ranges(label_span(SUMMARY, label, label) for label in labels):
            yield Part(*parse_place(key), decode_summary(value.read(), kind))

    def part(self, label: int, block: str) -> Points:
        """Points of a stored label in a block."""
        stored = self.view.get(POINTS + place_of(label, block))
        return self.kind.nothing if stored is None else decode(stored, self.kind)

    def points(self, parts: Iterable[Part], box: Box | None = None) -> Iterator[tuple[Part, Points]]:
        """(part, its points that lie in a box), without those that have none there. The view has to be frozen."""
        for part in parts:
            if box is not None and not part.summary.is_near(box):
                continue
            points = self.part(part.label, part.block)
            if box is not None and not part.summary.is_inside(box):
                points = _inside(points, box)
            if len(points):
                yield part, points

    def count(self, labels: Iterable[int]) -> int:
        """Number of points of stored labels; none is read."""
        return sum(part.summary.number for part in self.parts(labels))

    # ------------------------------------------------------------------ blocks
    def blocks_of(self, labels: Iterable[int]) -> list[str]:
        """Blocks that hold points of stored labels, in order."""
        return sorted(
            {parse_place(key)[1] for label in labels for key in self.view.keys(*label_span(SUMMARY, label, label))}
        )

    def blocks(self) -> Iterator[str]:
        """All blocks, in order."""
        last = None
        for key in self.view.keys(HELD, after(HELD)):
            block = parse_held(key)[1]
            if block != last:
                yield block
            last = block

    def labels_in(self, block: str) -> list[int]:
        """Stored labels with points in a block, ascending."""
        return [parse_held(key)[0] for key in self.view.keys(*block_span(block))]


def _whole(stored: bytes | Found) -> bytes:
    return stored.read() if isinstance(stored, Found) else stored


def _inside(points: Points, box: Box) -> Points:
    keep = np.ones(len(points), np.bool_)
    for axis, (first, end) in enumerate(zip(*box, strict=True)):
        keep &= _at_least(points[:, axis], first) & ~_at_least(points[:, axis], end)
    found: Points = points[keep]
    return found


def _at_least(column: NDArray[Any], bound: float) -> NDArray[np.bool_]:
    """Whether values are at least a bound, also one that their type does not hold."""
    if column.dtype.kind == "f":
        return np.asarray(column.astype(np.float64) >= bound)
    info, whole = np.iinfo(column.dtype), -int(-bound // 1)  # the smallest whole number that is not below it
    if whole > info.max or whole <= info.min:
        return np.full(len(column), whole <= info.min)
    return np.asarray(column >= column.dtype.type(whole))


# ---------------------------------------------------------------------- names and settings
def checked_block(name: str) -> str:
    """The name of a block; BadRequest for one that is empty, too long or no text."""
    try:
        size = len(name.encode())
    except UnicodeEncodeError:
        raise BadRequest("the name of a block is no UTF-8") from None
    if not 0 < size <= LONGEST_BLOCK:
        raise BadRequest(f"the name of a block has 1 to {LONGEST_BLOCK} bytes, not {size}")
    return name


def parse_box(text: str, dimensions: int) -> Box:
    """FIRST:END in the first coordinates, such as 0,0,0:64,64,64; BadRequest for anything else."""
    ends = [one.split(",") for one in text.split(":")]
    try:
        low, high = (tuple(_number(part) for part in one) for one in ends)
    except ValueError:
        raise BadRequest(f"{text[:80]!r} is no box, such as 0,0,0:64,64,64") from None
    if not len(low) == len(high) <= dimensions:
        raise BadRequest(f"a box has as many numbers in front of the colon as behind it, at most {dimensions}")
    return low, high


def _number(text: str) -> int | float:
    if not text.isascii() or len(text) > 40 or "_" in text:
        raise ValueError(text)
    try:
        return int(text)
    except ValueError:
        number = float(text)
        if not np.isfinite(number):
            raise ValueError(text) from None
        return number


def settings_of(given: Given) -> dict[str, Any]:
    """What an instance keeps; BadRequest for points that cannot be."""
    name, dimensions = (given.text("pointtype") or "int64").lower(), given.number("dimensions")
    dimensions = 3 if dimensions is None else dimensions
    if name not in TYPES:
        raise BadRequest(f"PointType {name[:40]!r} is none of {', '.join(TYPES)}")
    if not 1 <= dimensions <= MOST_DIMENSIONS:
        raise BadRequest(f"Dimensions must be 1 to {MOST_DIMENSIONS}, not {dimensions}")
    return {"PointType": name, "Dimensions": dimensions}


def each_once(labels: Sequence[int]) -> list[int]:
    """Labels that were asked for, each once, in that order."""
    return [*dict.fromkeys(labels)]
