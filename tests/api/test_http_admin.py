from __future__ import annotations

import threading
import time
from typing import Any

import pytest
from served import TOKEN, Serve, Served

from dvidpy.errors import StoreError
from dvidpy.versioning import freeing

ADMIN = {"admintoken": TOKEN}
SURE = {**ADMIN, "imsure": "true"}


def settled(served: Served) -> None:
    served.wait_until(lambda: all(queue.length() == 0 for queue in served.server.datastore.queues()))


# ---------------------------------------------------------------------- who may
@pytest.mark.parametrize("query", [{}, {"imsure": "true"}, {"imsure": "true", "admintoken": "wrong"}])
def test_without_admin_rights_they_are_no_routes(served: Served, query: dict[str, str]) -> None:
    root = served.repo()
    served.instance(root)
    unknown = served.http.delete("/api/nothing")
    for method, path in [
        ("DELETE", f"repo/{root}"),
        ("DELETE", f"repo/{root}/kv"),
        ("DELETE", f"repo/{root}/absent"),
        ("DELETE", "repo/absent"),
        ("POST", f"repo/{root}/kv/rename"),
        ("POST", "server/shutdown"),
    ]:
        answer = served.http.request(method, f"/api/{path}", params=query)
        assert (answer.status_code, answer.text) == (unknown.status_code, unknown.text) == (404, "404 page not found\n")
    assert list(served.http.get(f"/api/repo/{root}/info").json()["DataInstances"]) == ["kv"]


def test_a_machine_without_a_token_is_trusted(serve: Serve) -> None:
    served = serve(admin_token="")
    root = served.repo()
    served.instance(root)
    assert served.http.delete(f"/api/repo/{root}/kv", headers={"x-forwarded-for": "10.0.0.1"}).status_code == 404
    assert served.http.delete(f"/api/repo/{root}/kv", params={"imsure": "true"}).status_code == 200


def test_a_read_only_server_takes_them_from_admins(serve: Serve) -> None:
    served = serve(readonly=True)
    root = served.server.datastore.repos.create().record.root
    assert served.http.delete(f"/api/repo/{root}").status_code == 404
    assert served.http.delete(f"/api/repo/{root}", params=SURE).status_code == 200


# ---------------------------------------------------------------------- deletion
@pytest.mark.parametrize("imsure", [None, "", "false", "yes please"])
def test_nothing_is_deleted_unless_one_is_sure(served: Served, imsure: str | None) -> None:
    root = served.repo()
    served.instance(root)
    query = {**ADMIN, **({} if imsure is None else {"imsure": imsure})}
    for path in (f"/api/repo/{root}", f"/api/repo/{root}/kv"):
        answer = served.http.delete(path, params=query)
        assert answer.status_code == 400
        assert "imsure=true" in answer.text
    assert list(served.http.get(f"/api/repo/{root}/info").json()["DataInstances"]) == ["kv"]


def test_an_instance_is_gone_at_once_and_its_name_is_free(served: Served) -> None:
    root = served.repo()
    kv = served.instance(root)
    served.http.post(f"{kv}/key/a", content=b"old")
    served.commit(root)
    child = served.child(root)
    answer = served.http.delete(f"/api/repo/{child}/kv", params=SURE)
    assert answer.json() == {"deleted": "kv"}
    for path in (f"{kv}/key/a", f"/api/node/{child}/kv/key/a", f"{kv}/info"):
        refused = served.http.get(path)
        assert refused.status_code == 400
        assert "Data 'kv' not found" in refused.text
    assert served.http.delete(f"/api/repo/{root}/kv", params=SURE).status_code == 400
    again = served.instance(child)
    assert served.http.get(f"{again}/keys").json() == []
    assert served.http.get(f"{again}/mutations").json() == []
    settled(served)
    served.http.post(f"{again}/key/a", content=b"new")
    assert served.http.get(f"{again}/key/a").content == b"new"


def test_a_repo_is_gone_at_once(served: Served) -> None:
    root, other = served.repo(alias="gone"), served.repo(alias="kept")
    served.instance(root)
    kv = served.instance(other)
    served.http.post(f"{kv}/key/a", content=b"1")
    served.commit(root)
    child = served.child(root)
    assert served.http.delete(f"/api/repo/{child}", params=SURE).json() == {"deleted": root}
    assert list(served.http.get("/api/repos/info").json()) == [other]
    for uuid in (root, child):
        assert served.http.get(f"/api/repo/{uuid}/info").status_code == 400
        assert served.http.post(f"/api/node/{uuid}/log", json={"log": ["late"]}).status_code == 400
    settled(served)
    assert served.http.get(f"{kv}/key/a").content == b"1"


def test_the_passcode_of_the_repo_is_asked_for(served: Served) -> None:
    root = served.repo(passcode="daisy")
    served.instance(root)
    asked: list[tuple[str, str, Any]] = [
        ("DELETE", f"/api/repo/{root}/kv", None),
        ("POST", f"/api/repo/{root}/kv/rename", {"name": "other"}),
        ("POST", f"/api/repo/{root}/other/rename", {"name": "kv"}),
        ("DELETE", f"/api/repo/{root}", None),
    ]
    for method, path, body in asked:
        if "other" not in path:
            for wrong in ({}, {"passcode": "rose"}, {"passcode": "é"}):
                refused = served.http.request(method, path, params={**SURE, **wrong}, json=body)
                assert refused.status_code == 400
                assert "passcode" in refused.text
                assert "daisy" not in refused.text
    for method, path, body in (*asked[1:3], asked[0], asked[3]):
        answer = served.http.request(method, path, params={**SURE, "passcode": "daisy"}, json=body)
        assert answer.status_code == 200, answer.text


def test_all_stays_up_while_much_is_freed(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(freeing, "STEP", 5)
    root = served.repo()
    kv = served.instance(root)
    other = served.instance(root, "other")
    for number in range(60):
        served.http.post(f"{kv}/key/k{number}", content=b"x" * 100)
    served.http.post(f"{other}/key/a", content=b"1")
    served.http.delete(f"/api/repo/{root}/kv", params=SURE)
    assert served.http.get(f"{other}/key/a").content == b"1"
    served.commit(root)
    settled(served)
    assert served.server.datastore.repos.deleted == {}


# ---------------------------------------------------------------------- requests under way
def test_requests_under_way_get_a_clear_answer(served: Served) -> None:
    statuses: set[tuple[int, str]] = set()
    over = threading.Event()
    at: list[str] = []

    def ask(large: bool) -> None:
        body = b"v" * (3 << 20 if large else 20)
        while not over.is_set():
            for method in ("POST", "GET", "DELETE"):
                answer = served.http.request(method, f"{at[-1]}/key/a", content=body if method == "POST" else None)
                statuses.add((answer.status_code, "" if answer.is_success else answer.text.partition(" (")[0]))

    root = served.repo()
    at.append(served.instance(root, "kv0"))
    writers = [threading.Thread(target=ask, args=(large,)) for large in (False, False, True)]
    for writer in writers:
        writer.start()
    for turn in range(1, 8):
        time.sleep(0.05)
        old = at[-1]
        served.http.delete(f"/api/repo/{root}/{old.rpartition('/')[2]}", params=SURE)
        at.append(served.instance(root, f"kv{turn}"))
    over.set()
    for writer in writers:
        writer.join()
    assert {status for status, _ in statuses} <= {200, 400, 404}
    refusals = {text for status, text in statuses if status == 400}
    assert refusals
    assert all("deleted" in text or "not found" in text for text in refusals), refusals
    settled(served)


def test_an_upload_under_way_is_refused_and_taken_back(served: Served) -> None:
    root = served.repo()
    kv = served.instance(root)
    line = served.plain()
    line.putrequest("POST", f"{kv}/key/large")
    line.putheader("content-length", str(4 << 20))
    line.endheaders()
    line.send(bytes(3 << 20))
    served.wait_until(lambda: any(True for _ in served.server.datastore.main.store.scan_keys(b"\x20", b"\x21")))
    served.http.delete(f"/api/repo/{root}/kv", params=SURE)
    settled(served)
    line.send(bytes(1 << 20))
    answer = line.getresponse()
    assert answer.status == 400
    assert b"deleted" in answer.read()
    line.close()
    served.wait_until(lambda: not list(served.server.datastore.main.store.scan_keys(b"\x20", b"\x21")))


@pytest.mark.parametrize("deleted", [True, False])
def test_a_handler_that_fails_for_a_deletion_is_told_from_a_bug(
    served: Served, monkeypatch: pytest.MonkeyPatch, deleted: bool
) -> None:
    root = served.repo()
    kv = served.instance(root)

    def fail(*_: object) -> None:
        if deleted:
            datastore = served.server.datastore
            datastore.delete_instance(datastore.catalogue.repos[root].instances["kv"])
        raise StoreError("a part is missing")

    monkeypatch.setattr("dvidpy.datatypes.keyvalue.batch_routes.parse_keyvalues", fail)
    answer = served.http.post(f"{kv}/keyvalues", content=b"")
    assert answer.status_code == (400 if deleted else 500)
    assert ("was deleted" in answer.text) == deleted


# ---------------------------------------------------------------------- renaming, the end
def test_an_instance_is_renamed(served: Served) -> None:
    root = served.repo()
    kv = served.instance(root)
    served.http.post(f"{kv}/key/a", content=b"1")
    answer = served.http.post(f"/api/repo/{root}/kv/rename", params=ADMIN, json={"name": "fresh"})
    assert answer.json() == {"renamed": "fresh"}
    assert served.http.get(f"{kv}/key/a").status_code == 400
    assert served.http.get(f"/api/node/{root}/fresh/key/a").content == b"1"
    assert len(served.http.get(f"/api/node/{root}/fresh/mutations").json()) == 1
    for body in (b"", b"{}", b'{"name": 5}', b'{"name": ""}', b'{"name": "a/b"}', b'{"name": "fresh"}'):
        refused = served.http.post(f"/api/repo/{root}/fresh/rename", params=ADMIN, content=body)
        assert refused.status_code == 400
    assert served.http.post(f"/api/repo/{root}/absent/rename", params=ADMIN, json={"name": "x"}).status_code == 400


def test_the_server_ends_when_an_admin_says_so(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    stopped: list[bool] = []
    monkeypatch.setattr(served.server, "stop", lambda: stopped.append(True))
    assert served.http.post("/api/server/shutdown").status_code == 404
    assert stopped == []
    assert served.http.post("/api/server/shutdown", params=ADMIN).status_code == 200
    assert stopped == [True]


def test_parked_work_is_visible(served: Served) -> None:
    assert "Parked background tasks" not in served.http.get("/api/server/info").json()
    queue = served.server.datastore.main.queue
    queue.parked |= {b"key"}
    assert served.http.get("/api/server/info").json()["Parked background tasks"] == "1"
    assert 'dvidpy_queue_parked{store="main"} 1.0' in served.http.get("/metrics").text
    queue.parked = frozenset()


# ---------------------------------------------------------------------- companions
def test_an_instance_and_its_lower_resolutions_are_renamed_and_deleted_together(served: Served) -> None:
    root = served.repo()
    served.instance(root, "gray", "uint8blk", Pyramid="2", BlockSize="16,16,16")
    served.instance(root, "taken_1")

    def names() -> set[str]:
        return set(served.http.get(f"/api/repo/{root}/info").json()["DataInstances"])

    for name in ("gray_1", "gray_2"):
        assert served.http.delete(f"/api/repo/{root}/{name}", params=SURE).status_code == 400
        rename = {"name": "other"}
        assert served.http.post(f"/api/repo/{root}/{name}/rename", params=ADMIN, json=rename).status_code == 400
    path = f"/api/repo/{root}/gray/rename"
    assert served.http.post(path, params=ADMIN, json={"name": "taken"}).status_code == 400
    assert names() == {"gray", "gray_1", "gray_2", "taken_1"}
    assert served.http.post(path, params=ADMIN, json={"name": "em"}).status_code == 200
    assert names() == {"em", "em_1", "em_2", "taken_1"}
    node = f"/api/node/{root}"
    assert served.http.post(f"{node}/em/raw/0_1_2/16_16_16/0_0_0", content=bytes([8]) * 4096).status_code == 200
    settled(served)
    assert served.http.get(f"{node}/em_1/raw/0_1_2/8_8_8/0_0_0").content == bytes([8]) * 512
    assert served.http.delete(f"/api/repo/{root}/em", params=SURE).status_code == 200
    assert names() == {"taken_1"}
    settled(served)
