"""Requests that come again are answered by the short way, as everything stands now."""

from __future__ import annotations

from uuid import uuid4

import pytest
from prometheus_client.parser import text_string_to_metric_families
from served import TOKEN, Served

from dvidpy.api import repeats
from dvidpy.api.repeats import Repeat

ADMIN = {"admintoken": TOKEN}


@pytest.fixture(autouse=True)
def headers_of_its_own(served: Served) -> None:
    """No server of an earlier test, which may have had the same port, knows them."""
    served.http.headers["x-test"] = uuid4().hex


@pytest.fixture
def kv(served: Served) -> str:
    return served.instance(served.repo())


@pytest.fixture
def again(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Ids of the calls that were made again."""
    ids: list[str] = []
    whole = Repeat.again

    def watched(self: Repeat, number: str, client: str) -> object:
        ids.append(number)
        return whole(self, number, client)

    monkeypatch.setattr(Repeat, "again", watched)
    return ids


def test_a_value_is_that_of_now(served: Served, kv: str, again: list[str]) -> None:
    for value in (b"1", b"2"):
        served.http.post(f"{kv}/key/a", content=value)
        assert [served.http.get(f"{kv}/key/a").content for _ in range(4)] == [value] * 4
    assert len(again) == len(set(again)) == 5  # headers, request and handler were each new once
    served.http.delete(f"{kv}/key/a")
    assert [served.http.get(f"{kv}/key/a").status_code for _ in range(3)] == [404] * 3
    assert len(again) == 8


def test_head_has_no_body(served: Served, kv: str, again: list[str]) -> None:
    served.http.post(f"{kv}/key/a", content=b"12345")
    for _ in range(4):
        answer = served.http.head(f"{kv}/key/a")
        assert (answer.status_code, answer.content) == (200, b"")
    assert len(again) == 1


def test_a_reference_leads_where_it_leads_now(served: Served, again: list[str]) -> None:
    root = served.repo()
    path = f"/api/node/{root}:master/kv/key/a"
    kv = served.instance(root)
    served.http.post(f"{kv}/key/a", content=b"old")
    assert [served.http.get(path).content for _ in range(4)] == [b"old"] * 4
    served.commit(root)
    child = served.child(root)
    served.http.post(f"/api/node/{child}/kv/key/a", content=b"new")
    assert [served.http.get(path).content for _ in range(4)] == [b"new"] * 4
    assert len(again) == 4
    renamed = served.http.post(f"/api/repo/{root}/kv/rename", params=ADMIN, json={"name": "other"})
    assert renamed.status_code == 200
    assert served.http.get(path).status_code == 400


def test_each_is_counted(served: Served, kv: str, again: list[str]) -> None:
    served.http.post(f"{kv}/key/a", content=b"1")
    for _ in range(7):
        served.http.get(f"{kv}/key/a")
    families = text_string_to_metric_families(served.http.get("/metrics").text)
    counts = [
        sample.value
        for family in families
        for sample in family.samples
        if sample.name == "dvidpy_request_seconds_count" and sample.labels["method"] == "GET"
        if sample.labels["route"].endswith("/key/{key}")
    ]
    assert counts == [7]
    assert len(again) == 4


def test_routes_of_the_server_come_again_too(served: Served, again: list[str]) -> None:
    for _ in range(4):
        assert served.http.get("/api/server/info", params=ADMIN).status_code == 200
    assert len(again) == 1


def test_few_are_remembered(served: Served, kv: str, again: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repeats, "MANY", 2)
    served.http.post(f"{kv}/key/a", content=b"1")
    for _ in range(3):
        for key in "abcde":
            served.http.get(f"{kv}/key/{key}")
    assert len(served.server.datastore.catalogue.repos) == 1
    long = "x" * repeats.LONGEST
    before = len(again)
    for _ in range(4):
        served.http.get(f"{kv}/key/{long}")
    assert len(again) == before
