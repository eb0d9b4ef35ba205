"""Segmentations: voxels as bodies, and what is asked and changed of these. Labels are uint64."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Any, NamedTuple

import lz4.block
import numpy as np
from numpy.typing import ArrayLike, NDArray

from dvidpy.client.boxes import Box
from dvidpy.client.volumes import Image

Labels = NDArray[np.uint64]
LISTED = 1_000_000
"""Labels of a page."""


class Mesh(NamedTuple):
    """A surface."""

    points: NDArray[np.float32]
    """(n, 3) nanometers x, y, z."""
    triangles: NDArray[np.uint32]
    """(m, 3)."""


class LabelMap(Image):
    """Bodies of a labelmap (or labelarray, labelblk) at one scale; of `supervoxels()` those."""

    as_supervoxels = False

    @property
    def dtype(self) -> np.dtype[Any]:
        """uint64."""
        return np.dtype(np.uint64)

    def scale(self, number: int) -> LabelMap:
        """The same volume, its sides halved so often."""
        other = super().scale(number)
        assert isinstance(other, LabelMap)
        other.as_supervoxels = self.as_supervoxels
        return other

    def supervoxels(self) -> LabelMap:
        """The same volume of supervoxels, as they are stored."""
        other = LabelMap(self.line, self.uuid, self.name, self.progress)
        other.scale_number, other.as_supervoxels = self.scale_number, True
        return other

    def _get(self, box: Box, *, stored: bool = False) -> NDArray[Any]:
        plainly = box.shape == self.block  # one block that was never written is refused where it is to be packed
        query = {"scale": str(self.scale_number)} | ({} if plainly else {"compression": "lz4"})
        if stored or self.as_supervoxels:
            query["supervoxels"] = "true"
        said = self.ask("GET", f"raw/0_1_2/{box.words()}", query=query)
        whole = said if plainly else lz4.block.decompress(said, uncompressed_size=8 * box.volume)
        return np.frombuffer(whole, "<u8").reshape(box.shape)

    def _stored(self, box: Box) -> NDArray[Any]:
        return self._get(box, stored=True).copy()

    # ------------------------------------------------------------------ questions
    def labels_at(self, points_zyx: ArrayLike) -> Labels:
        """Bodies (or supervoxels) at (n, 3) voxels z, y, x of this scale; 0 for background."""
        points = np.asarray(points_zyx, np.int64).reshape(-1, 3)
        query = {"scale": str(self.scale_number)} | ({"supervoxels": "true"} if self.as_supervoxels else {})
        return _labels(self.json("GET", "labels", points[:, ::-1].tolist(), query))

    def mapping(self, supervoxels: Iterable[int]) -> Labels:
        """Body of each supervoxel; 0 for one that is none."""
        return _labels(self.json("GET", "mapping", [*map(int, supervoxels)]))

    def sizes(self, bodies: Iterable[int]) -> NDArray[np.int64]:
        """Voxels of each body (or supervoxel); 0 where there is none."""
        query = {"supervoxels": "true"} if self.as_supervoxels else {}
        return np.array(self.json("GET", "sizes", [*map(int, bodies)], query), np.int64)

    def supervoxels_of(self, body: int) -> Labels:
        """Supervoxels of a body, ascending."""
        return _labels(self.json("GET", f"supervoxels/{int(body)}"))

    def bodies(self, first: int = 1) -> Any:
        """All bodies from a label on, as a pyarrow table: body (uint64), voxels (uint64)."""
        import pyarrow as pa

        rows = []
        while True:
            query = {"start": str(first), "number": str(LISTED), "sizes": "true"}
            page = np.frombuffer(self.ask("GET", "listlabels", query=query), "<u8").reshape(-1, 2)
            rows.append(page)
            if len(page) < LISTED:
                break
            first = int(page[-1, 0]) + 1
        whole = np.concatenate(rows)
        return pa.table({"body": np.ascontiguousarray(whole[:, 0]), "voxels": np.ascontiguousarray(whole[:, 1])})

    def body_voxels(self, body: int) -> NDArray[np.int32]:
        """(n, 3) z, y, x of the voxels of a body at this scale, in that order."""
        query = {"scale": str(self.scale_number), "format": "srles"}
        runs = np.frombuffer(self.ask("GET", f"sparsevol/{int(body)}", query=query), "<i4").reshape(-1, 4)
        runs = runs[np.lexsort(runs[:, :3].T)]
        lengths = runs[:, 3]
        out = np.repeat(runs[:, 2::-1], lengths, axis=0)
        begun = np.repeat(np.cumsum(lengths) - lengths, lengths)
        out[:, 2] += (np.arange(len(out)) - begun).astype(np.int32)
        return out

    def mesh(self, body: int, scale: int | None = None) -> Mesh:
        """The surface of a body, as the server makes it."""
        query = {} if scale is None else {"scale": str(scale)}
        said = self.ask("GET", f"mesh/{int(body)}", query=query)
        count = struct.unpack_from("<I", said)[0]
        points = np.frombuffer(said, "<f4", 3 * count, 4).reshape(-1, 3)
        return Mesh(points, np.frombuffer(said, "<u4", offset=4 + 12 * count).reshape(-1, 3))

    def skeleton(self, body: int, scale: int | None = None) -> bytes:
        """The skeleton of a body as SWC in voxels at full resolution."""
        query = {"format": "swc"} | ({} if scale is None else {"scale": str(scale)})
        return self.ask("GET", f"skeleton/{int(body)}", query=query)

    # ------------------------------------------------------------------ edits
    def merge(self, target: int, *bodies: int) -> int:
        """Bodies become part of a target; id of the mutation."""
        found = self.json_or_nothing("POST", "merge", [int(target), *map(int, bodies)])
        return int(found["MutationID"]) if found else 0

    def cleave(self, body: int, supervoxels: Iterable[int]) -> int:
        """Supervoxels become a body of their own; its label."""
        return int(self.json("POST", f"cleave/{int(body)}", [*map(int, supervoxels)])["CleavedLabel"])

    def renumber(self, pairs: Iterable[tuple[int, int]]) -> None:
        """Bodies get other labels: (new, old) each."""
        self.ask("POST", "renumber", [int(label) for pair in pairs for label in pair])

    def split_supervoxel(self, supervoxel: int, voxels_zyx: ArrayLike) -> dict[str, int]:
        """A supervoxel becomes two: what lies at (n, 3) voxels, and the rest. The answer has both labels."""
        found: dict[str, int] = self.json("POST", f"split-supervoxel/{int(supervoxel)}", runs_of(voxels_zyx))
        return found


def runs_of(voxels_zyx: ArrayLike) -> bytes:
    """(n, 3) voxels z, y, x -> the `rles` format, in which splits are asked for."""
    voxels = np.unique(np.asarray(voxels_zyx, np.int32).reshape(-1, 3), axis=0)
    follows = (voxels[1:, :2] == voxels[:-1, :2]).all(axis=1) & (voxels[1:, 2] == voxels[:-1, 2] + 1)
    first = np.flatnonzero(np.append(True, ~follows)) if len(voxels) else np.empty(0, np.intp)
    lengths = np.diff(np.append(first, len(voxels)))
    runs = np.column_stack((voxels[first, ::-1], lengths)).astype("<i4")
    return struct.pack("<4B2I", 0, 3, 0, 0, len(voxels), len(runs)) + runs.tobytes()


def _labels(given: list[int]) -> Labels:
    return np.array(given, np.uint64)
