"""Instances that take voxels: what they are, and boxes of whole blocks read from them and written into them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from dvidpy.cli.client import Client, CommandError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Volume = npt.NDArray[np.generic]

Point = tuple[int, int, int]
KINDS = {"uint8": "u1", "uint16": "<u2", "uint32": "<u4", "uint64": "<u8", "float32": "<f4", "rgba8": "<u4"}
"""Kind of voxels -> dtype."""
LABELS = "labels"
"""Kind of the voxels of a labelmap, labelarray or labelblk."""
LABEL_TYPES = ("labelmap", "labelarray", "labelblk")


class Target(NamedTuple):
    """The instance that takes voxels."""

    client: Client
    path: str
    typename: str
    kind: str
    """One of KINDS, or LABELS."""
    block: Point
    extents: tuple[Point, Point] | None
    """Smallest and largest point, x, y, z; None while there are no voxels."""
    indexing: bool = True
    """Of labels: indices and coarser scales follow what is written."""

    def read(self, low: Point, high: Point) -> Volume:
        """(z, y, x) voxels from one point to another, which is outside; labels are supervoxels."""
        import numpy as np

        size = each(int.__sub__, high, low)
        query = {"supervoxels": "true"} if self.kind == LABELS else {}
        said = self.client.ask("GET", self._raw(size, low), query=query)
        return np.frombuffer(said, KINDS.get(self.kind, "<u8")).reshape(size[::-1]).copy()

    def write(self, low: Point, zyx: Volume) -> None:
        """Write whole blocks that begin at a point."""
        import numpy as np

        if not self.indexing:
            return self._write_blocks(low, zyx)
        depth, height, width = zyx.shape
        self.client.ask("POST", self._raw((width, height, depth), low), np.ascontiguousarray(zyx).tobytes())
        return None

    def _write_blocks(self, low: Point, zyx: Any) -> None:
        from dvidpy.cli.streams import block_stream

        stream = block_stream(zyx, each(int.__floordiv__, low, self.block), self.block)
        self.client.ask("POST", f"{self.path}/blocks", stream, {"noindexing": "true"})

    def _raw(self, size: Point, low: Point) -> str:
        return f"{self.path}/raw/0_1_2/{words_of(size)}/{words_of(low)}"


def target_of(client: Client, path: str, *, indexing: bool = True) -> Target:
    """An image, or labels; CommandError for another instance, or where indices are not to follow in an image."""
    info = client.json("GET", f"{path}/info")
    typename, extended = info["Base"]["TypeName"], info.get("Extended") or {}
    kind = LABELS if typename in LABEL_TYPES else typename.removesuffix("blk")
    if kind not in KINDS and kind != LABELS:
        raise CommandError(f"this takes an image, {', '.join(LABEL_TYPES)}, and not a {typename}")
    if kind != LABELS and not indexing:
        raise CommandError(f"proc=noindex is for {', '.join(LABEL_TYPES)}, and this is a {typename}")
    extents = None
    if extended.get("MinPoint"):
        extents = (tuple(extended["MinPoint"]), tuple(extended["MaxPoint"]))
    indexed = typename == "labelblk" or indexing  # which has no index, and takes no blocks
    return Target(client, path, typename, kind, tuple(extended["BlockSize"]), extents, indexed)


def each(work: Any, one: Point, other: Point) -> Point:
    """What some work makes of x, of y and of z of two points."""
    x, y, z = map(work, one, other)
    return x, y, z


def words_of(point: Point) -> str:
    """x_y_z."""
    return "_".join(map(str, point))


def parse_point(text: str) -> Point:
    """x,y,z or x_y_z; CommandError for anything else."""
    try:
        x, y, z = map(int, text.replace("_", ",").split(","))
    except ValueError:
        raise CommandError(f"{text!r} is no offset x,y,z") from None
    return x, y, z
