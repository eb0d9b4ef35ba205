"""Clouds made of segmentations: a server's, and numpy's."""

from __future__ import annotations

from typing import Any

import numpy as np
from label_instances import Segments
from numpy.typing import NDArray
from served import Served

SIZE = (40, 32, 48)
Volume = NDArray[np.uint64]
Wanted = dict[int, list[list[int]]]


class Built:
    """A segmentation with blocks of 16 voxels a side, and the cloud that follows it."""

    def __init__(self, served: Served, levels: int = 1) -> None:
        self.served = served
        self.segments = Segments(served, levels=levels)
        self.path = served.instance(self.segments.root, "pc", "pointcloud", PointType="int32")
        self.post("sync", {"sync": "seg"})

    def post(self, what: str, body: Any = None, path: str = "", **query: Any) -> Any:
        answer = self.served.http.post(f"{path or self.path}/{what}", json=body, params=query)
        assert answer.status_code == 200, answer.text
        return answer

    def get(self, what: str, **query: Any) -> Any:
        answer = self.served.http.get(f"{self.path}/{what}", params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def build(self, **query: Any) -> None:
        self.post("build", **query)
        self.settle()

    def settle(self) -> None:
        assert self.get("info", wait="true")

    def clouds(self, **query: Any) -> Wanted:
        labels = self.get("labels", **query)
        found = {label: sorted(self.get(f"points/{label}", **query)) for label in labels}
        assert {label: self.get(f"count/{label}", **query)["Count"] for label in labels} == {
            label: len(points) for label, points in found.items()
        }
        return found


def voxels(labels_zyx: Volume, inside: NDArray[np.bool_] | None = None) -> Wanted:
    """Label -> its voxels x, y, z, sorted; only those inside."""
    keep = labels_zyx != 0 if inside is None else (labels_zyx != 0) & inside
    places = np.argwhere(keep)[:, ::-1].tolist()
    found: Wanted = {}
    for label, place in zip(labels_zyx[keep].tolist(), places, strict=True):
        found.setdefault(label, []).append(place)
    return {label: sorted(points) for label, points in sorted(found.items())}


def surface(labels_zyx: Volume) -> NDArray[np.bool_]:
    padded = np.pad(labels_zyx, 1)
    inner = (slice(1, -1),) * 3
    found: NDArray[np.bool_] = np.any(
        [np.roll(padded, step, axis)[inner] != labels_zyx for axis in range(3) for step in (1, -1)], axis=0
    )
    return found
