"""Small edits are made by the event loop, unless they turn out to be large; they wait without holding it up."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from labelmaps import SIDE, blocks_of, new_labelmap, post

from dvidpy.api.pool import WorkerPool
from dvidpy.datatypes.exchange import Reply, json_reply
from dvidpy.datatypes.labelled import haste, ids
from dvidpy.datatypes.labelled.edits import touched
from dvidpy.datatypes.labelled.haste import edited
from dvidpy.datatypes.labelled.instance import LabelMap
from dvidpy.datatypes.labelled.turns import Names
from dvidpy.datatypes.labelmap.mutations.cleave import cleave
from dvidpy.datatypes.labelmap.mutations.merge import merge
from dvidpy.errors import BadRequest
from dvidpy.versioning.check import check_datastore
from dvidpy.versioning.datastore import Datastore

SIZE = (SIDE, SIDE, 4 * SIDE)
LOOP = "MainThread"


def _labels(*labels: int) -> np.ndarray:
    return np.array(labels, np.uint64)


@pytest.fixture
def data(datastore: Datastore) -> LabelMap:
    made = new_labelmap(datastore)
    volume = np.broadcast_to(np.arange(SIZE[2], dtype=np.uint64) // np.uint64(4) + np.uint64(1), SIZE)
    post(made, blocks_of(np.ascontiguousarray(volume)))
    made.bodies()
    haste.load_kernels()
    return made


@pytest.fixture
def call() -> Iterator[Any]:
    pool = WorkerPool(2, 10)
    yield SimpleNamespace(pool=pool)
    pool.close()


class _Edits:
    """Edits that say who made them."""

    def __init__(self, data: LabelMap) -> None:
        self.data = data
        self.threads: list[str] = []

    def merge(self, *labels: int) -> Callable[[bool], Reply]:
        return self._by(lambda at_once: merge(self.data, _labels(*labels), at_once=at_once))

    def cleave(self, body: int, supervoxel: int) -> Callable[[bool], Reply]:
        return self._by(lambda at_once: cleave(self.data, body, _labels(supervoxel), at_once=at_once))

    def _by(self, make: Callable[[bool], object]) -> Callable[[bool], Reply]:
        def edit(at_once: bool) -> Reply:
            made = make(at_once)
            self.threads.append(threading.current_thread().name)
            return json_reply(made)

        return edit


@pytest.fixture
def edits(data: LabelMap) -> _Edits:
    return _Edits(data)


def _make(data: LabelMap, call: Any, *made: Callable[[bool], Reply]) -> list[Reply]:
    async def all_of_them() -> list[Reply]:
        return await asyncio.gather(*(edited(data, call, b"", one) for one in made))

    return asyncio.run(all_of_them())


def _synced(data: LabelMap, monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Of each batch from now on, whether it is synced."""
    committer = data.view.of.committer
    batches: list[bool] = []
    write = committer._write_batch

    def told(batch: Any, *, sync: bool) -> None:
        batches.append(sync)
        write(batch, sync=sync)

    monkeypatch.setattr(committer, "_write_batch", told)
    return batches


def test_small_edits_share_an_fsync(data: LabelMap, call: Any, edits: _Edits, monkeypatch: pytest.MonkeyPatch) -> None:
    batches = _synced(data, monkeypatch)
    data.view.of.committer._batch_s = 0.0
    _make(data, call, edits.merge(1, 2), edits.merge(3, 4), edits.merge(1, 3))
    assert edits.threads == [LOOP] * 3
    assert batches == [False, False, False, True]
    assert data.bodies().apply(_labels(1, 2, 3, 4)).tolist() == [1, 1, 1, 1]
    assert check_datastore(data.datastore).faults == []


def test_what_turns_out_to_be_large_uses_up_one_label(
    data: LabelMap, call: Any, edits: _Edits, monkeypatch: pytest.MonkeyPatch
) -> None:
    merge(data, _labels(1, 2))
    monkeypatch.setattr(haste, "MOST_ENTRIES", 1)
    expected = ids.next_label(data)
    (reply,) = _make(data, call, edits.cleave(1, 2))
    assert edits.threads != [LOOP]
    assert isinstance(reply.body, bytes)
    assert reply.body.startswith(b"[%d," % expected)
    assert ids.next_label(data) == expected + 1


def test_a_long_request_is_for_a_worker(data: LabelMap, call: Any, edits: _Edits) -> None:
    async def long() -> Reply:
        return await edited(data, call, bytes(haste.MOST_BYTES + 1), edits.merge(1, 2))

    asyncio.run(long())
    assert edits.threads != [LOOP]


@pytest.mark.parametrize("what", ["a next label is set", "the mapping is not in memory"])
def test_what_would_hold_the_loop_up_is_for_a_worker(what: str, data: LabelMap, call: Any, edits: _Edits) -> None:
    if what == "a next label is set":
        ids.set_next(data, 5000)
    else:
        data.state.forget()
    _make(data, call, edits.merge(1, 2))
    assert edits.threads != [LOOP]


def test_a_refused_cleave_uses_up_one_label(data: LabelMap, call: Any, edits: _Edits) -> None:
    expected = ids.next_label(data)
    with pytest.raises(BadRequest, match="not in body"):
        _make(data, call, edits.cleave(1, 2))
    assert ids.next_label(data) == expected + 1
    assert data.state.turns.is_free()
    with data.view.free() as free:
        assert free


def _while_held(held: threading.Event, data: LabelMap, call: Any, edit: Callable[[bool], Reply]) -> None:
    """The edit is not made before `held` is set, and the loop turns meanwhile."""

    async def go() -> None:
        made = asyncio.ensure_future(edited(data, call, b"", edit))
        await asyncio.sleep(0.05)
        assert not made.done()
        held.set()
        await made

    asyncio.run(go())


def _holding(hold: Callable[[], Any]) -> tuple[threading.Event, threading.Thread]:
    """A thread that holds something until it is told."""
    there, over = threading.Event(), threading.Event()

    def run() -> None:
        with hold():
            there.set()
            over.wait(20)

    thread = threading.Thread(target=run)
    thread.start()
    there.wait(20)
    return over, thread


def test_it_waits_for_an_edit_of_a_thread_and_is_made_by_the_loop(data: LabelMap, call: Any, edits: _Edits) -> None:
    over, thread = _holding(data.state.turns.of)
    _while_held(over, data, call, edits.merge(1, 2))
    thread.join()
    assert edits.threads == [LOOP]


def test_it_waits_for_what_is_being_written_and_is_made_by_the_loop(data: LabelMap, call: Any, edits: _Edits) -> None:
    over, thread = _holding(data.view.free)
    _while_held(over, data, call, edits.merge(1, 2))
    thread.join()
    assert edits.threads == [LOOP]


def test_beside_who_writes_blocks_it_is_made_by_a_worker(data: LabelMap, call: Any, edits: _Edits) -> None:
    """Which need not wait for that. Not even when it is waiting for others."""
    first, thread = _holding(data.state.turns.of)
    names = touched(data, [30], [(0, 0, 3)])
    blocks, other = threading.Event(), threading.Thread(target=lambda: _hold(data, names, blocks))

    async def go() -> None:
        made = asyncio.ensure_future(edited(data, call, b"", edits.merge(1, 2)))
        await asyncio.sleep(0.05)
        other.start()
        await asyncio.sleep(0.05)
        first.set()
        await asyncio.wait_for(made, 20)
        assert not blocks.is_set()

    asyncio.run(go())
    blocks.set()
    thread.join()
    other.join()
    assert edits.threads != [LOOP]


def _hold(data: LabelMap, names: Names, over: threading.Event) -> None:
    with data.state.turns.of(names):
        assert over.wait(20)
