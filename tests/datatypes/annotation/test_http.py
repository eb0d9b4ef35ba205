"""Annotations over HTTP: what is refused leaves everything as it was; lists of any shape; merges of versions."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from annotated import Element, element
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from dvidpy.datatypes.annotation import elements, pieces
from dvidpy.datatypes.annotation.elements import parse_list
from dvidpy.errors import BadRequest

SYNAPSE = [
    element((10, 20, 30), "PreSyn", ["T1"], [(12, 20, 30), (700, 0, 0)]),
    element((12, 20, 30), "PostSyn", ["T1", "T2"], [(10, 20, 30)]),
    element((700, 0, 0), "PostSyn", ["T2"]),
]
GARBAGE = [
    b"x",
    b"{}",
    b'[{"Kind":"Note"}]',
    b'[{"Pos":[1,2,3],"Kind":"note"}]',
    b'[{"Pos":[1,2],"Kind":"Note"}]',
    b'[{"Pos":[1,2,3000000000]}]',
    b'[{"Pos":[1,2,3],"Tags":[""]}]',
    b'[{"Pos":[1,2,3],"Tags":[7]}]',
    b'[{"Pos":[1,2,3],"Prop":{"a":1}}]',
    b'[{"Pos":[1,2,3],"Rels":[{"Rel":"PreSynTo"}]}]',
    b'[{"Pos":[1,2,3],"Tags":["\xff"]}]',
    b'[{"Pos":[1,2,3]},',
    b"[" * 100_000,
    b'[{"Pos":[1,2,3]},{"Pos":[900,900,900],"Kind":"Bogus"}]',
]


@pytest.fixture(params=[elements.LONG, 0], ids=["short", "long"])
def a(client: TestClient, repo: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """An instance; lists that are posted are taken for short ones, or for long ones."""
    monkeypatch.setattr(elements, "LONG", request.param)
    made = client.post(f"/api/repo/{repo}/instance", json={"typename": "annotation", "dataname": "a"})
    assert made.status_code == 200
    return f"/api/node/{repo}/a"


def everything(client: TestClient, path: str) -> list[Element]:
    blocks = client.get(f"{path}/all-elements").json()
    return sorted((one for block in blocks.values() for one in block), key=lambda one: one["Pos"])


def points(client: TestClient, path: str) -> list[Any]:
    return sorted(one["Pos"] for one in client.get(path).json() or [])


def test_garbage_changes_nothing(client: TestClient, a: str) -> None:
    assert client.post(f"{a}/elements", json=SYNAPSE).status_code == 200
    before = everything(client, a)
    for body in GARBAGE:
        answer = client.post(f"{a}/elements", content=body)
        assert (answer.status_code, answer.headers["content-type"]) == (400, "text/plain; charset=utf-8")
        assert client.post(f"{a}/blocks", content=b'{"0,0,0":' + body + b"}").status_code == 400
    for name in ("1,2", "a,b,c", "1,2,99999999999", "5,0,0", ""):
        assert client.post(f"{a}/blocks", json={name: [SYNAPSE[0]]}).status_code == 400
    for label in ("-1", "x", str(1 << 64), "9" * 5000):
        assert client.post(f"{a}/labels", json={label: "[]"}).status_code == 400
        assert client.get(f"{a}/label/{label}").status_code == 400
    assert client.post(f"{a}/labels", json={"1": "[{}]"}).status_code == 400
    for place in ("move/10_20_30/12_20_30", "move/10_20_30/1_2", "move/0_0_0/1_1_1", "move/10_20_30/1_2_3000000000"):
        assert client.post(f"{a}/{place}").status_code == 400
    assert client.delete(f"{a}/element/0_0_0").status_code == 400
    assert everything(client, a) == before
    assert points(client, f"{a}/tag/T1") == [[10, 20, 30], [12, 20, 30]]


@given(st.binary(max_size=60) | st.text(max_size=40).map(str.encode))
def test_any_bytes_are_elements_or_refused(body: bytes) -> None:
    with suppress(BadRequest):
        assert all(len(one.Pos) == 3 for one in parse_list(body))


def test_the_largest_boxes_give_what_is_there(client: TestClient, a: str) -> None:
    ends = [element((-(1 << 31),) * 3), element(((1 << 31) - 1,) * 3, tags=["end"])]
    assert client.post(f"{a}/elements", json=ends).status_code == 200
    side = (1 << 31) - 1
    assert points(client, f"{a}/elements/{side}_{side}_{side}/-2147483648_-2147483648_-2147483648") == [
        [-(1 << 31)] * 3
    ]
    assert points(client, f"{a}/elements/{side}_{side}_{side}/{side}_{side}_{side}") == [[side] * 3]
    assert points(client, f"{a}/tag/end?relationships=verbose") == [[side] * 3]


def test_two_elements_at_a_point_are_refused(client: TestClient, a: str) -> None:
    twice = [element((1, 1, 1), "Gap", ["old"]), element((5, 1, 1)), element((1, 1, 1), "Note", ["new"])]
    for sent in (twice, [*twice, *(element((x, 9, 9)) for x in range(100))]):
        answer = client.post(f"{a}/elements", json=sent)
        assert (answer.status_code, "members 0 and 2" in answer.text) == (400, True)
    assert client.post(f"{a}/blocks", json={"0,0,0": twice}).status_code == 400
    assert everything(client, a) == []
    assert client.post(f"{a}/elements", json=twice[:2]).status_code == 200
    assert client.post(f"{a}/elements", json=twice[2:]).status_code == 200
    assert everything(client, a) == [twice[2], twice[1]]
    assert points(client, f"{a}/tag/old") == []


def test_a_large_post_is_several_edits_and_all_of_it_is_looked_at_first(
    client: TestClient, a: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pieces, "AT_ONCE", 100)
    sent = [element((600 * (number % 10), number, 0), "PreSyn", ["t"]) for number in range(350)]
    bad = [*sent[:300], {"Pos": [1, 2, 3], "Kind": "nonsense"}]
    answer = client.post(f"{a}/elements", json=bad)
    assert (answer.status_code, "member 300" in answer.text) == (400, True)
    assert everything(client, a) == []
    assert client.post(f"{a}/elements", json=sent).status_code == 200
    assert everything(client, a) == sorted(sent, key=lambda one: one["Pos"])
    assert points(client, f"{a}/tag/t") == sorted(one["Pos"] for one in sent)
    found = client.get(f"{a}/mutations").json()
    assert [one["Elements"] for one in found] == [105, 105, 105, 35]


def test_relationships_from_far_away_follow(client: TestClient, a: str) -> None:
    far = element((9000, 0, 0), "PreSyn", to=[(1, 1, 1)])
    client.post(f"{a}/elements", json=[far, element((1, 1, 1))])
    assert client.post(f"{a}/move/1_1_1/-3000_5_5").status_code == 200
    assert everything(client, a)[1]["Rels"] == [{"Rel": "GroupedWith", "To": [-3000, 5, 5]}]
    assert client.delete(f"{a}/element/-3000_5_5").status_code == 200
    assert everything(client, a) == [far | {"Rels": []}]


def test_kafkalog_off_leaves_no_record(client: TestClient, a: str) -> None:
    client.post(f"{a}/elements?u=jo", json=SYNAPSE)
    client.post(f"{a}/move/700_0_0/701_0_0?kafkalog=off")
    (said,) = client.get(f"{a}/mutations").json()
    assert (said["Action"], said["Elements"], said["User"]) == ("element-post", 3, "jo")


def test_a_merge_of_versions_lists_the_elements_of_both(client: TestClient, repo: str, a: str) -> None:
    client.post(f"{a}/elements", json=[element((1, 1, 1), tags=["t"])])
    client.post(f"/api/node/{repo}/commit", json={"note": "begun"})
    parents = []
    for number, branch in enumerate(("left", "right")):
        child = client.post(f"/api/node/{repo}/branch", json={"branch": branch}).json()["child"]
        other = element((100 + 64 * number, 1, 1), tags=["t"])
        assert client.post(f"/api/node/{child}/a/elements", json=[other]).status_code == 200
        client.post(f"/api/node/{child}/commit", json={"note": "done"})
        parents.append(child)
    merged = client.post(
        f"/api/repo/{repo}/merge", json={"mergeType": "conflict-free", "parents": parents, "note": "both"}
    ).json()["child"]
    path = f"/api/node/{merged}/a"
    assert client.get(f"{path}/info?wait=true").status_code == 200
    assert points(client, f"{path}/tag/t") == [[1, 1, 1], [100, 1, 1], [164, 1, 1]]
    assert points(client, f"{a}/tag/t") == [[1, 1, 1]]


def test_members_of_an_element_in_other_letter_case(
    client: TestClient, a: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(elements, "LONG", 1 << 20)
    body = [{"pos": [1, 2, 3], "KIND": "Gap", "tags": ["t"], "prop": {"pos": "x"}, "rels": [{"to": [4, 5, 6]}]}]
    full = {"Pos": [1, 2, 3], "Kind": "Gap", "Tags": ["t"], "Prop": {"pos": "x"}}
    full["Rels"] = [{"Rel": "UnknownRelationship", "To": [4, 5, 6]}]
    assert client.post(f"{a}/elements", json=body).status_code == 200
    assert everything(client, a) == [full]
    assert client.post(f"{a}/blocks", json={"0,0,0": body, "1,0,0": []}).status_code == 200
    assert everything(client, a) == [full]
    assert client.post(f"{a}/elements", content=b'[{"pos":').status_code == 400


def test_boxes_without_voxels_hold_nothing_but_may_touch_a_block(client: TestClient, a: str) -> None:
    assert client.post(f"{a}/elements", json=[{"Pos": [10, 20, 30]}]).status_code == 200
    for size, touched in (("0_1_1", True), ("1_1_0", True), ("-5_5_5", True), ("-70_5_5", False)):
        assert client.get(f"{a}/elements/{size}/10_20_30").json() is None
        assert ("0,0,0" in client.get(f"{a}/blocks/{size}/10_20_30").json()) == touched, size
    assert client.get(f"{a}/blocks/0_1_1/0_20_30").json() == {}


def test_verbose_shows_what_only_a_list_has(client: TestClient, a: str) -> None:
    alone = {"Pos": [1, 2, 3], "Kind": "Note", "Tags": ["x"], "Prop": {}}
    assert client.post(f"{a}/labels", json={"5": json.dumps([alone])}).status_code == 200
    assert client.get(f"{a}/label/5").json() == [alone]
    assert client.get(f"{a}/label/5?relationships=true").json() == []
    assert client.get(f"{a}/label/5?relationships=verbose").json() == [{**alone, "Rels": []}]


def test_an_empty_region_holds_null(client: TestClient, repo: str, a: str) -> None:
    made = {"typename": "roi", "dataname": "r", "BlockSize": "64,64,64"}
    assert client.post(f"/api/repo/{repo}/instance", json=made).status_code == 200
    assert client.get(f"{a}/roi/r").content == b"null"


def test_what_posted_blocks_and_labels_lack_stays_null(client: TestClient, a: str) -> None:
    lacking = {"Pos": [1, 2, 3], "Kind": "Unknown", "Tags": None, "Prop": None}
    assert client.post(f"{a}/blocks", json={"0,0,0": [{"Pos": [1, 2, 3]}]}).status_code == 200
    assert everything(client, a) == [{**lacking, "Rels": None}]
    assert client.post(f"{a}/labels", json={"5": '[{"Pos":[1,2,3]}]', "6": "", "7": None}).status_code == 200
    assert client.get(f"{a}/label/5").json() == [lacking]
    assert client.get(f"{a}/label/6").json() == client.get(f"{a}/label/7").json() == []
