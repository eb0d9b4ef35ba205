"""Versions of annotations that are in memory before they are asked for."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from served import Served, running

from dvidpy.config import ServerSettings, Settings, StoreSettings
from dvidpy.datatypes.neuronjson import tables
from dvidpy.datatypes.neuronjson.table import Table
from dvidpy.datatypes.neuronjson.tables import tables_of
from dvidpy.versioning.aside import Aside

COUNT = 500


@contextmanager
def server(folder: Path) -> Iterator[Served]:
    store = StoreSettings(engine="leveldb", path=str(folder / "store"))
    with running(Settings(server=ServerSettings(admin_token="sesame", workers=2), stores={"main": store})) as served:
        yield served


def ready(served: Served, count: int) -> None:
    """Until so many versions are in memory."""
    until = time.monotonic() + 30
    while sum(one.ready.is_set() for one in list(tables_of(served.server.datastore)._tables.values())) < count:
        assert time.monotonic() < until
        time.sleep(0.02)


def fill(served: Served) -> str:
    root = served.repo()
    path = served.instance(root, "nj", "neuronjson")
    pairs = [{"bodyid": body, "type": f"T{body % 7}", "side": ["L", "R"][: body % 3]} for body in range(1, COUNT + 1)]
    answer = served.http.post(f"{path}/ingest-neuronjson?u=ann", json=pairs)
    assert answer.status_code == 200, answer.text
    return root


def found(served: Served, version: str, asked: dict[str, Any]) -> list[int]:
    answer = served.http.post(f"/api/node/{version}/nj/query?onlyid=true", json=asked)
    assert answer.status_code == 200, answer.text
    bodies: list[int] = answer.json()
    return bodies


def never(*_: Any) -> None:
    raise AssertionError("nothing is read from the store")


def test_the_newest_version_is_read_at_the_start_and_children_begin_as_their_parents(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with server(tmp_path) as served:
        root = fill(served)
        expected = found(served, root, {"type": "T3"})
        assert expected == list(range(3, COUNT + 1, 7))
    with server(tmp_path) as served:
        ready(served, 1)
        monkeypatch.setattr(Table, "read", never)
        assert sorted(found(served, root, {"type": "T3"})) == expected
        served.http.post(f"/api/node/{root}/commit", json={})
        child = served.http.post(f"/api/node/{root}/newversion", json={}).json()["child"]
        served.http.post(f"/api/node/{child}/nj/key/3?u=ann", json={"bodyid": 3, "type": "other"})
        served.http.delete(f"/api/node/{child}/nj/key/10")
        assert found(served, child, {"type": "T3"}) == expected[2:]
        assert found(served, child, {"type": "other", "side": "exists/1"}) == [3]
        assert sorted(found(served, root, {"type": "T3"})) == expected
        assert served.http.get(f"/api/node/{child}/nj/fields?counts=true").json()["type"] == COUNT - 1
        assert 10 not in map(int, served.http.get(f"/api/node/{child}/nj/keys").json())
        picked = served.http.get(f"/api/node/{child}/nj/all?fields=type&show=user").json()
        assert {"bodyid": 3, "type": "other", "type_user": "ann"} in picked
        assert len(picked) == COUNT - 1


def test_what_was_filled_is_read_when_it_is_edited_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "QUIET_S", 0.1)
    with server(tmp_path) as served:
        root = fill(served)
        ready(served, 1)
        monkeypatch.setattr(Table, "read", never)
        assert len(found(served, root, {"type": "exists/1"})) == COUNT


def test_a_server_that_stops_does_not_wait_for_what_is_being_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with server(tmp_path) as served:
        fill(served)
    reading = threading.Event()

    def slowly(self: Table, view: Any, going: Callable[[], None]) -> Any:
        reading.set()
        while True:
            going()
            time.sleep(0.01)

    monkeypatch.setattr(Table, "_differing", slowly)
    with server(tmp_path):
        assert reading.wait(30)


def test_jobs_are_done_in_turn_and_none_is_taken_at_the_end() -> None:
    aside, done, going = Aside(), list[int](), threading.Event()
    assert aside.ask(lambda: done.append(3), 0.2)

    def fail() -> None:
        going.wait()
        raise ValueError("as it happens")

    assert aside.ask(fail)
    assert all(aside.ask(lambda number=number: done.append(number)) for number in range(3))  # type: ignore[misc]
    going.set()
    until = time.monotonic() + 30
    while len(done) < 4:
        assert time.monotonic() < until
        time.sleep(0.01)
    aside.close()
    assert not aside.ask(lambda: done.append(9))
    assert done == [0, 1, 2, 3]


def test_a_job_stands_still_while_somebody_waits_for_something_else() -> None:
    aside, looked = Aside(), list[float]()

    def job() -> None:
        while True:
            aside.demand_open()
            looked.append(time.monotonic())
            time.sleep(0.001)

    assert aside.ask(job)
    with aside.held(), aside.held():
        time.sleep(0.05)
        before = len(looked)
        aside.demand_open()  # who is no job goes on
        time.sleep(0.1)
        assert len(looked) <= before + 1
    until = time.monotonic() + 30
    while len(looked) < before + 5:
        assert time.monotonic() < until
        time.sleep(0.01)
    with aside.held():
        aside.close()


def test_what_is_in_memory_is_answered_as_what_is_read_from_the_store(tmp_path: Path) -> None:
    with server(tmp_path) as served:
        root = fill(served)
        keys, asked = ["17", "3", "9999", "017", "3"], {"type": "T3", "side": "L"}

        def answers() -> list[bytes]:
            path = f"/api/node/{root}/nj"
            several = served.http.request("GET", f"{path}/keyvalues?json=true", json=keys)
            return [several.content, served.http.post(f"{path}/query", json=asked).content]

        read = answers()
        assert read[0].startswith(b'{"17":{"bodyid":17,')
        assert read[0].count(b"bodyid") == 4
        ready(served, 1)
        table = next(iter(tables_of(served.server.datastore)._tables.values()))
        assert answers() == read
        with table._lock:  # an edit is being entered
            assert table.look_up([17]) is None
            assert table.select_soon([]) is None
            several = served.http.request("GET", f"/api/node/{root}/nj/keyvalues?json=true", json=keys)
            assert several.content == read[0]


def test_posts_wait_for_who_looks_through_a_table_and_hold_up_nobody_else(tmp_path: Path) -> None:
    """More posts of one body than there are workers, each in the loop or behind one that is."""
    with server(tmp_path) as served:
        root = fill(served)
        ready(served, 1)
        table = next(iter(tables_of(served.server.datastore)._tables.values()))
        path, done = f"/api/node/{root}/nj", list[int]()

        def post(number: int) -> None:
            with httpx.Client(base_url=served.http.base_url) as http:
                done.append(http.post(f"{path}/key/3?u=ann", json={"bodyid": 3, f"f{number}": number}).status_code)

        posting = [threading.Thread(target=post, args=(number,)) for number in range(6)]
        with table._lock:  # a long query
            for one in posting:
                one.start()
            until = time.monotonic() + 0.3
            while time.monotonic() < until:
                assert served.http.get(f"{path}/key/5").json()["bodyid"] == 5
            assert done == []
        for one in posting:
            one.join(30)
        assert done == [200] * 6
        fields = {f"f{number}": number for number in range(6)}
        assert served.http.get(f"{path}/key/3").json().items() >= fields.items()
        assert found(served, root, fields) == [3]


def test_a_small_post_over_a_long_annotation_is_made_by_a_worker(tmp_path: Path) -> None:
    with server(tmp_path) as served:
        path = served.instance(served.repo(), "nj", "neuronjson")
        for fields in ({"type": "x" * 5000}, {"side": "L"}, {"type": "y" * (2 << 20)}, {"side": "R"}):
            assert served.http.post(f"{path}/key/8?u=ann", json={"bodyid": 8, **fields}).status_code == 200
        assert served.http.get(f"{path}/key/8").json() == {"bodyid": 8, "type": "y" * (2 << 20), "side": "R"}
