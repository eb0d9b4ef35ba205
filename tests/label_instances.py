"""Labelmap instances with voxels in them, and what numpy says of these."""

from __future__ import annotations

from typing import Any

import numpy as np
from label_examples import Volume
from numpy.typing import NDArray
from served import Served

from dvidpy.datatypes.labelled import blocks as stored_blocks
from dvidpy.datatypes.labelled.edits import editing
from dvidpy.datatypes.labelled.instance import LabelMap
from dvidpy.datatypes.labelled.intake import NewBlock, store_blocks
from dvidpy.datatypes.labels import blocks as codec
from dvidpy.datatypes.labels import index as indices
from dvidpy.geometry import Box
from dvidpy.versioning.catalogue import find_instance

Point = tuple[int, int, int]
Runs = NDArray[np.int64]


class Segments:
    """One instance: voxels go in behind the door, answers come over HTTP. Arrays are (z, y, x)."""

    def __init__(self, served: Served, block: int = 16, levels: int = 0, **settings: Any) -> None:
        self.served = served
        self.root = served.repo()
        given = {"BlockSize": f"{block},{block},{block}", "MaxDownresLevel": str(levels), **settings}
        self.path = served.instance(self.root, "seg", "labelmap", **given)

    def at(self, uuid: str = "") -> LabelMap:
        """The instance as a version sees it."""
        datastore = self.served.server.datastore
        place = datastore.catalogue.find(uuid or self.root)
        return LabelMap(datastore, *place, find_instance(place.repo, "seg"), None)

    def put(self, volume: Volume, start: Point = (0, 0, 0), uuid: str = "") -> None:
        """Store a volume that begins anywhere; other voxels of its blocks become background."""
        data = self.at(uuid)
        blocks = Box(start, volume.shape).blocks(data.block)
        whole = blocks.voxels(data.block)
        padded = np.zeros(whole.size, np.uint64)
        low = [at - first for at, first in zip(start, whole.start, strict=True)]
        padded[tuple(slice(at, at + side) for at, side in zip(low, volume.shape, strict=True))] = volume
        new = []
        for index in blocks.points():
            first = [(at - begin) * side for at, begin, side in zip(index, blocks.start, data.block, strict=True)]
            part = padded[tuple(slice(at, at + side) for at, side in zip(first, data.block, strict=True))]
            block = codec.from_volume(part)
            new.append(NewBlock(index, block, stored_blocks.pack(data, block), codec.count(block)))
        store_blocks(data, new, downres=data.scales > 0)

    def settle(self) -> None:
        """Wait for coarser scales."""
        data = self.at()
        data.datastore.stack_of(data.instance).queue.drain(data.version)

    def scaled(self, scale: int, box: Box) -> Volume:
        """Supervoxels of a box of the block grid of a scale."""
        data = self.at()
        whole = box.voxels(data.block)
        out = np.zeros(whole.size, np.uint64)
        for index, found in stored_blocks.walk(data, scale, box):
            start = Box(index, (1, 1, 1)).voxels(data.block).start
            codec.paste(stored_blocks.load(data, found), start, out, whole.start)
        return out

    def merge(self, target: int, *others: int, uuid: str = "") -> int:
        """Make bodies one; the mutation's id."""
        with editing(self.at(uuid)) as edit:
            found = [edit.need_index(label) for label in others]
            edit.put_index(indices.merged(edit.need_index(target), found))
            for one in found:
                edit.map(one.supervoxels, target)
                edit.put_index(indices.LabelIndex(one.label))
        return edit.mutation

    def get(self, what: str, **query: Any) -> bytes:
        """Body of an answer."""
        answer = self.served.http.get(f"{self.path}/{what}", params=query)
        assert answer.status_code == 200, answer.text
        return answer.content

    def ask(self, what: str, body: bytes = b"", method: str = "GET", **query: Any) -> Any:
        """An answer, whatever its status; also of a GET with a body."""
        return self.served.http.request(method, f"{self.path}/{what}", content=body, params=query or None)

    def status(self, what: str, body: bytes = b"", method: str = "GET", **query: Any) -> int:
        return int(self.ask(what, body, method, **query).status_code)


def runs_of(inside: NDArray[np.bool_], start: Point = (0, 0, 0)) -> Runs:
    """Runs x, y, z, length of (z, y, x) truths, in the order of z, y, x."""
    padded = np.pad(inside, ((0, 0), (0, 0), (1, 1))).astype(np.int8)
    edges = np.diff(padded, axis=2)
    first, last = np.argwhere(edges == 1), np.argwhere(edges == -1)
    found = np.column_stack((first[:, ::-1], last[:, 2] - first[:, 2]))
    found[:, :3] += np.array(start[::-1])
    return found


def in_order(runs: bytes) -> Runs:
    """Runs without a head -> in the order of z, y, x."""
    found = np.frombuffer(runs, "<i4").reshape(-1, 4).astype(np.int64)
    return found[np.lexsort(found[:, :3].T)]


def volume_with_bodies(seed: int, size: Point, labels: int = 6) -> Volume:
    """Boxes of labels over one another, some beyond 63 bits, with background between."""
    draw = np.random.default_rng(seed)
    out = np.zeros(size, np.uint64)
    names = [*range(1, labels), (1 << 63) + 5]
    for label in names * 3:
        low = [int(draw.integers(0, side)) for side in size]
        part = tuple(slice(at, at + int(draw.integers(1, side))) for at, side in zip(low, size, strict=True))
        out[part] = label
    speckled = draw.random(size) < 0.02
    out[speckled] = draw.choice(np.array(names, np.uint64), int(speckled.sum()))
    return out
