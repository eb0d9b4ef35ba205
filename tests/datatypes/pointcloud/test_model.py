"""Random histories of a cloud, against plain sets: points come and go, versions branch, and `dvidpy check` looks on."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import numpy as np
from annotated import World, memory_settings
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from dvidpy.datatypes.pointcloud import edits
from dvidpy.datatypes.pointcloud.instance import Cloud
from dvidpy.datatypes.pointcloud.judging import faults
from dvidpy.versioning.check import check_datastore
from dvidpy.versioning.datastore import Datastore
from dvidpy.versioning.records import Node

LABELS = st.sampled_from([0, 1, 2, (1 << 64) - 1])
BLOCKS = st.sampled_from(["a", "a\0", "ab", "b", "ü"])
POINT = st.tuples(*[st.integers(-2, 2)] * 3)
ROWS = st.lists(st.tuples(LABELS, POINT), max_size=12)
Model = dict[tuple[int, str], set[tuple[int, ...]]]


class Histories(RuleBasedStateMachine):
    @initialize()
    def begin(self) -> None:
        self.datastore = Datastore(memory_settings())
        self.world = World(self.datastore)
        self.world.make("pointcloud", "pc", PointType="int8")
        self.versions: dict[int, Node] = {self.world.node.version: self.world.node}
        self.model: dict[int, Model] = {self.world.node.version: {}}
        self.locked: set[int] = set()

    def teardown(self) -> None:
        with closing(self.datastore):
            assert check_datastore(self.datastore).faults == []

    def cloud(self, version: int) -> Cloud:
        found = self.world.at("pc", self.versions[version])
        assert isinstance(found, Cloud)
        return found

    def open(self, choice: int) -> int:
        versions = [version for version in self.versions if version not in self.locked]
        return versions[choice % len(versions)]

    @rule(choice=st.integers(0, 99), block=BLOCKS, rows=ROWS, replace=st.booleans())
    def post(self, choice: int, block: str, rows: Any, replace: bool) -> None:
        version = self.open(choice)
        labels = np.array([label for label, _ in rows], np.uint64)
        given = edits.Rows(block, labels, np.array([point for _, point in rows], np.int8).reshape(-1, 3))
        model = self.model[version]
        if replace:
            edits.replace_block(self.cloud(version), given)
            self.forget(model, block)
        else:
            edits.add_points(self.cloud(version), [given])
        for label, point in rows:
            model.setdefault((label, block), set()).add(point)

    @rule(choice=st.integers(0, 99), block=BLOCKS)
    def delete(self, choice: int, block: str) -> None:
        version = self.open(choice)
        edits.delete_block(self.cloud(version), block)
        self.forget(self.model[version], block)

    @staticmethod
    def forget(model: Model, block: str) -> None:
        for key in [key for key in model if key[1] == block]:
            del model[key]

    @precondition(lambda self: len(self.versions) < 5)
    @rule(choice=st.integers(0, 99))
    def branch(self, choice: int) -> None:
        parent = [*self.versions][choice % len(self.versions)]
        repos = self.datastore.repos
        if parent not in self.locked:
            repos.commit(self.versions[parent])
            self.locked.add(parent)
        node = self.datastore.catalogue.node(parent)
        child = repos.branch(node, f"branch-{len(self.versions)}")
        self.versions[child.version] = child
        self.model[child.version] = {key: set(points) for key, points in self.model[parent].items()}

    @invariant()
    def every_version_is_as_the_model(self) -> None:
        for version, model in self.model.items():
            cloud = self.cloud(version).frozen()
            assert cloud.labels().tolist() == sorted({label for label, _ in model})
            assert [*cloud.blocks()] == sorted({block for _, block in model}, key=str.encode)
            for label in (0, 1, 2, (1 << 64) - 1, 5):
                found = {(part.label, part.block): part for part in cloud.parts([label])}
                assert {key: part.summary.number for key, part in found.items()} == {
                    key: len(points) for key, points in model.items() if key[0] == label
                }
                for part, points in cloud.points(found.values()):
                    assert [*map(tuple, points.tolist())] == sorted(model[part.label, part.block])
        assert [*faults(self.datastore, self.cloud(next(iter(self.versions))).instance)] == []


TestHistories = Histories.TestCase
TestHistories.settings = settings(max_examples=15, stateful_step_count=20, deadline=None)


def test_check_finds_what_is_wrong() -> None:
    with closing(Datastore(memory_settings())) as datastore:
        world = World(datastore)
        world.make("pointcloud", "pc")
        cloud = world.at("pc")
        assert isinstance(cloud, Cloud)
        rows = edits.Rows("a", np.array([1, 2, 3, 4], np.uint64), np.arange(12).reshape(4, 3))
        edits.replace_block(cloud, rows)
        assert [*faults(datastore, cloud.instance)] == []
        change = cloud.view.change()
        for number, kind in enumerate((b"\1", b"\2")):
            cloud.view.delete(change, kind + (number + 1).to_bytes(8, "big") + b"a\0\1")
        cloud.view.delete(change, b"\3a\0\1" + (3).to_bytes(8, "big"))
        cloud.view.put(change, b"\1" + (4).to_bytes(8, "big") + b"a\0\1", b"\1" + bytes(55))
        cloud.view.commit(change)
        assert len([*faults(datastore, cloud.instance)]) == 4
        change = cloud.view.change()
        cloud.view.put(change, b"\1short", b"")
        cloud.view.put(change, b"\2" + (9).to_bytes(8, "big") + b"a\0\1", bytes(35))
        cloud.view.put(change, b"\4", b"{}")
        cloud.view.commit(change)
        assert (
            len([one for one in check_datastore(datastore).faults if "no sense" in str(one) or "these" in str(one)])
            >= 3
        )
