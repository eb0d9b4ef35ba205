"""JSON that is broken is refused with the place where it breaks, and nothing changes."""

from __future__ import annotations

import re
from typing import Any

import pytest
from served import Served

PLACE = re.compile(r"byte \d+|char \d+|column \d+")
OBJECT, LIST = b'{"bodyid": 7, "a" 5}', b"[1, 2 3]"
ASKED: dict[str, list[tuple[str, str, bytes]]] = {
    "annotation": [
        ("POST", "elements", b'[{"Pos": [1, 2, 3]}, {"Pos": [1, 2 4]}]'),
        ("POST", "blocks", b'{"0,0,0": [], "0,0,1" []}'),
        ("POST", "labels", b'{"1": "[]", "2" "[]"}'),
        ("POST", "sync", OBJECT),
    ],
    "labelsz": [("GET", "counts/PreSyn", LIST), ("POST", "sync", OBJECT)],
    "neuronjson": [
        ("POST", "key/7?u=ann", OBJECT),
        ("POST", "query", OBJECT),
        ("GET", "keyvalues?json=true", LIST),
        ("POST", "ingest-neuronjson?u=ann", LIST),
        ("POST", "json_schema", OBJECT),
    ],
    "roi": [("POST", "roi", b"[[0, 0, 0, 1], [0, 0 1, 2]]"), ("POST", "ptquery", b"[[1, 2, 3], [4, 5 6]]")],
    "tarsupervoxels": [("GET", "exists", LIST), ("POST", "sync", OBJECT)],
    "imagetile": [("POST", "metadata", OBJECT), ("POST", "generate", OBJECT)],
}


@pytest.mark.parametrize(
    ("typename", "method", "path", "body"), [(name, *one) for name, some in ASKED.items() for one in some]
)
def test_broken_json_is_told_where(served: Served, typename: str, method: str, path: str, body: bytes) -> None:
    root = served.repo()
    instance = served.instance(root, "x", typename)
    before = _everything(served, instance)
    answer = served.http.request(method, f"{instance}/{path}", content=body)
    assert answer.status_code == 400, answer.text
    assert answer.headers["content-type"].startswith("text/plain")
    assert PLACE.search(answer.text), answer.text
    assert _everything(served, instance) == before


def _everything(served: Served, instance: str) -> list[Any]:
    return [served.http.get(f"{instance}/{path}").text for path in ("info", "roi", "all-elements", "all", "metadata")]
