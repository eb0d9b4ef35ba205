"""Random histories of a labelmap, against plain arrays: voxels come in, bodies are edited, versions branch, merge."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from labelmaps import Volume, at, blocks_of, new_labelmap, post, runs_of, voxels
from stateful.label_model import LabelModel

from dvidpy.config import Settings, StoreSettings
from dvidpy.datatypes.labelled import ids
from dvidpy.datatypes.labelled.instance import LabelMap
from dvidpy.datatypes.labelmap.mutations.cleave import cleave
from dvidpy.datatypes.labelmap.mutations.events import Edited, apply_again, event_of
from dvidpy.datatypes.labelmap.mutations.merge import merge
from dvidpy.datatypes.labelmap.mutations.renumber import renumber
from dvidpy.datatypes.labelmap.mutations.split_body import split_body
from dvidpy.datatypes.labelmap.mutations.split_supervoxel import split_supervoxel
from dvidpy.datatypes.labels import sheets
from dvidpy.datatypes.labels.block_keys import keys_of
from dvidpy.datatypes.registry import load_types
from dvidpy.errors import BadRequest
from dvidpy.versioning.check import check_datastore
from dvidpy.versioning.datastore import Datastore
from dvidpy.versioning.records import Node

SIDE = 16
SIZE = (SIDE, SIDE, 2 * SIDE)
PLACES = sorted(blocks_of(np.zeros(SIZE, np.uint64)))
CHOICE = st.integers(0, 1 << 16)
SEEDS = st.integers(0, 1 << 32)


class Labels(RuleBasedStateMachine):
    """On a store in memory."""

    engine = "memory"

    def __init__(self) -> None:
        super().__init__()
        load_types()
        self.folder = Path(tempfile.mkdtemp(prefix="dvidpy-stateful-"))
        path = str(self.folder / "store") if self.engine == "leveldb" else ""
        self.settings = Settings(stores={"main": StoreSettings(engine=self.engine, path=path)})
        self.datastore = Datastore(self.settings)
        self.model = LabelModel(SIZE, SIDE)
        self.touched: set[int] = set()

    @initialize(seed=SEEDS)
    def begin(self, seed: int) -> None:
        self.data = new_labelmap(self.datastore, levels=1)
        self.versions: dict[int, Node] = {}
        self._grown(self.data.node)
        self._post(self.data.version, PLACES, seed)

    # ------------------------------------------------------------------ who is meant
    def at(self, version: int) -> LabelMap:
        return at(self.data, self.versions[version])

    def _open(self, choice: int) -> int:
        versions = sorted(set(self.versions) - self.model.blocks.locked)
        return versions[choice % len(versions)]

    def _body(self, version: int, choice: int) -> int:
        bodies = sorted(self.model.bodies(version))
        return bodies[choice % len(bodies)] if bodies else 0

    def _grown(self, node: Node) -> None:
        self.versions[node.version] = node
        self.model.blocks.grow(node.version, node.parents)
        self.touched.add(node.version)

    def _map(self, version: int, mapped: dict[int, int]) -> None:
        self.model.mapped.append((version, mapped))
        self.touched.add(version)

    # ------------------------------------------------------------------ voxels
    def _post(self, version: int, places: list[tuple[int, int, int]], seed: int) -> None:
        """Labels that are there, that were, and new ones; in cubes that lie anywhere."""
        draw = np.random.default_rng(seed)
        known = [0, 1, 2, 3, *self.model.mapping(version), *self.model.bodies(version), 2**64 - 2 - int(seed % 3)]
        known = [label for label in known if label < 2**63] + [1 + seed % 40]
        made: dict[tuple[int, int, int], Volume] = {}
        for place in places:
            coarse = np.array([known[at] for at in draw.integers(0, len(known), 64)], np.uint64).reshape(4, 4, 4)
            made[place] = np.roll(np.kron(coarse, np.ones((4, 4, 4), np.uint64)), draw.integers(0, 4), 2)
        post(self.at(version), made, downres=bool(seed % 2))
        self.model.come(version, {int(label) for volume in made.values() for label in np.unique(volume)})
        for place, volume in made.items():
            self.model.write(version, place, volume)
        self.touched.add(version)

    @rule(choice=CHOICE, places=st.sets(st.sampled_from(PLACES), min_size=1), seed=SEEDS)
    @precondition(lambda self: len(self.model.blocks.locked) < len(self.versions))
    def post(self, choice: int, places: set[tuple[int, int, int]], seed: int) -> None:
        self._post(self._open(choice), sorted(places), seed)

    # ------------------------------------------------------------------ edits
    @rule(choice=CHOICE, picks=st.lists(CHOICE, min_size=2, max_size=4))
    @precondition(lambda self: len(self.model.blocks.locked) < len(self.versions))
    def merge(self, choice: int, picks: list[int]) -> None:
        version = self._open(choice)
        labels = list(dict.fromkeys(self._body(version, pick) for pick in picks))
        if len(labels) < 2:
            with pytest.raises(BadRequest):
                merge(self.at(version), np.array(labels, np.uint64))
            return
        bodies = self.model.bodies(version)
        merge(self.at(version), np.array(labels, np.uint64))
        self._map(version, {sv: labels[0] for label in labels[1:] for sv in bodies[label]})

    @rule(choice=CHOICE, pick=CHOICE, some=st.integers(1, 3))
    @precondition(lambda self: len(self.model.blocks.locked) < len(self.versions))
    def cleave(self, choice: int, pick: int, some: int) -> None:
        version = self._open(choice)
        several = sorted(body for body, found in self.model.bodies(version).items() if len(found) > 1)
        body = several[pick % len(several)] if several else self._body(version, pick)
        supervoxels = sorted(self.model.bodies(version).get(body, {}))
        taken, data = supervoxels[:some], self.at(version)
        if not taken or len(taken) == len(supervoxels):
            with pytest.raises(BadRequest):
                cleave(data, body, np.array(taken, np.uint64))
            return
        label, _ = cleave(data, body, np.array(taken, np.uint64))
        self._map(version, {label: 0} | dict.fromkeys(taken, label))

    @rule(choice=CHOICE, picks=st.lists(CHOICE, min_size=1, max_size=3))
    @precondition(lambda self: len(self.model.blocks.locked) < len(self.versions))
    def renumber(self, choice: int, picks: list[int]) -> None:
        """To a new label, or to one that was used before."""
        version = self._open(choice)
        data, bodies, mapping = self.at(version), self.model.bodies(version), self.model.mapping(version)
        pairs: list[int] = []
        mapped: dict[int, int] = {}
        for pick in picks:
            old = sorted(bodies)[pick % len(bodies)] if bodies else 0
            free = sorted(label for label in mapping if label not in bodies)
            new = free[pick % len(free)] if free and pick % 2 else 5000 + pick
            if not old or new in bodies:
                continue
            pairs += [new, old]
            mapped |= {} if new in mapping or new in mapped else {new: 0}
            mapped |= dict.fromkeys(bodies[old], new)
            bodies[new] = bodies.pop(old)
        renumber(data, np.array(pairs, np.uint64))
        self._map(version, mapped)

    @rule(choice=CHOICE, pick=CHOICE, seed=SEEDS)
    @precondition(lambda self: len(self.model.blocks.locked) < len(self.versions))
    def split_supervoxel(self, choice: int, pick: int, seed: int) -> None:
        version = self._open(choice)
        volume = self.model.supervoxels(version)
        labels = np.unique(volume[volume > 0]).tolist()
        if not labels:
            return
        label = labels[pick % len(labels)]
        body = self.model.mapping(version).get(label, label)
        there = volume == label
        mask = there & (np.random.default_rng(seed).random(SIZE) < 0.5)
        data = self.at(version)
        if not 0 < mask.sum() < there.sum():
            with pytest.raises(BadRequest):
                split_supervoxel(data, label, runs_of(mask))
            return
        cut, _ = split_supervoxel(data, label, runs_of(mask), downres=bool(seed % 2))
        volume[there], volume[mask] = cut.remain, cut.split
        self._wrote(version, volume, there)
        self._map(version, {label: 0, cut.split: body, cut.remain: body})

    @rule(choice=CHOICE, pick=CHOICE, width=st.integers(1, SIZE[2]))
    @precondition(lambda self: len(self.model.blocks.locked) < len(self.versions))
    def split_body(self, choice: int, pick: int, width: int) -> None:
        version = self._open(choice)
        bodies, volume, data = self.model.bodies(version), self.model.supervoxels(version), self.at(version)
        body = self._body(version, pick)
        there = np.isin(volume, list(bodies.get(body, ())))
        mask = there.copy()
        mask[:, :, width:] = False
        if not 0 < mask.sum() < there.sum():
            with pytest.raises(BadRequest):
                split_body(data, body, runs_of(mask))
            return
        new, mutation = split_body(data, body, runs_of(mask))
        (record,) = (one for one in self.datastore.main.log.records(mutation - 1) if one.id == mutation)
        event: Any = event_of(record)
        mapped = {new: 0} | dict.fromkeys(event.whole, new)
        for one in event.cuts:
            old = volume == one.supervoxel
            volume[old], volume[old & mask] = one.remain, one.split
            mapped |= {one.supervoxel: 0, one.remain: body, one.split: new}
        self._wrote(
            version, volume, np.isin(volume, [label for one in event.cuts for label in (one.split, one.remain)])
        )
        self._map(version, mapped)

    def _wrote(self, version: int, volume: Volume, changed: Any) -> None:
        for place, part in blocks_of(changed.astype(np.uint64), SIDE).items():
            if part.any():
                self.model.write(version, place, blocks_of(volume, SIDE)[place])

    # ------------------------------------------------------------------ versions
    @rule(choice=CHOICE)
    @precondition(lambda self: len(self.model.blocks.locked) < len(self.versions))
    def commit(self, choice: int) -> None:
        version = self._open(choice)
        self.datastore.repos.commit(self.versions[version])
        self.model.blocks.locked.add(version)

    @rule(choice=CHOICE)
    @precondition(lambda self: self.model.blocks.locked)
    def branch(self, choice: int) -> None:
        locked = sorted(self.model.blocks.locked)
        parent = self.datastore.catalogue.node(locked[choice % len(locked)])
        self._grown(self.datastore.repos.branch(parent, f"branch-{len(self.versions)}"))

    @rule(choices=st.lists(CHOICE, min_size=2, max_size=3))
    @precondition(lambda self: len(self.model.blocks.locked) > 1)
    def merge_versions(self, choices: list[int]) -> None:
        locked = sorted(self.model.blocks.locked)
        parents = {locked[choice % len(locked)] for choice in choices}
        if len(parents) > 1:
            child = self.datastore.repos.merge([self.datastore.catalogue.node(parent) for parent in sorted(parents)])
            self.datastore.drain(child.version)
            self._grown(child)

    @rule()
    @precondition(lambda self: self.engine == "leveldb")
    def reopen(self) -> None:
        self.datastore.close()
        self.datastore = Datastore(self.settings)
        self.data.datastore = self.datastore

    @rule()
    def do_the_last_edit_again(self) -> None:
        """Nothing changes."""
        records = list(self.datastore.main.log.records())
        if records and records[-1].version not in self.model.blocks.locked:
            last = records[-1]
            if isinstance(event_of(last), Edited):
                apply_again(self.at(last.version), last)
                self.touched.add(last.version)

    # ------------------------------------------------------------------ what must hold
    @invariant()
    def versions_show_what_the_model_says(self) -> None:
        """Those that were written last at each step, all at the end."""
        for version in sorted(self.touched):
            self._prove(version)
        self.touched.clear()

    def _prove(self, version: int) -> None:
        data, volume = self.at(version), self.model.supervoxels(version)
        assert np.array_equal(voxels(data, SIZE), volume)
        bodies, mapping = self.model.bodies(version), self.model.mapping(version)
        labels = np.array(sorted({*mapping, *(sv for found in bodies.values() for sv in found)}), np.uint64)
        assert data.bodies().apply(labels).tolist() == [mapping.get(label, label) for label in labels.tolist()]
        assert list(data.labels()) == sorted(bodies)
        for body, sizes in bodies.items():
            index = data.need_index(body)
            assert dict(zip(*(column.tolist() for column in index.sizes()), strict=True)) == sizes
            held = [place for place, part in blocks_of(volume).items() if np.isin(part, list(sizes)).any()]
            assert index.block_keys.tolist() == keys_of(held).tolist()
        if bodies:
            assert ids.max_label(data) >= max(max(body, *sizes) for body, sizes in bodies.items())

    def teardown(self) -> None:
        try:
            for version in self.versions if hasattr(self, "versions") else ():
                self._prove(version)
            self.datastore.close()
            if self.engine == "leveldb":
                self.datastore = Datastore(self.settings, working=False)
                assert check_datastore(self.datastore).faults == []
        finally:
            self.datastore.close()
            shutil.rmtree(self.folder)


class LabelsOnDisk(Labels):
    """On LevelDB, opened again now and then."""

    engine = "leveldb"


def _profile(examples: int, steps: int) -> Any:
    checks = [HealthCheck.too_slow, HealthCheck.data_too_large]
    return settings(max_examples=examples, stateful_step_count=steps, deadline=None, suppress_health_check=checks)


class SheetedLabels(Labels):
    """Of indices that are cut into sheets of three entries."""

    def __init__(self) -> None:
        super().__init__()
        self.full, sheets.FULL = sheets.FULL, 3

    def teardown(self) -> None:
        try:
            super().teardown()
        finally:
            sheets.FULL = self.full


class SheetedLabelsOnDisk(SheetedLabels):
    """The same on LevelDB."""

    engine = "leveldb"


TestSheetsInMemory = SheetedLabels.TestCase
TestSheetsInMemory.settings = _profile(15, 25)
TestSheetsOnDisk = SheetedLabelsOnDisk.TestCase
TestSheetsOnDisk.settings = _profile(15, 25)
TestInMemory = Labels.TestCase
TestInMemory.settings = _profile(30, 30)
TestOnDisk = LabelsOnDisk.TestCase
TestOnDisk.settings = _profile(15, 25)


class LongLabels(LabelsOnDisk):
    """The same, more of them."""


LongLabels.TestCase.settings = settings(_profile(500, 60), derandomize=False)
TestLong = pytest.mark.timeout(3600)(pytest.mark.long(LongLabels.TestCase))
