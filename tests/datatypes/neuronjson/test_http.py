"""neuronjson over HTTP, where the recordings of the reference say nothing."""

from __future__ import annotations

import gzip
import json
import threading
from pathlib import Path
from typing import Any

import pytest
from served import TOKEN, Served

from dvidpy.datatypes.keyvalues.messages import encode_keyvalues, parse_keyvalues
from dvidpy.datatypes.neuronjson import tables, transfers
from dvidpy.datatypes.neuronjson.annotations import Annotations
from dvidpy.versioning.catalogue import find_instance

NEURONS: list[dict[str, Any]] = [
    {"bodyid": 1000, "type": "KC", "size": 12},
    {"bodyid": 200, "type": "MBON"},
    {"bodyid": 30},
]


@pytest.fixture
def nj(served: Served) -> str:
    path = served.instance(served.repo(), "nj", "neuronjson")
    for neuron in NEURONS:
        write(served, path, neuron)
    return path


def write(served: Served, path: str, fields: dict[str, Any], **options: str) -> int:
    answer = served.http.post(f"{path}/key/{fields['bodyid']}", params={"u": "ann"} | options, json=fields)
    return answer.status_code


def query(served: Served, path: str, asked: Any, **options: str) -> Any:
    answer = served.http.post(f"{path}/query", params=options, json=asked)
    assert answer.status_code == 200, answer.text
    return answer.json()


def child(served: Served, path: str, action: str = "newversion", **settings: str) -> str:
    uuid = path.split("/")[3]
    if not served.http.get(f"/api/node/{uuid}/commit").json()["Locked"]:
        served.commit(uuid)
    return f"/api/node/{served.child(uuid, action, **settings)}/nj"


def subject(served: Served, path: str) -> Annotations:
    datastore = served.server.datastore
    place = datastore.catalogue.find(path.split("/")[3])
    return Annotations(datastore, place.repo, place.node, find_instance(place.repo, "nj"), None)


# ---------------------------------------------------------------------- order and versions
def test_order_is_by_number_on_the_newest_master_and_by_digits_elsewhere(served: Served, nj: str) -> None:
    side = child(served, nj, "branch", branch="side")
    newest = child(served, nj)
    for path, order in ((newest, ["30", "200", "1000"]), (side, ["1000", "200", "30"]), (nj, ["1000", "200", "30"])):
        assert served.http.get(f"{path}/keys").json() == order
        assert served.http.get(f"{path}/keyrange/0/a").json() == order
        pairs = parse_keyvalues(served.http.get(f"{path}/keyrangevalues/0/a").content)
        assert [key for key, _ in pairs] == order
        assert query(served, path, {"bodyid": "exists/1"}, onlyid="true") == list(map(int, order))
        assert served.http.get(f"{path}/keyrange/30/200").json() == [key for key in order if key != "1000"]
        assert query(served, path, {"size": 12}, fields="size") == [{"bodyid": 1000, "size": 12}]


def test_a_forced_edit_of_a_locked_version_is_seen_below(served: Served, nj: str) -> None:
    below = child(served, nj)
    assert [one["bodyid"] for one in query(served, below, {"type": "KC"})] == [1000]
    assert write(served, nj, {"bodyid": 30, "type": "KC"}, admintoken=TOKEN) == 200
    assert [one["bodyid"] for one in query(served, below, {"type": "KC"})] == [30, 1000]


def test_an_annotation_that_merged_parents_disagree_about_is_not_found(served: Served, nj: str) -> None:
    ours, theirs = child(served, nj, "branch", branch="a"), child(served, nj, "branch", branch="b")
    uuids = [path.split("/")[3] for path in (ours, theirs)]
    for path in (ours, theirs):
        write(served, path, {"bodyid": 1000, "type": path})
    for uuid in uuids:
        served.commit(uuid)
    root = nj.split("/")[3]
    merge = {"mergeType": "conflict-free", "parents": uuids, "note": ""}
    merged = f"/api/node/{served.http.post(f'/api/repo/{root}/merge', json=merge).json()['child']}/nj"
    assert query(served, merged, {"type": "re/."}, onlyid="true") == [200]
    write(served, merged, {"bodyid": 1000, "type": "both"})
    assert query(served, merged, {"type": "re/."}, onlyid="true") == [1000, 200]


# ---------------------------------------------------------------------- queries
@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({"flag": True}, [1]),
        ({"flag": 1}, []),
        ({"real": [0.5]}, [1]),
        ({"real": 0.5}, []),
        ({"big": 18446744073709551615}, [1]),
        ({"list": "re/^x\\d$"}, [1]),
        ({"list": 7}, [1]),
        ({"none": None}, []),
        ({"list": {"a": 1}}, []),
        ([{}, {"flag": 1}], [1, 2]),
        ({}, []),
        ({"bodyid": [2, 1, 2]}, [2, 1, 2]),
        ({"bodyid": ["re/1"]}, []),
        ({"bodyid": -1}, []),
        ({"bodyid": 1 << 70}, []),
        ({"list": ["re/(?i)X", 5]}, [1]),
        ({"": "exists/0"}, [1, 2]),
        ({'q"\\': "x"}, [2]),
        ({"flag_user": "ann"}, [1]),
        ({"text": "re/\\Aa"}, [2]),
        ({"text": "re/^b"}, []),
        ({"text": "re/b"}, [2]),
    ],
)
def test_queries(served: Served, asked: Any, found: list[int]) -> None:
    path = served.instance(served.repo(), "nj", "neuronjson")
    write(
        served, path, {"bodyid": 1, "flag": True, "real": 0.5, "big": (1 << 64) - 1, "list": ["x1", 7, None, {"a": 1}]}
    )
    write(served, path, {"bodyid": 2, 'q"\\': "x", "text": "a\nb"})
    assert [one["bodyid"] for one in query(served, path, asked)] == found


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[null]",
        b"[[]]",
        b'{"type": "re/("}',
        b'{"type": ["re/a{1001}"]}',
        b"\xff",
        b'{"a": "\\ud800"}',
        json.dumps([{"a": 1}] * 1001).encode(),
        json.dumps({f"f{n}": 1 for n in range(65)}).encode(),
        b"[" * 5000,
    ],
)
def test_what_is_no_query_is_refused(served: Served, nj: str, body: bytes) -> None:
    answer = served.http.post(f"{nj}/query", content=body)
    assert (answer.status_code, answer.headers["content-type"].partition(";")[0]) == (400, "text/plain")


def test_fields_and_times_follow_edits(served: Served, nj: str) -> None:
    write(served, nj, {"bodyid": 30, "x": 1, "x_time": "2001-01-01T00:00:00Z"})
    write(served, nj, {"bodyid": 200, "x": 1, "x_time": "2002-01-01T00:00:00Z"})
    assert served.http.get(f"{nj}/fieldtimes").json()["x"] == "2002-01-01T00:00:00Z"
    served.http.delete(f"{nj}/key/200")
    assert served.http.get(f"{nj}/fieldtimes").json()["x"] == "2001-01-01T00:00:00Z"
    served.http.delete(f"{nj}/key/30")
    assert "x" not in served.http.get(f"{nj}/fields").json()
    assert served.http.get(f"{nj}/keys").json() == ["1000"]


def test_annotations_larger_than_a_part(served: Served, nj: str) -> None:
    long = "x" * (3 << 20)
    assert write(served, nj, {"bodyid": 5, "type": long}) == 200
    assert served.http.get(f"{nj}/key/5").json()["type"] == long
    assert query(served, nj, {"type": "re/x$"}, onlyid="true") == [5]
    assert served.http.get(f"{nj}/keyvalues?json=true", params={"json": "true"}).status_code == 400
    answer = served.http.request("GET", f"{nj}/keyvalues", params={"json": "true"}, content=b"[5, 30]")
    assert answer.json()["5"]["type"] == long
    assert write(served, nj, {"bodyid": 5, "type": "short"}) == 200
    assert query(served, nj, {"type": "short"}, onlyid="true") == [5]


def test_edits_at_once_lose_nothing(served: Served, nj: str) -> None:
    def many(name: str) -> None:
        for number in range(20):
            assert write(served, nj, {"bodyid": 7, f"{name}{number}": number}) == 200
            query(served, nj, {f"{name}{number}": number}, onlyid="true")

    threads = [threading.Thread(target=many, args=(name,)) for name in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    expected = {f"{name}{number}": number for name in "abc" for number in range(20)}
    assert served.http.get(f"{nj}/key/7").json() == {"bodyid": 7} | expected
    assert query(served, nj, expected, onlyid="true") == [7]


def test_memory_is_bounded(served: Served, nj: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "TABLES", 2)
    paths = [nj]
    for _ in range(3):
        paths.append(child(served, paths[-1]))
    for path in paths:
        assert query(served, path, {"type": "KC"}, onlyid="true") == [1000]
        assert query(served, path, {"size": 12, "none": "exists/0"}, onlyid="true") == [1000]
    held = tables.tables_of(served.server.datastore)
    assert len(held._tables) == 2
    one, other = held._tables.values()
    assert one.packed_of(1000) is other.packed_of(1000)
    monkeypatch.setattr(tables, "BYTES", 1)
    query(served, nj, {"type": "KC"})
    assert len(held._tables) == 1


# ---------------------------------------------------------------------- schemas
@pytest.mark.parametrize(
    "schema",
    [
        "",
        "5",
        "[]",
        '{"type": 5}',
        '{"$ref": "http://127.0.0.1:1/x"}',
        '{"$ref": "file:///etc/passwd"}',
        '{"pattern": "(("}',
        '{"pattern": "(?=a)"}',
    ],
)
def test_what_is_no_json_schema_is_refused(served: Served, nj: str, schema: str) -> None:
    assert served.http.post(f"{nj}/json_schema", content=schema).status_code == 400
    assert served.http.head(f"{nj}/json_schema").status_code == 404


def test_a_deleted_schema_binds_nobody(served: Served, nj: str) -> None:
    served.http.post(f"{nj}/json_schema", json={"properties": {"size": {"type": "integer"}}})
    assert write(served, nj, {"bodyid": 30, "size": "big"}) == 400
    assert served.http.delete(f"{nj}/json_schema").status_code == 200
    assert write(served, nj, {"bodyid": 30, "size": "big"}) == 200


def test_texts_become_integers_wherever_a_schema_wants_them(served: Served, nj: str) -> None:
    integers = {"type": "array", "items": {"type": "integer"}}
    schema = {"properties": {"sizes": integers, "in": {"properties": {"n": {"type": "integer"}}}}}
    assert served.http.post(f"{nj}/json_schema", json=schema).status_code == 200
    assert write(served, nj, {"bodyid": 30, "sizes": ["007", 5, "-1"], "in": {"n": "+3"}}) == 200
    assert served.http.get(f"{nj}/key/30").json() == {"bodyid": 30, "sizes": [7, 5, -1], "in": {"n": 3}}
    assert write(served, nj, {"bodyid": 30, "sizes": ["9" * 19]}) == 400
    assert write(served, nj, {"bodyid": 30, "sizes": ["1.5"]}) == 400


@pytest.mark.parametrize("field", ["size_time", "size_user"])
def test_who_and_when_must_be_texts(served: Served, nj: str, field: str) -> None:
    assert write(served, nj, {"bodyid": 30, field: 5}) == 400
    assert write(served, nj, {"bodyid": 30, "size": 5}) == 200


# ---------------------------------------------------------------------- many
def test_a_batch_is_one_edit(served: Served, nj: str) -> None:
    schema = b'{"v": 1}'
    pairs = [("schema", schema), ("5", b'{"bodyid": 5, "a": 1}'), ("5", b'{"bodyid": 5, "b": 2}')]
    assert served.http.post(f"{nj}/keyvalues?u=ann", content=encode_keyvalues(pairs)).status_code == 200
    asked = json.dumps(["schema", "5", "6"])
    answer = served.http.request("GET", f"{nj}/keyvalues?json=true", content=asked)
    assert answer.json() == {"schema": {"v": 1}, "5": {"bodyid": 5, "a": 1, "b": 2}}
    root = nj.split("/")[3]
    said = served.http.get(f"{nj}/mutations-range/{root}/{root}").json()
    assert [(one["Key"], one["User"]) for one in said[-3:]] == [("schema", "ann"), ("5", "ann"), ("5", "ann")]


@pytest.mark.parametrize("asked", [b"[1.5]", b"[true]", b'["abc"]', b'[1, "2"]', b"[-1]", b'["18446744073709551616"]'])
def test_what_is_no_list_of_bodies_is_refused(served: Served, nj: str, asked: bytes) -> None:
    assert served.http.request("GET", f"{nj}/keyvalues?json=true", content=asked).status_code == 400


def test_all_in_gzip(served: Served, nj: str) -> None:
    request = served.plain()
    request.request("GET", f"{nj}/all?show=user", headers={"Accept-Encoding": "br, GZIP;q=0.5"})
    answer = request.getresponse()
    assert answer.headers["content-encoding"] == "gzip"
    found = json.loads(gzip.decompress(answer.read()))
    assert found == [
        {"bodyid": 200, "type": "MBON", "type_user": "ann"},
        {"bodyid": 1000, "size": 12, "size_user": "ann", "type": "KC", "type_user": "ann"},
    ]
    request.request("GET", f"{nj}/all", headers={"Accept-Encoding": "gzip;q=0, br"})
    assert request.getresponse().headers.get("content-encoding") is None
    request.close()


def test_ingest(served: Served, nj: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfers, "TOGETHER", 2)
    many = [{"bodyid": number, "n": number} for number in range(1, 8)]
    assert served.http.post(f"{nj}/ingest-neuronjson?u=ann", json=many).json() == {"ingested": 7}
    assert query(served, nj, {"n": [1, 7]}, onlyid="true") == [1, 7]
    for bad in [[{"bodyid": 9}, {"n": 1}], {}, [5], [{"bodyid": 0}], [{"bodyid": 9, "a_time": 5}]]:
        assert served.http.post(f"{nj}/ingest-neuronjson?u=ann", json=bad).status_code == 400
    assert served.http.post(f"{nj}/ingest-neuronjson", json=many).status_code == 400
    assert served.http.get(f"{nj}/key/9").status_code == 404


def test_import(served: Served, nj: str) -> None:
    kv = served.instance(nj.split("/")[3], "old")
    values = {
        "5": b'{"a": 1, "a_user": "zoe", "none": null}',
        "30": b'{"bodyid": 30, "a": 2}',
        "6": b'{"bodyid": 7}',
        "text": b"{}",
        "schema": b'{"v": 1}',
        "json_schema": b"5",
        "7": b"no json",
        "8": b'{"a_time": 5}',
    }
    served.http.post(f"{kv}/keyvalues", content=encode_keyvalues(list(values.items())))
    assert served.http.post(f"{nj}/import-kv/old").json() == {"imported": 2, "schemas": 1, "skipped": 5}
    assert served.http.get(f"{nj}/key/5?show=all").json() == {"bodyid": 5, "a": 1, "a_user": "zoe"}
    assert query(served, nj, {"a": "exists/1"}, onlyid="true") == [5, 30]
    assert served.http.get(f"{nj}/schema").json() == {"v": 1}
    for name in ("nothing", "nj"):
        assert served.http.post(f"{nj}/import-kv/{name}").status_code == 400


def test_what_versions_changed(served: Served, nj: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfers, "_PIECE", 10)
    below = child(served, nj)
    write(served, below, {"bodyid": 5, "a": 1, "a_time": "t"})
    served.http.delete(f"{below}/key/30")
    expected = [{"bodyid": 5, "a": 1, "a_user": "ann", "a_time": "t"}, {"bodyid": 30, "tombstone": True}]
    assert served.http.get(f"{below}/version-changes").json() == expected
    empty = child(served, below)
    assert served.http.get(f"{empty}/version-changes").json() == []
    files = transfers.write_changes(subject(served, below), tmp_path / "out")
    assert {file.stem for file in files} == {nj.split("/")[3], below.split("/")[3]}
    assert json.loads((tmp_path / "out" / f"{below.split('/')[3]}.json").read_text()) == expected


def test_a_body_is_named_by_a_number_without_a_point(served: Served) -> None:
    path = served.instance(served.repo(), "nj", "neuronjson")
    for body in ('{"bodyid": 7.0}', '{"bodyid": 7e0}'):
        assert served.http.post(f"{path}/key/7?u=ann", content=body).status_code == 400
    assert served.http.get(f"{path}/keys").json() == []


def test_an_empty_pattern_in_a_list_is_a_text(served: Served) -> None:
    path = served.instance(served.repo(), "nj", "neuronjson")
    for body, text in ((1, "re/"), (2, "KC")):
        assert served.http.post(f"{path}/key/{body}?u=ann", json={"bodyid": body, "type": text}).status_code == 200
    for asked, found in ((["re/"], [1]), ("re/", [1, 2])):
        answer = served.http.request("GET", f"{path}/query?onlyid=true", json={"type": asked})
        assert answer.json() == found
