"""Versions, branches and merges as the readers of keys see them."""

from __future__ import annotations

import json

from served import Served


def reads(served: Served, uuid: str) -> dict[str, str]:
    """What each way of reading shows of a version; they must agree."""
    kv = f"/api/node/{uuid}/kv"
    keys = served.http.get(f"{kv}/keys").json()
    shown = {key: served.http.get(f"{kv}/key/{key}").text for key in keys}
    assert served.http.get(f"{kv}/keyrange/%00/zzz").json() == keys
    ranged = served.http.get(f"{kv}/keyrangevalues/%00/zzz?json=true").json()
    asked = served.http.request("GET", f"{kv}/keyvalues?json=true", content=json.dumps(keys)).json()
    assert ranged == asked == {key: json.loads(value) for key, value in shown.items()}
    for key in "abcdefg":
        assert served.http.head(f"{kv}/key/{key}").status_code == (200 if key in shown else 404)
    return shown


def put(served: Served, uuid: str, **values: str) -> None:
    for key, value in values.items():
        assert served.http.post(f"/api/node/{uuid}/kv/key/{key}", content=value).status_code == 200


def delete(served: Served, uuid: str, key: str) -> None:
    assert served.http.delete(f"/api/node/{uuid}/kv/key/{key}").status_code == 200


def merge(served: Served, *parents: str) -> str:
    answer = served.http.post(
        f"/api/repo/{parents[0]}/merge", json={"mergeType": "conflict-free", "parents": list(parents)}
    )
    assert answer.status_code == 200, answer.text
    return str(answer.json()["child"])


def test_branches_merge_and_conflicts_wait_for_an_answer(served: Served) -> None:
    root = served.repo()
    served.instance(root)
    put(served, root, a="1", b="1", c="1", d="1", e="1")
    served.commit(root)
    left, right = served.child(root), served.child(root, "branch", branch="side")
    put(served, left, a="2", b="2", f="2")
    delete(served, left, "d")
    put(served, right, a="3", c="3", g="3")
    delete(served, right, "e")
    assert reads(served, root) == dict.fromkeys("abcde", "1")
    assert reads(served, left) == {"a": "2", "b": "2", "c": "1", "e": "1", "f": "2"}
    assert reads(served, right) == {"a": "3", "b": "1", "c": "3", "d": "1", "g": "3"}
    served.commit(left)
    served.commit(right)
    both = merge(served, left, right)
    assert reads(served, both) == {"b": "2", "c": "3", "f": "2", "g": "3"}
    put(served, both, a="4")
    assert reads(served, both)["a"] == "4"
    assert reads(served, left)["a"] == "2"
    served.commit(both)
    assert reads(served, served.child(both)) == {"a": "4", "b": "2", "c": "3", "f": "2", "g": "3"}


def test_resolve_lets_the_first_parent_win(served: Served) -> None:
    root = served.repo()
    served.instance(root)
    put(served, root, a="1")
    served.commit(root)
    left, right = served.child(root), served.child(root, "branch", branch="side")
    put(served, left, a="2")
    put(served, right, a="3", b="3")
    served.commit(left)
    served.commit(right)
    answer = served.http.post(f"/api/repo/{root}/resolve", json={"data": ["kv"], "parents": [left, right], "note": ""})
    child = answer.json()["child"]
    assert reads(served, child) == {"a": "2", "b": "3"}
    assert reads(served, right) == {"a": "3", "b": "3"}
    nodes = served.http.get(f"/api/repo/{root}/info").json()["DAG"]["Nodes"].values()
    assert [node["Locked"] for node in nodes if node["Branch"] == f"conflict-{right}"] == [True]


def test_a_committed_version_answers_the_same_for_ever(served: Served) -> None:
    root = served.repo()
    served.instance(root)
    put(served, root, a="1")
    served.commit(root)
    before = reads(served, root)
    child = served.child(root)
    put(served, child, a="2", b="2")
    delete(served, child, "a")
    assert reads(served, root) == before
    for method, path in [("POST", "key/a"), ("DELETE", "key/a"), ("POST", "keyvalues"), ("POST", "tags")]:
        assert served.http.request(method, f"/api/node/{root}/kv/{path}", content=b"{}").status_code == 400
    assert reads(served, root) == before
    assert [entry["Action"] for entry in served.http.get(f"/api/node/{root}/kv/mutations").json()] == ["postkv"]


def test_records_of_edits_stand_with_their_version(served: Served) -> None:
    root = served.repo()
    kv = served.instance(root)
    put(served, root, a="123")
    delete(served, root, "never")
    served.commit(root)
    child = served.child(root)
    put(served, child, b="4")

    def shown(path: str) -> list[tuple[str, str, str]]:
        return [(entry["Action"], entry["Key"], entry["UUID"]) for entry in served.http.get(path).json()]

    first = [("postkv", "a", root), ("delete", "never", root)]
    second = [("postkv", "b", child)]
    assert shown(f"{kv}/mutations") == first
    assert shown(f"/api/node/{child}/kv/mutations") == second
    assert shown(f"{kv}/mutations-range/{root}/{child}") == second + first
    assert served.http.get(f"{kv}/mutations-range/{child}/{root}").status_code == 400
    assert served.http.get(f"{kv}/mutations-range/{root}").status_code == 400
    assert served.http.get(f"{kv}/mutations?userid=nobody").json() == []
