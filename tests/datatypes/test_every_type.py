"""What instances of every type answer."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest
from msgspec import Raw
from served import Served

from dvidpy.datatypes import exchange, registry
from dvidpy.datatypes.base import TYPES, type_named
from dvidpy.datatypes.registry import BUILT_IN, load_types
from dvidpy.errors import BadRequest

ALL = sorted(load_types())
TAGGED = [name for name in ALL if "tags" not in load_types()[name].omits]
FOLDER = Path(registry.__file__).parent


@pytest.mark.parametrize("typename", ALL)
def test_info_and_help(served: Served, typename: str) -> None:
    root = served.repo()
    data = served.instance(root, "data", typename, Tags="kind=test")
    base = served.http.get(f"{data}/info").json()["Base"]
    assert (base["TypeName"], base["Name"], base["RepoUUID"]) == (typename, "data", root)
    assert base["Tags"] == {"kind": "test"}
    assert served.http.get(f"{data}/help").text == load_types()[typename].help


@pytest.mark.parametrize("typename", sorted(set(ALL) - set(TAGGED)))
def test_what_a_type_omits_is_refused(served: Served, typename: str) -> None:
    data = served.instance(served.repo(), "data", typename)
    assert served.http.get(f"{data}/tags").status_code == 400
    assert served.http.post(f"{data}/tags", json={"a": "1"}).status_code == 400


@pytest.mark.parametrize("typename", TAGGED)
def test_tags(served: Served, typename: str) -> None:
    root = served.repo()
    data = served.instance(root, "data", typename, Tags="kind=test")
    assert served.http.post(f"{data}/tags", json={"a": "1"}).status_code == 200
    assert served.http.get(f"{data}/tags").json() == {"Tags": {"kind": "test", "a": "1"}}
    assert served.http.post(f"{data}/tags?replace=true", json={}).status_code == 200
    assert served.http.get(f"{data}/tags").json() == {"Tags": {}}
    assert served.http.get(f"{served.instance(root, 'bare', typename)}/tags").json() == {"Tags": None}
    wrong: list[Any] = [{"a": 5}, {"a": None, "b": ["x"]}, [], "x", 5]
    for tags in wrong:
        assert served.http.post(f"{data}/tags", json=tags).status_code == 400, tags
    assert served.http.get(f"{data}/tags").json() == {"Tags": {}}
    assert served.http.post(f"{data}/tags", json={"a": None}).status_code == 200
    assert served.http.get(f"{data}/tags").json() == {"Tags": {"a": ""}}


NULLS = [
    ("annotation", "POST", "elements", ""),
    ("annotation", "POST", "blocks", ""),
    ("annotation", "POST", "labels", ""),
    ("annotation", "POST", "tags", ""),
    ("labelsz", "GET", "counts/AllSyn", "[]"),
    ("neuronjson", "GET", "keyvalues?json=true", "{}"),
    ("keyvalue", "GET", "keyvalues?json=true", "{}"),
    ("roi", "POST", "roi", ""),
    ("roi", "POST", "ptquery", "[]"),
    ("tarsupervoxels", "GET", "exists", "[]"),
]


@pytest.mark.parametrize(("typename", "method", "path", "answer"), NULLS)
def test_null_is_a_list_of_none(served: Served, typename: str, method: str, path: str, answer: str) -> None:
    """Go writes an empty list so, and the reference reads it so."""
    data = served.instance(served.repo(), "data", typename, **({"Extension": "drc"} if "tar" in typename else {}))
    said = served.http.request(method, f"{data}/{path}", content=b" null ")
    assert (said.status_code, said.text) == (200, answer)


def test_a_sync_of_null_follows_nobody(served: Served) -> None:
    root = served.repo()
    served.instance(root, "seg", "labelmap")
    data = served.instance(root, "data", "annotation")
    assert served.http.post(f"{data}/sync", json={"sync": "seg"}).status_code == 200
    for options, left in (("", ["seg"]), ("?replace=true", [])):
        assert served.http.post(f"{data}/sync{options}", json={"sync": None}).status_code == 200
        assert list(served.http.get(f"{data}/info").json()["Base"]["Syncs"] or []) == left
    wrong: list[Any] = [{}, {"other": "seg"}, {"sync": 5}, {"sync": ["seg"]}, None, []]
    for body in wrong:
        assert served.http.post(f"{data}/sync", json=body).status_code == 400, body


@pytest.mark.parametrize("typename", ALL)
def test_wrong_methods_and_keywords_are_400(served: Served, typename: str) -> None:
    data = served.instance(served.repo(), "data", typename)
    kind = load_types()[typename]
    for method, path in [("PUT", "info"), ("PATCH", "tags"), ("DELETE", "info"), ("GET", "sync"), ("GET", "nothing")]:
        if kind.reads_by(method, path):
            continue
        assert served.http.request(method, f"{data}/{path}").status_code == 400, (method, path)
    for path in ("mutations-range", "mutations-range/x", "mutations-range//", "blobstore", "blobstore/"):
        assert served.http.get(f"{data}/{path}").status_code == 400, path


@pytest.mark.parametrize(
    ("typename", "methods", "keywords"),
    [
        ("keyvalue", "PUT PATCH OPTIONS", "info help tags keys keyrange/a/b keyrangevalues/a/b"),
        ("neuronjson", "POST DELETE OPTIONS", "help all keys fields fieldtimes keyrange/1/2"),
        ("labelmap", "PUT DELETE PATCH", "info metadata tags label/1_2_3"),
        ("labelblk", "DELETE", "info help label/1_2_3"),
        ("uint8blk", "POST", "help metadata rawkey?x=0&y=0&z=0"),
        ("imagetile", "POST", "help"),
    ],
)
def test_where_the_reference_does_not_ask_for_the_method(
    served: Served, typename: str, methods: str, keywords: str
) -> None:
    root = served.repo()
    data = served.instance(root, "data", typename)
    for keyword, method in itertools.product(keywords.split(), methods.split()):
        read, other = served.http.get(f"{data}/{keyword}"), served.http.request(method, f"{data}/{keyword}")
        assert (other.status_code, other.text) == (200, read.text), (method, keyword)
    served.commit(root)
    for method in methods.split():
        status = 200 if method in ("PATCH", "OPTIONS") else 400
        answer = served.http.request(method, f"{data}/{keywords.split(maxsplit=1)[0]}")
        assert (answer.status_code, "of locked node" in answer.text) == (status, status == 400)


@pytest.mark.parametrize(
    ("typename", "yes", "no"),
    [
        ("annotation", "info help tags", "all-elements scan tag/a label/1 elements/1_1_1/0_0_0 blocks/1_1_1/0_0_0"),
        ("labelsz", "info help", "count/1/PreSyn top/1/PreSyn threshold/1/PreSyn tags"),
        ("roi", "info help roi", "mask/0_1_2/1_1_1/0_0_0 partition?batchsize=1 ptquery"),
        ("tarsupervoxels", "info help", "exists supervoxel/1 tags"),
        ("keyvalue", "info help tags keys keyrange/a/b keyrangevalues/a/b", "keyvalues mutations"),
        ("neuronjson", "info tags all keys fields fieldtimes keyrange/1/2", "keyvalues query key/schema"),
    ],
)
def test_head_works_where_the_reference_has_it(served: Served, typename: str, yes: str, no: str) -> None:
    data = served.instance(served.repo(), "data", typename)
    for paths, status in ((yes, 200), (no, 400)):
        for path in paths.split():
            assert served.http.head(f"{data}/{path}").status_code == status, path


def test_head_of_a_key_does_not_say_that_its_value_is_empty(served: Served) -> None:
    key = served.instance(served.repo()) + "/key/a"
    assert served.http.post(key, content=b"abc").status_code == 200
    for headers in ({}, {"Range": "bytes=0-1"}):  # short requests of known clients go another way than others
        for _ in range(3):
            answer = served.http.head(key, headers=headers)
            assert (answer.status_code, answer.headers.get("content-length")) == (200, None)
    assert served.http.get(key).headers["content-length"] == "3"


def test_names_of_a_sync_are_taken_as_they_stand(served: Served) -> None:
    root = served.repo()
    served.instance(root, "seg", "labelmap")
    points = served.instance(root, "points", "annotation")
    for names in (" seg", "seg ", ",", "seg,"):
        assert served.http.post(f"{points}/sync", json={"sync": names}).status_code == 400, names
    assert served.http.get(f"{points}/info").json()["Base"]["Syncs"] == []
    assert served.http.post(f"/api/node/{root}/seg/sync", json={"sync": ""}).status_code == 200
    assert served.http.post(f"/api/node/{root}/seg/sync", json={"sync": "seg"}).status_code == 400


def test_a_type_that_follows_none_refuses_sync(served: Served) -> None:
    kv = served.instance(served.repo())
    bodies: list[Any] = [{"sync": "kv"}, {"sync": ""}, {"sync": 5}, {}, [], "kv"]
    for body in bodies:
        for query in ("", "?replace=true"):
            assert served.http.post(f"{kv}/sync{query}", json=body).status_code == 400, body
    assert served.http.get(f"{kv}/info").json()["Base"]["Syncs"] == []


def test_mutations_of_one_user(served: Served) -> None:
    root = served.repo()
    kv = served.instance(root)
    repo = served.server.datastore.catalogue.repos[root]
    data = load_types()["keyvalue"].subject(served.server.datastore, repo, repo.root, repo.instances["kv"], None)
    for user in ("jane", "joe"):
        data.view.commit(data.change(Raw(b'{"Action":"test","User":"%b"}' % user.encode())))
    served.http.post(f"{kv}/key/a", content=b"1")
    shown = served.http.get(f"{kv}/mutations?userid=jane").json()
    assert [entry["User"] for entry in shown] == ["jane"]
    assert len(served.http.get(f"{kv}/mutations").json()) == 3
    assert len(served.http.get(f"{kv}/mutations-range/{root}/{root}?userid=joe&rangefmt=uuids").json()) == 1


def test_short_lists_of_mutations_come_whole_and_long_ones_in_pieces(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exchange, "WHOLE", 100_000)
    kv = served.instance(served.repo())
    for count in (0, 1, 1500):
        for number in range(count):
            served.http.post(f"{kv}/key/{number}", content=b"1")
        answer = served.http.get(f"{kv}/mutations")
        assert len(answer.json()) == (count if count < 2 else count + 1)
        assert ("content-length" in answer.headers) == (count < 2)


def test_blobs(served: Served) -> None:
    root = served.repo()
    kv = served.instance(root)
    first = served.http.post(f"{kv}/blobstore", content=b"blob").json()
    assert served.http.post(f"{kv}/blobstore", content=b"blob").json() == first
    served.commit(root)
    late = served.http.post(f"{kv}/blobstore", content=b"late")
    assert late.status_code == 200
    assert served.http.get(f"{kv}/blobstore/{late.json()['reference']}/ignored").content == b"late"
    assert served.http.get(f"{kv}/blobstore/" + "A" * 22 + "==").status_code == 404
    assert served.http.get(f"{kv}/blobstore/short").status_code == 400


def test_types_enter_by_one_door() -> None:
    assert list(load_types()) == ALL
    assert load_types() is TYPES
    assert all(name == kind.name for name, kind in load_types().items())
    assert {door.partition(":")[0].rpartition(".")[2] for door in BUILT_IN} <= {
        path.name for path in FOLDER.iterdir() if path.is_dir()
    }
    with pytest.raises(BadRequest):
        type_named("nothing")
