"""Routes of the server itself."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from served import TOKEN, Serve, Served

from dvidpy import __version__
from dvidpy.api.blocklist import BlockList, source_address
from dvidpy.api.openapi import STATIC_ROOMS
from dvidpy.datatypes.registry import load_types
from dvidpy.errors import Blocked

ADMIN = {"admintoken": TOKEN}
GETS = sorted({route.path for room in STATIC_ROOMS for route in room.routes if "GET" in route.methods})


def filled(path: str, uuid: str) -> str:
    """A route's template with parts that exist."""
    parts = {"uuid": uuid, "branch": "master", "typename": "keyvalue", "reference": "A" * 22 + "=="}
    return path.format(**parts)


# ---------------------------------------------------------------------- all of them
@pytest.mark.parametrize("path", GETS)
def test_head_answers_as_get_without_a_body(served: Served, path: str) -> None:
    uuid = served.repo()
    place = filled(path, uuid)
    got, head = (served.http.request(method, place, params=ADMIN) for method in ("GET", "HEAD"))
    assert head.status_code == got.status_code
    assert head.content == b""
    assert head.headers.get("content-type") == got.headers.get("content-type")
    raw = served.raw(b"HEAD %b HTTP/1.1\r\nConnection: close\r\n\r\n" % place.encode())
    assert raw.endswith(b"\r\n\r\n")


@pytest.mark.parametrize("path", GETS)
def test_a_final_slash_and_unknown_query_keys_change_nothing(served: Served, path: str) -> None:
    uuid = served.repo()
    place = filled(path, uuid)
    got = served.http.get(place, params=ADMIN)
    for other in (f"{place}/", f"{place}?no=such&key", f"{place}/?=&&%00=%ff&u=x"):
        answer = served.http.get(other, params=None if "?" in other else ADMIN)
        if got.status_code == 200 and ("?" not in other or path not in ("/api/storage", "/api/server/config")):
            assert answer.status_code == 200, other


def test_wrong_methods_and_unknown_routes_are_404(served: Served) -> None:
    uuid = served.repo()
    for path in GETS:
        for method in ("PUT", "DELETE", "PATCH"):
            rights = {} if method == "DELETE" else ADMIN  # admins may delete, and a name may be any word
            assert served.http.request(method, filled(path, uuid), params=rights).status_code == 404, (method, path)
    for path in (
        "/api/nowhere",
        "/api/server",
        "/api/server/nowhere",
        "/api/",
        "/api",
        "/nowhere",
        "/profiler/info/heap",
    ):
        assert served.http.get(path).status_code == 404, path
    for path in ("/profiler/", "/profiler", "/debug/pprof/", "/interface/nowhere", "/interfaces", "/api/help/a/b"):
        assert served.http.get(path).status_code == 404, path
    assert served.http.get(f"/interface/node/{uuid}/kv/info").status_code == 404


@pytest.mark.parametrize("bad", ["%ff", "%c3%28", "a%80", "%ed%a0%80", "%C0%AF"])
def test_a_path_that_is_not_utf8_names_nothing_but_keys(served: Served, bad: str) -> None:
    uuid = served.repo()
    kv = served.instance(uuid)
    for path in (f"/api/repo/{bad}/info", f"/api/node/{uuid}/{bad}/keys"):
        for method in ("GET", "HEAD", "POST", "DELETE"):
            assert served.http.request(method, path, content=b"1").status_code in (400, 404), path
    assert served.http.get(f"/api/{bad}").status_code == 404
    assert served.http.get(f"{kv}/keys").json() == []
    assert served.http.get(f"/api/heartbeat?u={bad}").status_code == 200
    assert served.http.post(f"{kv}/key/{bad}", content=b"1").status_code == 200
    assert served.http.get(f"{kv}/key/{bad}").content == b"1"
    assert b"internal error" not in served.log.getvalue()


# ---------------------------------------------------------------------- each of them
def test_help(served: Served) -> None:
    for path in ("/api/help", "/api/help/"):
        page = served.http.get(path)
        assert page.headers["content-type"] == "text/html"
        for name, kind in load_types().items():
            assert f"/api/help/{name}" in page.text
            assert served.http.get(f"/api/help/{name}").text == kind.help
            assert name in kind.help
    assert served.http.get("/api/help/no-such-type").status_code == 400


def test_small_texts(served: Served, serve: Serve) -> None:
    assert served.http.get("/interface").text == served.http.get("/interface/version").text == "v1"
    assert served.http.get("/interface/").text == "v1"
    assert served.http.get("/api/heartbeat").text == "OK"
    assert served.http.get("/api/server/token").status_code == 400
    noted = serve(note="<b>ours</b> & ü")
    assert noted.http.get("/api/server/note").text == "<b>ours</b> & ü"
    assert noted.http.get("/api/server/info/").json()["Note"] == "<b>ours</b> & ü"


def test_info_is_text_only(served: Served) -> None:
    shown = served.http.get("/api/server/info/").json()
    assert all(isinstance(value, str) for value in shown.values())
    needed = ("Cores", "Maximum Cores", "DVID Version", "Datastore Version", "Server uptime", "Storage backend")
    assert not set(needed) - set(shown)
    assert TOKEN not in str(shown)


def test_the_version_is_compared_as_the_reference_s_is(served: Served) -> None:
    """neuclease takes four numbers from it, between dots and dashes after a v."""
    version = served.http.get("/api/server/info").json()["DVID Version"]
    assert tuple(map(int, re.split(r"[.-]", version.removeprefix("v"))[:4])) == (1, 0, 0, 254)
    assert version.startswith("v")
    assert version.endswith(f"dvidpy-{__version__}")


def test_types(served: Served) -> None:
    assert served.http.get("/api/server/types").json() == {}
    served.instance(served.repo())
    known = {name: kind.url for name, kind in load_types().items()}
    assert served.http.get("/api/server/compiled-types").json() == known
    assert served.http.get("/api/server/types").json() == {"keyvalue": known["keyvalue"]}


def test_blobs_of_the_server(served: Served) -> None:
    kv = served.instance(served.repo())
    large = bytes(range(256)) * 10_000
    for blob in (b"", b"x", large):
        reference = served.http.post(f"{kv}/blobstore", content=blob).json()["reference"]
        for path in (f"/api/server/blobstore/{reference}", f"{kv}/blobstore/{reference}"):
            assert served.http.get(path).content == blob
    assert served.http.get("/api/server/blobstore/" + "A" * 22 + "==").status_code == 404
    for bad in ("x", "A" * 23 + "=", "ü", "%00", "A" * 22, "A" * 100_0):
        assert served.http.get(f"/api/server/blobstore/{bad}").status_code == 400, bad
    assert served.http.get("/api/server/blobstore").status_code == 404


def test_settings_of_the_running_server(served: Served) -> None:
    place = "/api/server/settings"
    assert served.http.post(place, params=ADMIN, json={"throttle": "7"}).text.startswith(
        "Maximum throttled ops set to 7"
    )
    assert served.server.throttle_limit == 7
    assert served.http.post(place, params=ADMIN, json={"Throttle": "3", "GC": "100", "x": 1}).status_code == 200
    wrong: list[Any] = [{"throttle": 1}, {"throttle": "many"}, {"throttle": "-1"}, {"gc": None}, [], "x"]
    for bad in (*wrong, {"gc": "9" * 5000}):
        assert served.http.post(place, params=ADMIN, json=bad).status_code == 400, bad
    assert served.http.post(place, params=ADMIN, content=b"[" * 100_000).status_code == 400
    assert served.http.post(place, params=ADMIN).status_code == 200
    assert served.server.throttle_limit == 3


def test_the_configuration_is_shown_without_secrets(serve: Serve) -> None:
    text = f'[server]\nadminToken = "{TOKEN}"\nnote = "no {TOKEN} here"\n[email]\npassword = "hunter2" # was hunter1\n'
    served = serve(text=text)
    shown = served.http.get("/api/server/config", params=ADMIN)
    assert tomllib.loads(shown.text)["server"]["note"] == "no (hidden) here"
    assert not any(secret in shown.text for secret in (TOKEN, "hunter"))


def test_storage_names_instances(served: Served) -> None:
    served.instance(served.repo(), "notes")
    (store,) = served.http.get("/api/storage", params=ADMIN).json().values()
    assert [instance["Name"] for instance in store["Instances"].values()] == ["notes"]


# ---------------------------------------------------------------------- block list
def test_who_is_blocked_reads_why_until_the_list_changes(serve: Serve, tmp_path: Path) -> None:
    names = tmp_path / "blocked.txt"
    names.write_text("u=jane,please call us, soon\n\nip=10.3.*.7,script runs wild\nip=10.4\nu=joe\n")
    served = serve(block_list_file=str(names))
    kv = served.instance(served.repo())
    blocked = served.http.get(f"{kv}/keys?u=jane")
    assert (blocked.status_code, "please call us, soon" in blocked.text) == (429, True)
    for query in ("?u=joe", f"?u=jane&admintoken={TOKEN}"):
        assert served.http.post(f"{kv}/key/a{query}", content=b"1").status_code == 429
        assert served.http.get(f"/api/repos/info{query}").status_code == 429
    for address in ("10.3.99.7", "10.4.1.1", "10.3.0.7, 127.0.0.1"):
        assert served.http.get(f"{kv}/keys", headers={"X-Forwarded-For": address}).status_code == 429
    assert served.http.get(f"{kv}/keys", headers={"Forwarded": "proto=http;for=10.4.2.2"}).status_code == 429
    for path in ("/api/heartbeat?u=jane", "/api/load?u=jane", "/healthz?u=jane", f"{kv}/keys?u=janet", f"{kv}/keys"):
        assert served.http.get(path).status_code == 200, path
    names.write_text("u=nobody")
    assert served.http.get(f"{kv}/keys?u=jane").status_code == 429
    assert served.http.post("/api/server/reload-blocklist", params=ADMIN).status_code == 200
    assert served.http.get(f"{kv}/keys?u=jane").status_code == 200


@pytest.mark.parametrize("text", ["nonsense", "x=1", "u=", "=", "u=a\nip"])
def test_a_bad_list_is_refused_and_the_old_one_stays(serve: Serve, tmp_path: Path, text: str) -> None:
    names = tmp_path / "blocked.txt"
    names.write_text("u=jane,no")
    served = serve(block_list_file=str(names))
    names.write_text(text)
    assert served.http.post("/api/server/reload-blocklist", params=ADMIN).status_code == 400
    names.unlink()
    assert served.http.post("/api/server/reload-blocklist", params=ADMIN).status_code == 400
    assert served.http.get("/api/repos/info?u=jane").status_code == 429


@pytest.mark.parametrize(
    ("pattern", "address", "blocked"),
    [
        ("10.1.2.3", "10.1.2.3", True),
        ("10.1.2.3", "10.1.2.30", False),
        ("10.1", "10.1.2.3", True),
        ("10.1", "10.10.2.3", False),
        ("10.*.2", "10.9.2.1", True),
        ("10.1.2.3.4", "10.1.2.3", False),
        ("10.1.2.3", "", False),
    ],
)
def test_addresses_match_part_by_part(pattern: str, address: str, blocked: bool) -> None:
    found = BlockList(addresses={pattern: "no"})
    if not blocked:
        found.refuse(address, "")
        return
    with pytest.raises(Blocked):
        found.refuse(address, "")


def test_the_address_a_request_comes_from() -> None:
    assert source_address("1.1.1.1", {}) == "1.1.1.1"
    assert source_address("1.1.1.1", {b"x-forwarded-for": b" 2.2.2.2 , 3.3.3.3"}) == "2.2.2.2"
    assert source_address("1.1.1.1", {b"forwarded": b"by=x;For=4.4.4.4, for=5.5.5.5"}) == "4.4.4.4"
    assert source_address("1.1.1.1", {b"forwarded": b"proto=https", b"x-forwarded-for": b"2.2.2.2"}) == "2.2.2.2"
    assert source_address("1.1.1.1", {b"forwarded": b"\xff", b"x-forwarded-for": b""}) == "1.1.1.1"


def test_options_of_a_route_says_what_it_allows(served: Served) -> None:
    root = served.repo()
    for path, allowed in {
        "/api/server/info": "GET, HEAD, OPTIONS",
        f"/api/node/{root}/note": "GET, HEAD, POST, OPTIONS",
        f"/api/repo/{root}/instance": "POST, OPTIONS",
        f"/api/repo/{root}/nothing": None,
        f"/api/node/{root}/nothing": None,
        "/api/nothing": None,
    }.items():
        answer = served.http.options(path)
        assert (answer.status_code, answer.headers.get("allow")) == (404 if allowed is None else 200, allowed), path
    served.commit(root)
    assert served.http.options(f"/api/node/{root}/note").status_code == 400
    assert served.http.options("/api/node/none/note").status_code == 400
