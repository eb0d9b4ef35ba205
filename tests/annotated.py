"""A segmentation, annotations that follow it, and counts of those, without HTTP: what tests of events are made of."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, cast

import numpy as np
import orjson
from numpy.typing import NDArray

from dvidpy.config import Settings, StoreSettings
from dvidpy.config.sections import BackendSettings
from dvidpy.datatypes.annotation.instance import Annotations
from dvidpy.datatypes.annotation.keys import label_prefix, tag_prefix
from dvidpy.datatypes.annotation.reading import everything, listed
from dvidpy.datatypes.base import Data, type_named
from dvidpy.datatypes.labelled.blocks import pack
from dvidpy.datatypes.labelled.edits import editing
from dvidpy.datatypes.labelled.instance import LabelMap
from dvidpy.datatypes.labelled.intake import NewBlock, store_blocks
from dvidpy.datatypes.labelmap.mutations.cleave import cleave
from dvidpy.datatypes.labels.blocks import count, from_volume
from dvidpy.datatypes.labels.index import LabelIndex, merged
from dvidpy.datatypes.labelsz.instance import LabelSizes
from dvidpy.datatypes.registry import load_types
from dvidpy.datatypes.settings import Given
from dvidpy.versioning.datastore import Datastore
from dvidpy.versioning.records import Node

SIDE = 16
"""Voxels along each side of a block."""
Point = tuple[int, int, int]
Element = dict[str, Any]
SETTLE_S = 30.0
KINDS = ("PostSyn", "PreSyn", "Gap", "Note")


def memory_settings() -> Settings:
    """One store in memory."""
    return Settings(stores={"main": StoreSettings(engine="memory")})


def settings_of(folder: Path, *names: str) -> Settings:
    """A store on disk for each name; the first is the default one, and the types of the chain have them in turn."""
    stores = {name: StoreSettings(engine="leveldb", path=str(folder / name)) for name in names}
    kinds = zip(("labelmap", "annotation", "labelsz"), names * 3, strict=False)
    backends = {"default": BackendSettings(store=names[0])} | {
        kind: BackendSettings(store=name) for kind, name in kinds
    }
    return Settings(stores=stores, backends=backends)


def element(at: Sequence[int], kind: str = "Note", tags: Sequence[str] = (), to: Iterable[Point] = ()) -> Element:
    """As it is posted and, after that, shown."""
    relations = [{"Rel": "GroupedWith", "To": list(one)} for one in to]
    return {"Pos": list(at), "Kind": kind, "Tags": list(tags), "Prop": {}, "Rels": relations}


class World:
    """Instances lm <- a <- z of a new repo, at a version of it."""

    def __init__(self, datastore: Datastore, stores: dict[str, str] | None = None, side: int = SIDE) -> None:
        load_types()
        self.datastore = datastore
        self.root = datastore.repos.create("world").record.root
        self.node = datastore.catalogue.place(self.root).node
        self.stores = stores or {}
        self.make("labelmap", "lm", BlockSize=",".join([str(side)] * 3))
        self.make("annotation", "a", follows="lm")
        self.make("labelsz", "z", follows="a")

    @classmethod
    def seen(cls, datastore: Datastore, root: str, node: Node) -> World:
        """One that was made before, opened again."""
        other = cls.__new__(cls)
        other.datastore, other.root, other.stores = datastore, root, {}
        other.node = datastore.catalogue.place(node.uuid).node
        return other

    def make(self, typename: str, name: str, follows: str = "", **settings: str) -> None:
        kind = type_named(typename)
        repo = self.datastore.catalogue.repo(self.root)
        place = {"repo": self.root, "root_version": repo.root.version}
        place["store"] = self.stores.get(name, self.datastore.main.name)

        def made(number: int, uuid: str) -> Any:
            return kind.make_instance(Given(settings), name=name, number=number, uuid=uuid, **place)

        instance = self.datastore.repos.add_instance(repo, name, made)
        if follows:
            uuid = self.datastore.catalogue.repo(self.root).instances[follows].uuid
            self.datastore.repos.change_instance(instance, syncs=(uuid,))

    def at(self, name: str, node: Node | None = None) -> Data:
        repo = self.datastore.catalogue.repo(self.root)
        instance = repo.instances[name]
        return type_named(instance.type).subject(self.datastore, repo, node or self.node, instance, None)

    @property
    def lm(self) -> LabelMap:
        return cast("LabelMap", self.at("lm"))

    @property
    def a(self) -> Annotations:
        return cast("Annotations", self.at("a"))

    @property
    def z(self) -> LabelSizes:
        return cast("LabelSizes", self.at("z"))

    # ------------------------------------------------------------------ edits
    def post(self, *elements: Element) -> None:
        self.a.post(orjson.dumps(elements))

    def paint(self, place: tuple[int, int, int], voxels: NDArray[np.uint64]) -> None:
        """Write a block (z, y, x) of supervoxels."""
        store_blocks(self.lm, [self._new_block(place, voxels)])

    def paint_all(self, volume: NDArray[Any]) -> None:
        """Write whole blocks of supervoxels from the origin on, a layer at a time."""
        depth, height, width = self.lm.block
        for z in range(0, volume.shape[0], depth):
            places = [(y, x) for y in range(0, volume.shape[1], height) for x in range(0, volume.shape[2], width)]
            cubes = [(y, x, volume[z : z + depth, y : y + height, x : x + width]) for y, x in places]
            new = [self._new_block((z // depth, y // height, x // width), cube) for y, x, cube in cubes]
            store_blocks(self.lm, new)

    def _new_block(self, place: tuple[int, int, int], voxels: NDArray[Any]) -> NewBlock:
        block = from_volume(np.ascontiguousarray(voxels, np.uint64))
        return NewBlock(place, block, pack(self.lm, block), count(block))

    def merge(self, target: int, *others: int) -> None:
        with editing(self.lm) as edit:
            parts = [edit.need_index(other) for other in others]
            edit.put_index(merged(edit.need_index(target), parts))
            for part in parts:
                edit.put_index(LabelIndex(part.label))
                edit.map(part.supervoxels, target)

    def cleave(self, body: int, *supervoxels: int) -> int:
        return cleave(self.lm, body, np.array(supervoxels, np.uint64))[0]

    def grow(self) -> None:
        """Commit the version and go on in a child of it."""
        self.datastore.repos.commit(self.node)
        self.node = self.datastore.repos.new_version(self.datastore.catalogue.place(self.node.uuid).node)

    def settle(self, patience_s: float = SETTLE_S) -> None:
        """Return when nothing is pending."""
        until = time.monotonic() + patience_s
        while any(queue.length() > queue.failed for queue in self.datastore.queues()):
            assert time.monotonic() < until
            time.sleep(0.002)

    # ------------------------------------------------------------------ what is seen
    def elements(self, node: Node | None = None) -> dict[Point, Element]:
        a = cast("Annotations", self.at("a", node))
        blocks = orjson.loads(b"".join(everything(a)))
        found = list(chain.from_iterable(blocks.values()))
        assert len({tuple(one["Pos"]) for one in found}) == len(found)
        return {tuple(one["Pos"]): one for one in found}

    def labelled(self, label: int, node: Node | None = None) -> set[Point]:
        return self._listed(label_prefix(label), node)

    def tagged(self, tag: str, node: Node | None = None) -> set[Point]:
        return self._listed(tag_prefix(tag), node)

    def _listed(self, prefix: bytes, node: Node | None) -> set[Point]:
        found = orjson.loads(b"".join(listed(cast("Annotations", self.at("a", node)), prefix)))
        everything = self.elements(node)
        for one in found:
            assert {**one, "Rels": everything[tuple(one["Pos"])]["Rels"]} == everything[tuple(one["Pos"])]
        points = [tuple(one["Pos"]) for one in found]
        assert len(set(points)) == len(points)
        return set(points)

    def counts(self, node: Node | None = None) -> dict[tuple[int, str], int]:
        """(label, kind) -> count, where there is any."""
        rows = cast("LabelSizes", self.at("z", node)).everything()
        return {
            (int(row["label"]), kind): int(count)
            for row in rows
            for kind, count in zip(KINDS, row["counts"], strict=True)
            if count
        }


def slabs(*labels: int) -> NDArray[np.uint64]:
    """A block with slabs of these supervoxels along x."""
    x = np.repeat(np.array(labels, np.uint64), SIDE // len(labels))
    return np.ascontiguousarray(np.broadcast_to(x, (SIDE, SIDE, SIDE)))
