from __future__ import annotations

import threading
from functools import partial

import pytest
from versioning.edits import Chain

from dvidpy.errors import Busy, LockedVersion
from dvidpy.versioning.datastore import Datastore
from dvidpy.versioning.gates import Gates
from dvidpy.versioning.queue import Task


def _later(work: partial[None]) -> None:
    threading.Timer(0.05, work).start()


def test_a_commit_waits_for_edits_under_way() -> None:
    gates = Gates()
    gates.enter(1)
    gates.enter(1)
    gates.enter(2)
    for _ in range(2):
        _later(partial(gates.leave, 1))
    with gates.closed(1):
        assert gates.writing() == 1


def test_an_edit_is_refused_while_a_version_is_committed() -> None:
    gates = Gates()
    with gates.closed(1):
        with pytest.raises(Busy, match="being committed"):
            gates.enter(1)
        gates.enter(2)
        gates.leave(2)
    gates.enter(1)
    gates.leave(1)
    assert gates.writing() == 0


def test_patience_ends() -> None:
    gates = Gates()
    gates.enter(1)
    with pytest.raises(Busy, match="1 edits of this version are still under way"), gates.closed(1, patience_s=0.02):
        pass
    gates.enter(1)  # the version is open again
    gates.leave(1)
    gates.leave(1)
    with gates.closed(1, patience_s=0):
        pass


def test_two_commits_of_a_version_at_once() -> None:
    gates = Gates()
    with gates.closed(1), pytest.raises(Busy, match="being committed"), gates.closed(1):
        pass


def test_a_gate_opens_again_whatever_happens_inside() -> None:
    gates = Gates()
    with pytest.raises(LockedVersion), gates.closed(1):
        raise LockedVersion("locked already")
    gates.enter(1)


def test_commit_of_a_version_with_edits_under_way(datastore: Datastore) -> None:
    chain = Chain(datastore)
    version = chain.node.version
    datastore.gates.enter(version)
    _later(partial(datastore.gates.leave, version))
    assert datastore.catalogue.node(chain.commit().version).locked


def test_an_impatient_commit_changes_nothing(datastore: Datastore) -> None:
    chain = Chain(datastore)
    version = chain.node.version
    datastore.gates.enter(version)
    closed = datastore.gates.closed
    datastore.gates.closed = partial(closed, patience_s=0.02)  # type: ignore[method-assign]
    with pytest.raises(Busy):
        datastore.repos.commit(chain.node)
    assert not datastore.catalogue.node(version).locked
    datastore.gates.leave(version)
    datastore.repos.commit(chain.node)
    with pytest.raises(LockedVersion):
        datastore.repos.commit(chain.node)


def test_a_commit_drains_its_version_before_it_locks(datastore: Datastore) -> None:
    """Background work writes into the version until it is done; the lock comes after."""
    chain = Chain(datastore)
    seen: list[bool] = []
    stack = datastore.main
    stack.queue.workers["slow"] = lambda task, change: seen.append(datastore.catalogue.node(task.version).locked)
    stack.queue.held = lambda: True
    change = chain.view().change()
    for _ in range(5):
        stack.queue.add(change, Task("slow", chain.instance.number, chain.node.version))
    stack.committer.commit(change)
    chain.commit()
    assert seen == [False] * 5
