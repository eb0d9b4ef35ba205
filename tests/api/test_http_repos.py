"""Repos, versions and references over HTTP: what a refused request must leave alone above all."""

from __future__ import annotations

import re
import secrets
import threading
from typing import Any

import pytest
from served import TOKEN, Served

ADMIN = {"admintoken": TOKEN}
DEEP = b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
NO_JSON = [b"no json", b"[]", b"5", b"null", b'"x"', b'{"a":', b"\xff\xfe", DEEP, b"\x00", b'{"note":"\\ud800"}']


def shape(served: Served, root: str) -> Any:
    """A repo without its times."""
    info = served.http.get(f"/api/repo/{root}/info").json()
    for node in info["DAG"]["Nodes"].values():
        del node["Updated"]
    return {key: value for key, value in info.items() if key != "Updated"}


def grown(served: Served) -> tuple[str, str, str]:
    """A repo with two committed branches: root, left, right."""
    root = served.repo()
    served.instance(root)
    served.commit(root)
    left, right = served.child(root), served.child(root, "branch", branch="side")
    served.commit(left)
    served.commit(right)
    return root, left, right


# ---------------------------------------------------------------------- bodies
def test_an_empty_body_counts_as_an_object_for_some_and_is_refused_by_others(served: Served) -> None:
    assert served.http.post("/api/repos", params=ADMIN, content=b" \n").status_code == 200
    root = served.repo()
    kv = served.instance(root)
    for path in (f"/api/repo/{root}/info", f"{kv}/tags"):
        assert served.http.post(path, content=b"").status_code == 200
    for path in ("commit", "note", "log"):
        assert served.http.post(f"/api/node/{root}/{path}", content=b"").status_code == 400
    for path in ("merge", "resolve", "log", "instance"):
        assert served.http.post(f"/api/repo/{root}/{path}", content=b"").status_code == 400
    served.commit(root)
    assert served.http.post(f"/api/node/{root}/newversion", content=b"").status_code == 200


@pytest.mark.parametrize("body", NO_JSON, ids=range(len(NO_JSON)))
def test_a_body_that_makes_no_sense_is_400_and_changes_nothing(served: Served, body: bytes) -> None:
    root, left, _ = grown(served)
    child = served.child(left)
    before = shape(served, root)
    for action in ("commit", "note", "log"):
        assert served.http.post(f"/api/node/{child}/{action}", content=body).status_code == 400, action
    for action in ("newversion", "branch", "tag"):
        assert served.http.post(f"/api/node/{root}/{action}", content=body).status_code == 400, action
    for action in ("merge", "resolve", "log", "instance", "info"):
        assert served.http.post(f"/api/repo/{child}/{action}", content=body).status_code == 400, action
    assert served.http.post("/api/repos", params=ADMIN, content=body).status_code == 400
    assert shape(served, root) == before
    assert list(served.http.get("/api/repos/info").json()) == [root]


# ---------------------------------------------------------------------- creation
def test_a_repo_as_it_was_asked_for(served: Served) -> None:
    root = secrets.token_hex(16)
    given = {"ALIAS": "garden", "Description": "plants", "root": root, "passcode": "x", "more": 5}
    assert served.http.post("/api/repos", params=ADMIN, json=given).json() == {"root": root}
    info = shape(served, root)
    assert (info["Alias"], info["Description"], info["Root"]) == ("garden", "plants", root)
    assert "passcode" not in str(info).lower()
    twin = served.http.post("/api/repos", params=ADMIN, json={"root": root, "alias": "twin"})
    assert twin.status_code == 400
    assert shape(served, root) == info
    for bad in ("", "a/b", "a b", "a:b", "a~1", "a^", "\x00", "x" * 201, "a\nb"):
        assert served.http.post("/api/repos", params=ADMIN, json={"root": bad}).status_code == 400, bad


def test_a_uuid_that_is_taken_is_refused_and_harms_nothing(served: Served) -> None:
    root, left, right = grown(served)
    other = served.repo(alias="other")
    served.http.post(f"/api/node/{other}/note", json={"note": "kept"})
    before, there = shape(served, root), shape(served, other)
    for taken in (root, left, right, other):
        for action, body in [
            ("newversion", {"uuid": taken}),
            ("branch", {"branch": "new", "uuid": taken}),
            ("tag", {"tag": taken}),
        ]:
            for parent in (left, right):
                assert served.http.post(f"/api/node/{parent}/{action}", json=body).status_code == 400, (action, taken)
        assert served.http.post("/api/repos", params=ADMIN, json={"root": taken}).status_code == 400
    assert (shape(served, root), shape(served, other)) == (before, there)
    assert served.http.post(f"/api/node/{left}/tag", json={"tag": "release-1"}).json() == {"child": "release-1"}
    before = shape(served, root)
    for parent in (left, right):
        assert served.http.post(f"/api/node/{parent}/tag", json={"tag": "release-1"}).status_code == 400
    assert shape(served, root) == before


def test_chosen_uuids_have_32_digits(served: Served) -> None:
    root = served.repo()
    served.commit(root)
    good = secrets.token_hex(15) + "ab"
    for bad in (good[:-1], good + "0", good.upper(), "g" * 32, "0x" + good[2:], good[:-1] + "\u0661", good + "\n"):
        assert served.http.post(f"/api/node/{root}/newversion", json={"uuid": bad}).status_code == 400, bad
    assert served.child(root, uuid=good) == good


def test_a_tag_is_locked_and_named_as_it_is_called(served: Served) -> None:
    root = served.repo()
    kv = served.instance(root)
    served.http.post(f"{kv}/key/a", content=b"1")
    assert served.http.post(f"/api/node/{root}/tag", json={"tag": "early"}).status_code == 400
    served.commit(root)
    for bad in ("", "a/b", ":", "a~1", " "):
        assert served.http.post(f"/api/node/{root}/tag", json={"tag": bad}).status_code == 400, bad
    assert served.child(root, "tag", tag="rélease-1") == "rélease-1"
    assert served.http.get("/api/node/rélease-1/kv/key/a").content == b"1"
    assert served.http.get("/api/node/rélease-1/note").json() == {"note": f'Tag of version {root} with "rélease-1"'}
    assert served.http.get("/api/node/rélease-1/status").json() == {"Locked": True}
    assert served.http.get(f"/api/repo/{root}/branch-versions/tag-rélease-1").json() == ["rélease-1", root]
    served.child(root)  # a tag takes the place of no version


def test_instances_and_their_names(served: Served) -> None:
    root = served.repo()
    place = f"/api/repo/{root}/instance"
    for name in ("two words", "größe", "status", "tag", "v1.0_a-b", "keys", "info", "日本"):
        kv = served.instance(root, name)
        assert served.http.post(f"{kv}/key/a", content=b"1").status_code == 200
        assert served.http.get(f"{kv}/keys").json() == ["a"]
    before = shape(served, root)
    bad_names: list[Any] = [
        "",
        "log",
        "branch",
        "note",
        "commit",
        "newversion",
        "a/b",
        "status",
        "\x00",
        "a\nb",
        5,
        None,
    ]
    for bad in bad_names:
        assert served.http.post(place, json={"typename": "keyvalue", "dataname": bad}).status_code == 400, bad
    for more in ({"versioned": 0}, {"versioned": None}, {"compression": "zip"}, {"checksum": 1}, {"tags": {"a": "b"}}):
        body = {"typename": "keyvalue", "dataname": "new", **more}
        assert served.http.post(place, json=body).status_code == 400, more
    assert served.http.post(place, json={"typename": "nothing", "dataname": "new"}).status_code == 400
    assert shape(served, root) == before


# ---------------------------------------------------------------------- references
def test_references_name_one_version_or_are_refused(served: Served) -> None:
    root, left, right = grown(served)
    newest = served.child(left)
    served.repo()
    good = {root: root, root[:20]: root, f"{root}:": root, f"{right}:master": newest, f"{root}:side": right}
    good |= {f"{root}:master~0": newest, f"{root}:master~1": left, f"{left}:side~1": root, f"{root}:master~2": root}
    for reference, uuid in good.items():
        assert served.http.get(f"/api/repo/{reference}/info").json()["Root"] == root
        answer = served.http.get(f"/api/node/{reference}/kv/info")
        assert answer.status_code == 200
        locked = served.http.get(f"/api/node/{reference}/status").json()["Locked"]
        assert locked == (uuid != newest)
    bad = [
        root[:-2] + "AB",
        root + "0",
        f"{root}~1",
        f"{root}^1",
        f"{root}:master~-1",
        f"{root}:~1",
        f"{root}:master~9",
    ]
    bad += [":master", ":master~-1", ":", "", f"{root}:Master", f"{root}:a:b", f"{root}:master~x", f"{root}:master~"]
    bad += [
        f"{root}:master~{'9' * 5000}",
        f"{root}:master^1",
        "%00",
        "%20",
        "*",
        "{uuid}",
        ":branch~-1",
        "~1",
        "a" * 9999,
    ]
    for reference in bad:
        for path in ("status", "note", "kv/keys", "kv/info"):
            assert served.http.get(f"/api/node/{reference}/{path}").status_code == 400, reference
        if reference:
            assert served.http.get(f"/api/repo/{reference}/info").status_code == 400, reference
            assert served.http.head(f"/api/repo/{reference}").status_code == 400
            assert served.http.post(f"/api/node/{reference}/note", json={"note": "x"}).status_code == 400
    assert served.http.head(f"/api/repo/{root}").status_code == 200


def test_an_ambiguous_beginning_is_refused(served: Served) -> None:
    stem = secrets.token_hex(14)
    for end in ("00aa", "00bb"):
        served.http.post("/api/repos", params=ADMIN, json={"root": stem + end, "alias": end})
    assert served.http.get(f"/api/repo/{stem}/info").status_code == 400
    assert served.http.get(f"/api/repo/{stem}00/info").status_code == 400
    assert served.http.get(f"/api/repo/{stem}00a/info").json()["Alias"] == "00aa"


def test_master_alone_where_there_is_one_repo(served: Served) -> None:
    root = served.repo()
    assert served.http.get("/api/node/:master/status").json() == {"Locked": False}
    assert served.http.get("/api/repo/:master/info").json()["Root"] == root


# ---------------------------------------------------------------------- merges
def test_a_refused_merge_leaves_no_version_behind(served: Served) -> None:
    root, left, right = grown(served)
    opened = served.child(left)
    stranger = served.repo()
    served.commit(stranger)
    before = shape(served, root)
    parents: list[Any] = [[], [left], [left, left], [left, opened], [opened, right], [left, stranger], [left, "nobody"]]
    parents += [[left, right, opened], [left, ""], "x", None, [5, 6], [left, left[:10]], {}]
    for kind in ("conflict-free", "other", "", None, 5):
        for given in parents + ([[left, right]] if kind != "conflict-free" else []):
            body = {"mergeType": kind, "parents": given, "note": "no"}
            assert served.http.post(f"/api/repo/{root}/merge", json=body).status_code == 400, body
    for given in parents:
        for data in (["kv"], ["nobody"], [], None, "kv", [5]):
            body = {"data": data, "parents": given}
            assert served.http.post(f"/api/repo/{root}/resolve", json=body).status_code == 400, body
    assert shape(served, root) == before
    body = {"mergeType": "conflict-free", "parents": [left[:20], f"{root}:side"], "note": "both"}
    child = served.http.post(f"/api/repo/{root}/merge", json=body).json()["child"]
    node = shape(served, root)["DAG"]["Nodes"][child]
    assert (node["Branch"], node["Note"], node["Locked"], len(node["Parents"])) == ("", "both", False, 2)


def test_master_does_not_move_to_the_child_of_a_merge(served: Served) -> None:
    root, left, right = grown(served)
    body = {"mergeType": "conflict-free", "parents": [left, right]}
    merged = served.http.post(f"/api/repo/{root}/merge", json=body).json()["child"]
    seen = {tuple(served.http.get(f"/api/repo/{root}/branch-versions/master").json()) for _ in range(20)}
    assert seen == {(left, root)}
    served.commit(merged)
    after = served.child(merged)
    assert served.http.get(f"/api/node/{after}/kv/keys").json() == []


# ---------------------------------------------------------------------- notes, logs, commits
def test_a_note_stays_where_none_is_given(served: Served) -> None:
    root = served.repo()
    place = f"/api/node/{root}/note"
    assert served.http.post(place, json={"note": "kept"}).status_code == 200
    for body in (b"", b"{}", b'{"text":"x"}', b'{"note":5}', b'{"note":null}', b"no json"):
        assert served.http.post(place, content=body).status_code == 400
        assert served.http.get(place).json() == {"note": "kept"}
    assert served.http.post(f"/api/node/{root}/commit", json={"note": ""}).status_code == 200
    assert served.http.get(place).json() == {"note": "kept"}


def test_log_lines_carry_their_time(served: Served) -> None:
    root = served.repo()
    for place in (f"/api/repo/{root}/log", f"/api/node/{root}/log"):
        assert served.http.get(place).json() == {"log": []}
        assert served.http.post(place, json={"log": ["first", "zweite ü\n"]}).status_code == 200
        for bad in ({"lines": ["x"]}, {"log": "x"}, {"log": [1]}, {"log": None}, {"log": ["fine", None]}):
            assert served.http.post(place, json=bad).status_code == 400
        lines = served.http.get(place).json()["log"]
        texts = [re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:Z|[+-]\d\d:\d\d)  ((?s:.*))", line) for line in lines]
        assert [text and text[1] for text in texts] == ["first", "zweite ü\n"]


def test_a_commit_works_once_and_locks(served: Served) -> None:
    root = served.repo()
    assert served.http.get(f"/api/node/{root}/status").json() == {"Locked": False}
    answer = served.http.post(f"/api/node/{root}/commit", json={"note": "done", "log": ["line"]})
    assert answer.json() == {"committed": root}
    for params in (None, ADMIN):
        assert served.http.post(f"/api/node/{root}/commit", params=params, json={"note": "again"}).status_code == 400
    assert served.http.get(f"/api/node/{root}/commit").json() == {"Locked": True}
    assert served.http.get(f"/api/node/{root}/note").json() == {"note": "done"}


def test_the_rules_of_children(served: Served) -> None:
    root = served.repo()
    for action, body in [("newversion", {}), ("branch", {"branch": "b"}), ("tag", {"tag": "t"})]:
        assert served.http.post(f"/api/node/{root}/{action}", json=body).status_code == 400
    served.commit(root)
    side = served.child(root, "branch", branch="side")
    served.child(root)
    before = shape(served, root)
    wrong: list[tuple[str, dict[str, Any]]] = [
        ("newversion", {}),
        ("branch", {"branch": "side"}),
        ("branch", {"branch": "master"}),
        ("branch", {"branch": ""}),
        ("branch", {}),
        ("branch", {"branch": 5}),
    ]
    for action, body in wrong:
        assert served.http.post(f"/api/node/{root}/{action}", json=body).status_code == 400, body
    assert shape(served, root) == before
    served.commit(side)
    same = served.child(side, "branch", branch="side")
    assert served.http.get(f"/api/repo/{root}/branch-versions/side").json() == [same, side, root]
    assert served.http.post(f"/api/node/{side}/newversion", json={}).status_code == 400


# ---------------------------------------------------------------------- many at once
def test_repos_versions_and_reads_at_the_same_time(served: Served) -> None:
    """The reference dies of it."""
    root = served.repo()
    served.commit(root)
    wrong: list[int] = []
    children: list[str] = []

    def work(worker: int) -> None:
        line = served.plain()
        for number in range(25):
            body = b'{"branch":"b%d-%d"}' % (worker, number)
            for method, path in [
                ("POST", f"/api/repos?admintoken={TOKEN}"),
                ("GET", "/api/repos/info"),
                ("POST", f"/api/node/{root}/branch"),
                ("POST", f"/api/repo/{root}/log"),
                ("GET", f"/api/repo/{root}/info"),
            ]:
                given = {"branch": body, "log": b'{"log":["x"]}'}.get(path.rpartition("/")[2], b"")
                line.request(method, path, given if method == "POST" else None)
                answer = line.getresponse()
                text = answer.read()
                if answer.status != 200:
                    wrong.append(answer.status)
                if path.endswith("branch"):
                    children.append(text.decode())
        line.close()

    workers = [threading.Thread(target=work, args=(worker,)) for worker in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert wrong == []
    assert len(set(children)) == 100
    info = served.http.get("/api/repos/info").json()
    assert len(info) == 101
    assert len(info[root]["DAG"]["Nodes"]) == 101
    assert len(info[root]["Log"]) == 100
    versions = [node["VersionID"] for repo in info.values() for node in repo["DAG"]["Nodes"].values()]
    assert len(set(versions)) == len(versions) == 201


def test_the_log_of_a_repo_tells_of_new_instances_and_syncs(served: Served) -> None:
    root = served.repo()
    served.instance(root, 'no"tes', Tags="a=b", versioned=False)
    served.instance(root, "seg", "labelmap")
    points = served.instance(root, "points", "annotation")
    uuid = served.http.get(f"/api/node/{root}/seg/info").json()["Base"]["DataUUID"]
    for query, names in (("", "seg"), ("", ""), ("?replace=true", "")):
        assert served.http.post(f"{points}/sync{query}", json={"sync": names}).status_code == 200
    told = [line.partition("  ")[2] for line in served.http.get(f"/api/repo/{root}/log").json()["log"]]
    assert told == [
        (
            'New data instance "no\\"tes" of type "keyvalue" with config'
            ' {map[dataname:no"tes tags:a=b typename:keyvalue versioned:false]}'
        ),
        (
            'New data instance "seg" of type "labelmap" with config'
            " {map[blocksize:64,64,64 compression:gzip dataname:seg typename:labelmap]}"
        ),
        'New data instance "points" of type "annotation" with config {map[dataname:points typename:annotation]}',
        f'Data instance "points" set to sync with map[{uuid}:{{}}]',
        'Data instance "points" set to sync with map[]',
    ]


def test_the_log_of_a_repo_tells_the_compression_of_tiles(served: Served) -> None:
    root = served.repo()
    for name, settings, told in (
        ("a", {}, "compression:none dataname:a"),
        ("b", {"Format": "LZ4"}, "compression:lz4 dataname:b format:LZ4"),
    ):
        served.instance(root, name, "imagetile", **settings)
        line = served.http.get(f"/api/repo/{root}/log").json()["log"][-1]
        assert line.endswith(f"with config {{map[{told} typename:imagetile]}}")


def test_members_of_commit_branch_and_merge_ignore_case_and_null(served: Served) -> None:
    root = served.repo()
    served.instance(root)
    assert served.http.post(f"/api/node/{root}/commit", json={"Note": "done", "LOG": None}).status_code == 200
    assert served.http.get(f"/api/node/{root}/note").json() == {"note": "done"}
    sides = []
    for side in ("left", "right"):
        grown = served.http.post(f"/api/node/{root}/branch", json={"Branch": side, "note": None, "uuid": None})
        sides.append(grown.json()["child"])
        served.commit(sides[-1])
    given = {"MergeType": "conflict-free", "Parents": sides, "Note": "joined"}
    child = served.http.post(f"/api/repo/{root}/merge", json=given).json()["child"]
    assert served.http.get(f"/api/node/{child}/note").json() == {"note": "joined"}
    assert served.http.post(f"/api/node/{root}/note", json={"Note": "as recorded"}).status_code == 400


def test_unknown_routes_of_unknown_or_locked_versions_are_bad_requests(served: Served) -> None:
    nobody, root, locked = "f" * 32, served.repo(), served.repo()
    served.commit(locked)
    for path in (f"repo/{nobody}", f"repo/{nobody}/nothing/x", f"node/{nobody}", f"node/{nobody}/nothing"):
        assert served.http.get(f"/api/{path}").status_code == 400, path
    for path in (f"repo/{root}", f"repo/{root}/nothing", f"node/{root}/nothing"):
        assert served.http.get(f"/api/{path}").status_code == 404, path
    for path in (f"node/{locked}", f"node/{locked}/note", f"node/{locked}/nothing"):
        assert served.http.put(f"/api/{path}").status_code == 400, path
        assert served.http.put(f"/api/{path}", params=ADMIN).status_code == 404, path
    for path in (f"node/{locked}/tag", f"node/{root}/note", f"repo/{locked}/info"):
        assert served.http.put(f"/api/{path}").status_code == 404, path
