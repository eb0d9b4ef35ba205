"""The console's files and what it asks beside the API; how it looks is tested in tests/browser."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from house.tree import REPOSITORY
from served import TOKEN, Serve, Served

from dvidpy.api.console import within_ms

FILES = REPOSITORY / "dvidpy" / "api" / "console"


@pytest.mark.parametrize("path", ["/", "/dvidpy/", "/dvidpy/index.html"])
def test_the_page(served: Served, path: str) -> None:
    answer = served.http.get(path)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")
    assert "default-src 'self'" in answer.headers["content-security-policy"]
    assert answer.headers["cache-control"] == "no-cache"
    assert served.http.head(path).headers["content-length"] == str(len(answer.content))


def test_its_files_are_there_and_sent_once(served: Served) -> None:
    names = re.findall(r'(?:src|href)="/dvidpy/([^"]+)"', (FILES / "index.html").read_text())
    assert len(names) == 3
    for name in {*names, *(file.name for file in FILES.iterdir())}:
        answer = served.http.get(f"/dvidpy/{name}")
        assert answer.status_code == 200
        again = served.http.get(f"/dvidpy/{name}", headers={"if-none-match": answer.headers["etag"]})
        assert again.status_code == 304


@pytest.mark.parametrize("path", ["/dvidpy/absent.js", "/dvidpy/../console.py", "/dvidpy/%2e%2e/console.py"])
def test_nothing_else_is(served: Served, path: str) -> None:
    assert served.http.get(path).status_code == 404


def test_it_leads_nowhere_else() -> None:
    for file in FILES.iterdir():
        addresses = re.findall(r"https?://[^\s\"'`)]+", file.read_text())
        assert [one for one in addresses if not one.startswith("http://www.w3.org/")] == []


def test_with_a_web_client_it_has_its_own_place(serve: Serve, tmp_path: Path) -> None:
    served = serve(web_client=str(tmp_path))
    assert served.http.get("/").status_code == 404
    assert served.http.get("/dvidpy/").status_code == 200


def test_state(served: Served) -> None:
    uuid = served.repo()
    path = served.instance(uuid)
    served.http.post(f"{path}/key/k", content=bytes(5000))
    served.http.get(f"{path}/key/absent")
    state = served.http.get("/dvidpy/state.json", params={"admintoken": TOKEN, "repo": uuid}).json()
    assert state["may_create"] is True
    assert state["workers"] == 2
    assert state["stores"]["main"].keys() == {"bytes", "tasks", "given_up", "edits_waiting", "log_behind"}
    (size,) = state["instances"].values()
    assert size > 0
    asked = {(one["method"], one["route"]): one for one in state["routes"]}
    posted = asked["POST", "/api/node/{uuid}/{keyvalue}/key/{key}"]
    assert (posted["count"], posted["failed"]) == (1, 0)
    assert asked["GET", "/api/node/{uuid}/{keyvalue}/key/{key}"]["failed"] == 1


def test_sizes_are_told_where_a_token_is_set_to_its_bearers_alone(served: Served) -> None:
    """As /api/storage has it."""
    uuid = served.repo()
    served.instance(uuid)
    for query in ({"repo": uuid}, {"repo": uuid, "admintoken": "guessed"}):
        assert served.http.get("/api/storage", params=query).status_code == 400
        state = served.http.get("/dvidpy/state.json", params=query).json()
        assert (state["may_create"], state["instances"], state["stores"]["main"]["bytes"]) == (False, {}, None)


def test_sizes_are_those_of_one_repo(served: Served) -> None:
    for uuid in (one := served.repo(), served.repo()):
        served.instance(uuid)
    sizes = [
        served.http.get("/dvidpy/state.json", params={"admintoken": TOKEN, "repo": repo}).json()["instances"]
        for repo in ("", "nobody", one)
    ]
    assert [len(found) for found in sizes] == [0, 0, 1]


def test_who_may_make_repos(serve: Serve) -> None:
    served = serve(admin_token="")
    assert served.http.get("/dvidpy/state.json").json()["may_create"] is True
    through_a_proxy = served.http.get("/dvidpy/state.json", headers={"x-forwarded-for": "10.0.0.1"}).json()
    assert through_a_proxy["may_create"] is False
    assert through_a_proxy["stores"]["main"]["bytes"] is not None  # nothing is closed here


def test_latencies_are_ends_of_buckets() -> None:
    buckets = [10, 80, 6, 4, *[0] * 12]
    assert within_ms(buckets, 0.5) == 1
    assert within_ms(buckets, 0.95) == 2.5
    assert within_ms([0] * 15 + [1], 0.5) == "over 30000"
