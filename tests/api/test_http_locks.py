"""Committed versions, read-only and full-write mode, admin token: who may change what."""

from __future__ import annotations

import itertools
import json
import threading
from typing import Any

import pytest
from served import TOKEN, Serve, Served

from dvidpy.api.dispatch import StaticTable
from dvidpy.api.instances import table_of_type
from dvidpy.api.openapi import STATIC_ROOMS
from dvidpy.datatypes.registry import load_types

WRITES = ("POST", "PUT", "DELETE", "PATCH")
FREE = {"branch", "newversion", "tag"}
"""What may be asked of a committed version: children."""


def everything(served: Served, uuid: str) -> Any:
    """All that a version answers, and the whole repo beside the times of its changes."""
    info = served.http.get(f"/api/repo/{uuid}/info").json()
    for node in info["DAG"]["Nodes"].values():
        del node["Updated"]
    paths = ("keys", "keyrangevalues/%00/z", "tags", "info", "mutations")
    asked = [f"/api/node/{uuid}/{name}/{path}" for name in info["DataInstances"] for path in paths]
    shown = {path: served.http.get(path).text for path in asked}
    return shown, info["DAG"], info["DataInstances"]


def routes_of(typename: str) -> list[tuple[str, str]]:
    """(method, path behind the instance) of every route of a type that changes something."""
    table = table_of_type(load_types()[typename])
    found = {(method, e.path) for (_, method), es in table.items() for e in es if not e.reads}
    return sorted(found)


@pytest.mark.parametrize("typename", list(load_types()))
@pytest.mark.parametrize("query", ["", "?admintoken=wrong", "?admintoken=", "?admintoken=SESAME"])
def test_no_route_of_any_type_changes_a_committed_version(served: Served, typename: str, query: str) -> None:
    root = served.repo()
    kv = served.instance(root, "data", typename)
    served.http.post(f"{kv}/key/a", content=b"1")
    served.commit(root)
    before = everything(served, root)
    changing = routes_of(typename)
    assert changing
    for (method, path), body in itertools.product(changing, (b"", b"{}", b'{"a":"b"}', b"\x0a\x06\x0a\x01a\x12\x01b")):
        place = kv + path.replace("{", "").replace("}", "")
        assert served.http.request(method, place + query, content=body).status_code == 400, (method, path)
    assert everything(served, root) == before


def test_no_route_of_a_version_changes_a_committed_one(served: Served) -> None:
    root = served.repo()
    served.instance(root)
    served.commit(root)
    before = everything(served, root)
    body = json.dumps({"note": "x", "log": ["x"], "typename": "keyvalue", "dataname": "other"})
    for method, shape in StaticTable(STATIC_ROOMS)._table:
        if method in WRITES and len(shape) == 4 and shape[1] == "node" and shape[3] not in FREE:
            answer = served.http.request(method, f"/api/node/{root}/{shape[3]}", content=body)
            assert answer.status_code == 400, shape
    assert served.http.post(f"/api/repo/{root}/instance", content=body).status_code == 400
    assert everything(served, root) == before


# ---------------------------------------------------------------------- forced writes
def forced_records(served: Served, kv: str) -> list[dict[str, str]]:
    entries = served.http.get(f"{kv}/mutations?forced=true").json()
    return [entry for entry in entries if entry["Action"] == "forced-write"]


def test_the_token_writes_into_a_committed_version_and_leaves_a_record(served: Served) -> None:
    root = served.repo()
    kv = served.instance(root)
    served.commit(root)
    who = {"admintoken": TOKEN, "u": "jane", "app": "repair"}
    assert served.http.post(f"{kv}/key/a", params=who, content=b"1").status_code == 200
    assert served.http.post(f"{kv}/key/large", params=who, content=bytes(2_000_000)).status_code == 200
    assert served.http.delete(f"{kv}/key/b", params={"admintoken": TOKEN}).status_code == 200
    assert served.http.get(f"{kv}/key/a").content == b"1"
    first, second, third = forced_records(served, kv)
    assert {first["By"], first["User"], first["App"]} == {"admin token", "jane", "repair"}
    assert (first["Method"], first["Path"], first["UUID"]) == ("POST", f"{kv}/key/a", root)
    assert (second["Path"], third["Method"], third["User"]) == (f"{kv}/key/large", "DELETE", "")
    assert TOKEN not in json.dumps([first, second, third])
    for log in (f"{kv}/mutations", f"{kv}/mutations-range/{root}/{root}"):
        actions = [entry["Action"] for entry in served.http.get(f"{log}?forced=true").json()]
        assert actions == ["forced-write", "postkv", "forced-write", "postkv", "forced-write", "delete"]
        told = [entry["Action"] for entry in served.http.get(log).json()]
        assert told == ["postkv", "postkv", "delete"]  # clients of the reference know no other actions
    janes = served.http.get(f"{kv}/mutations?forced=true&userid=jane").json()
    assert [entry["Action"] for entry in janes if "Path" in entry] == ["forced-write", "forced-write"]


def test_what_is_forced_on_a_version_stands_in_the_log_of_the_repo(served: Served) -> None:
    root = served.repo()
    served.commit(root)
    who = {"admintoken": TOKEN, "u": "jane"}
    body = {"note": "corrected", "log": ["line"], "typename": "keyvalue", "dataname": "late"}
    assert served.http.post(f"/api/node/{root}/note", params=who, json=body).status_code == 200
    assert served.http.post(f"/api/node/{root}/log", params=who, json=body).status_code == 200
    assert served.http.post(f"/api/repo/{root}/instance", params={"admintoken": TOKEN}, json=body).status_code == 200
    assert served.http.post(f"/api/node/{root}/commit", params=who, json=body).status_code == 400
    assert served.http.post(f"/api/node/{root}/note", params=who, content="no json").status_code == 400
    lines = [line.split("  ", 1)[1] for line in served.http.get(f"/api/repo/{root}/log").json()["log"]]
    assert lines == [
        f"forced-write by admin token, jane: POST /api/node/{root}/note",
        f"forced-write by admin token, jane: POST /api/node/{root}/log",
        f"forced-write by admin token, unknown user: POST /api/repo/{root}/instance",
        (
            'New data instance "late" of type "keyvalue" with config'
            ' {map[dataname:late log:["line"] note:corrected typename:keyvalue]}'
        ),
    ]
    assert served.http.get(f"/api/node/{root}/note").json() == {"note": "corrected"}


def test_full_write_mode_leaves_records_too(serve: Serve) -> None:
    served = serve(fullwrite=True)
    root = served.repo()
    kv = served.instance(root)
    served.commit(root)
    assert served.http.post(f"{kv}/key/a?u=joe", content=b"1").status_code == 200
    (record,) = forced_records(served, kv)
    assert (record["By"], record["User"]) == ("full-write mode", "joe")
    assert served.http.get("/api/server/info").json()["Mode"] == "allow writes on committed nodes"


def test_writes_that_no_lock_holds_back_leave_none(served: Served) -> None:
    root = served.repo()
    kv = served.instance(root)
    free = served.instance(root, "free", versioned="false")
    served.http.post(f"{kv}/key/a", params={"admintoken": TOKEN}, content=b"1")
    served.commit(root)
    served.http.post(f"{free}/key/a", params={"admintoken": TOKEN}, content=b"1")
    assert served.http.post(f"{kv}/blobstore", params={"admintoken": TOKEN}, content=b"1").status_code == 200
    assert forced_records(served, kv) == forced_records(served, free) == []


# ---------------------------------------------------------------------- read-only
def test_a_read_only_server_refuses_every_change(serve: Serve) -> None:
    served = serve(readonly=True)
    admin = {"admintoken": TOKEN}
    assert served.http.post("/api/repos", params=admin).status_code == 400
    repo = served.server.datastore.repos.create("x")
    root = repo.record.root
    body = {"typename": "keyvalue", "dataname": "kv", "note": "x", "log": ["x"]}
    assert served.http.post(f"/api/repo/{root}/instance", json=body).status_code == 400
    assert served.http.post(f"/api/repo/{root}/instance", params=admin, json=body).status_code == 200
    kv = f"/api/node/{root}/kv"
    before = everything(served, root)
    for method, path in routes_of("keyvalue"):
        assert served.http.request(method, kv + path.replace("{", "").replace("}", "")).status_code == 400
    assert served.http.post(f"{kv}/blobstore", content=b"1").status_code == 400
    for action in ("note", "log", "commit", "branch", "newversion", "tag"):
        assert served.http.post(f"/api/node/{root}/{action}", json=body).status_code == 400
    for action in ("info", "log", "merge", "resolve"):
        assert served.http.post(f"/api/repo/{root}/{action}", json=body).status_code == 400
    assert everything(served, root) == before
    assert served.http.get("/api/server/info").json()["Mode"] == "read only"
    assert served.http.post(f"{kv}/key/a", params=admin, content=b"1").status_code == 200


# ---------------------------------------------------------------------- tokens and trust
def privileged(served: Served, query: str = "", **headers: str) -> bool:
    answers = [
        served.http.post(f"/api/repos{query}", headers=headers),
        served.http.get(f"/api/server/config{query}", headers=headers),
        served.http.get(f"/api/storage{query}", headers=headers),
        served.http.post(f"/api/server/settings{query}", headers=headers),
        served.http.post(f"/api/server/reload-auth{query}", headers=headers),
        served.http.post(f"/api/server/reload-metadata{query}", headers=headers),
        served.http.post(f"/api/server/reload-blocklist{query}", headers=headers),
    ]
    found = {answer.status_code for answer in answers}
    assert found in ({200}, {400})
    return found == {200}


def test_where_a_token_is_set_only_the_token_counts(served: Served) -> None:
    assert privileged(served, f"?admintoken={TOKEN}")
    assert privileged(served, f"?x=1&admintoken={TOKEN}", **{"X-Forwarded-For": "10.1.2.3"})
    for query in ("", "?admintoken=", "?admintoken=sesam", f"?AdminToken={TOKEN}", f"?admintoken={TOKEN}%00"):
        assert not privileged(served, query)
    assert not privileged(served, f"?admintoken=wrong&admintoken={TOKEN}")
    assert not privileged(served, "?admintoken=%ff%fe")


def test_without_a_token_this_machine_is_trusted_unless_a_proxy_speaks(serve: Serve) -> None:
    served = serve(admin_token="")
    assert privileged(served)
    assert privileged(served, "?admintoken=anything")
    for header in ("Forwarded", "X-Forwarded-For"):
        for value in ("for=127.0.0.1", "127.0.0.1", ""):
            assert not privileged(served, **{header: value})


@pytest.mark.parametrize(
    ("client", "trusted"),
    [
        *((address, True) for address in ("127.0.0.1", "127.9.9.9", "::1")),
        *((address, False) for address in ("", "localhost", "0.0.0.0", "10.0.0.1")),
    ],
)
def test_which_peers_are_this_machine(serve: Serve, client: str, trusted: bool) -> None:
    served = serve(admin_token="")
    assert served.server.is_trusted(client, {}) is trusted


def test_trust_in_this_machine_opens_no_lock(serve: Serve) -> None:
    served = serve(admin_token="")
    root = served.repo()
    kv = served.instance(root)
    served.commit(root)
    assert served.http.post(f"{kv}/key/a?admintoken=", content=b"1").status_code == 400
    assert served.http.post(f"/api/node/{root}/note?admintoken=x", json={"note": "x"}).status_code == 400
    assert served.http.get(f"{kv}/keys").json() == []


# ---------------------------------------------------------------------- commits and edits at the same time
def test_a_slow_upload_does_not_hold_a_commit_back_and_is_refused_after_it(served: Served) -> None:
    root = served.repo()
    kv = served.instance(root)
    size = 3_000_000
    for path in (f"{kv}/key/streamed", f"{kv}/keyvalues", f"{kv}/tags"):
        line = served.plain()
        line.putrequest("POST", path)
        line.putheader("Content-Length", str(size))
        line.endheaders(bytes(size // 2))
        if path.endswith("tags"):
            served.commit(root)
        line.send(bytes(size - size // 2))
        answer = line.getresponse()
        answer.read()
        line.close()
        if path.endswith("streamed"):
            assert answer.status == 200
            continue
        assert answer.status == 400
    late = served.plain()
    child = served.child(root)
    late.putrequest("POST", f"/api/node/{child}/kv/key/late")
    late.putheader("Content-Length", str(size))
    late.endheaders(bytes(size // 2))
    served.wait_until(lambda: bool(list(served.server.datastore.main.store.scan_keys(b"\x20", b"\x21"))))
    served.commit(child)
    late.send(bytes(size - size // 2))
    answer = late.getresponse()
    assert (answer.status, b"locked" in answer.read()) == (400, True)
    late.close()
    assert served.http.get(f"/api/node/{child}/kv/keys").json() == ["streamed"]
    assert served.server.datastore.gates.writing() == 0


def test_writers_and_a_commit_agree_on_what_is_in_the_version(served: Served) -> None:
    """Whatever is acknowledged is there after the commit; whatever is refused is not."""
    root = served.repo()
    kv = served.instance(root)
    accepted: list[str] = []

    def write(writer: int) -> None:
        line = served.plain()
        for number in range(200):
            line.request("POST", f"{kv}/key/{writer}-{number}", b"x")
            answer = line.getresponse()
            answer.read()
            if answer.status != 200:
                break
            accepted.append(f"{writer}-{number}")
        line.close()

    writers = [threading.Thread(target=write, args=(writer,)) for writer in range(4)]
    for writer in writers:
        writer.start()
    served.wait_until(lambda: len(accepted) > 20)
    served.commit(root)
    seen = served.http.get(f"{kv}/keys").json()
    for writer in writers:
        writer.join(20)
    assert served.http.get(f"{kv}/keys").json() == seen == sorted(accepted)
