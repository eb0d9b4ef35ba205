"""Random histories of one instance, against plain dictionaries."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from stateful import invariants
from stateful.model import Model
from versioning.edits import Chain, logged, typekey

from dvidpy.config import Settings, StoreSettings
from dvidpy.versioning.datastore import Datastore
from dvidpy.versioning.large import PART
from dvidpy.versioning.records import Node
from dvidpy.versioning.store import View

NAMES = st.sampled_from(["a", "a\x00", "ab", "b", "\U0010ffff"])
SMALL = st.binary(max_size=8)
CHOICE = st.integers(0, 1 << 16)
EDITS = st.lists(st.tuples(NAMES, SMALL | st.none()), min_size=1, max_size=6)


class Histories(RuleBasedStateMachine):
    """On a store in memory."""

    engine = "memory"

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="dvidpy-stateful-"))
        path = str(self.folder / "store") if self.engine == "leveldb" else ""
        self.settings = Settings(stores={"main": StoreSettings(engine=self.engine, path=path)})
        self.datastore = Datastore(self.settings)
        self.model = Model()
        self.edits: dict[int, list[bytes]] = {}
        self.numbers = 0

    @initialize()
    def begin(self) -> None:
        self.chain = Chain(self.datastore)
        self.model.grow(self.chain.repo.root.version, ())

    # ------------------------------------------------------------------ who is meant
    def _open(self, choice: int) -> int:
        versions = sorted(set(self.model.parents) - self.model.locked)
        return versions[choice % len(versions)]

    def _locked(self, choice: int) -> Node:
        versions = sorted(self.model.locked)
        return self.datastore.catalogue.node(versions[choice % len(versions)])

    def _view(self, version: int) -> View:
        return self.datastore.values(self.chain.instance).at(version)

    def _grown(self, node: Node) -> None:
        self.model.grow(node.version, node.parents)

    # ------------------------------------------------------------------ edits
    @rule(choice=CHOICE, edits=EDITS)
    @precondition(lambda self: len(self.model.locked) < len(self.model.parents))
    def edit(self, choice: int, edits: list[tuple[str, bytes | None]]) -> None:
        """Puts and deletions in one edit; the last word on a name counts."""
        version = self._open(choice)
        view = self._view(version)
        self.numbers += 1
        message = b'{"n":%d}' % self.numbers
        change = logged(self.chain.instance, self.datastore.catalogue.node(version), message)
        for name, value in edits:
            if value is None:
                view.delete(change, typekey(name))
            else:
                view.put(change, typekey(name), value)
        view.commit(change)
        self.model.wrote[version].update(edits)
        self.edits.setdefault(version, []).append(message)

    @rule(choice=CHOICE, name=NAMES, size=st.sampled_from([PART + 1, 2 * PART]), fill=st.integers(0, 255))
    @precondition(lambda self: len(self.model.locked) < len(self.model.parents))
    def put_large(self, choice: int, name: str, size: int, fill: int) -> None:
        version = self._open(choice)
        view = self._view(version)
        upload = view.upload()
        upload.write(bytes([fill]) * size)
        change = view.change(sync=False)
        view.put_manifest(change, typekey(name), upload.finish())
        view.commit(change)
        self.model.wrote[version][name] = bytes([fill]) * size

    # ------------------------------------------------------------------ versions
    @rule(choice=CHOICE)
    @precondition(lambda self: len(self.model.locked) < len(self.model.parents))
    def commit(self, choice: int) -> None:
        version = self._open(choice)
        self.datastore.repos.commit(self.datastore.catalogue.node(version))
        self.model.locked.add(version)

    @rule(choice=CHOICE)
    @precondition(lambda self: self.model.locked)
    def branch(self, choice: int) -> None:
        parent = self._locked(choice)
        self._grown(self.datastore.repos.branch(parent, f"branch-{len(self.model.parents)}"))

    @rule(choice=CHOICE)
    @precondition(lambda self: self.model.locked)
    def new_version(self, choice: int) -> None:
        parent = self._locked(choice)
        family = [node for node in self.chain.repo.nodes.values() if parent.version in node.parents]
        if all(node.branch != parent.branch for node in family):
            self._grown(self.datastore.repos.new_version(parent))

    @rule(choices=st.lists(CHOICE, min_size=2, max_size=3))
    @precondition(lambda self: len(self.model.locked) > 1)
    def merge(self, choices: list[int]) -> None:
        parents = {node.version: node for node in map(self._locked, choices)}
        if len(parents) > 1:
            self._grown(self.datastore.repos.merge(list(parents.values())))

    @rule()
    @precondition(lambda self: self.engine == "leveldb")
    def reopen(self) -> None:
        self.datastore.close()
        self.datastore = self.chain.datastore = Datastore(self.settings)

    # ------------------------------------------------------------------ what must hold
    @invariant()
    def some_versions_are_right(self) -> None:
        """The newest ones at each step, all at the end."""
        invariants.versions_see_what_the_model_says(self.chain, self.model, sorted(self.model.parents)[-3:])
        invariants.locked_versions_are_those_of_the_model(self.chain, self.model)

    def teardown(self) -> None:
        try:
            if self.model.parents:
                invariants.versions_see_what_the_model_says(self.chain, self.model, sorted(self.model.parents))
                invariants.parts_are_those_of_the_large_values(self.chain, self.model)
                invariants.the_log_names_every_edit_once(self.chain, self.edits)
                invariants.check_has_nothing_to_say(self.chain)
        finally:
            self.datastore.close()
            shutil.rmtree(self.folder)


class HistoriesOnDisk(Histories):
    """On LevelDB, opened again now and then."""

    engine = "leveldb"


def _profile(examples: int, steps: int) -> Any:
    checks = [HealthCheck.too_slow, HealthCheck.data_too_large]
    return settings(max_examples=examples, stateful_step_count=steps, deadline=None, suppress_health_check=checks)


TestInMemory = Histories.TestCase
TestInMemory.settings = _profile(50, 40)
TestOnDisk = HistoriesOnDisk.TestCase
TestOnDisk.settings = _profile(20, 30)


class LongHistories(Histories):
    """The same, more of them."""


class LongHistoriesOnDisk(HistoriesOnDisk):
    """The same, more of them."""


def _long(case: Any, examples: int) -> Any:
    case.settings = settings(_profile(examples, 100), derandomize=False)
    return pytest.mark.timeout(3600)(pytest.mark.long(case))


TestLongInMemory = _long(LongHistories.TestCase, 1500)
TestLongOnDisk = _long(LongHistoriesOnDisk.TestCase, 400)
