from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from label_instances import Segments
from served import TOKEN, Served

from dvidpy.datatypes.labels.messages import MappingOp, encode_mappings

ADMIN: dict[str, Any] = {"admintoken": TOKEN}


@pytest.fixture
def segments(served: Served) -> Segments:
    """Slabs of labels 10 to 13 along x."""
    made = Segments(served)
    made.put(np.repeat(np.arange(10, 14, dtype=np.uint64), 16) * np.ones((16, 16, 1), np.uint64))
    return made


def operations(*ops: tuple[int, list[int]]) -> bytes:
    return encode_mappings(MappingOp(1, body, np.array(original, np.uint64)) for body, original in ops)


def pairs(segments: Segments) -> list[list[int]]:
    found: list[list[int]] = np.frombuffer(segments.get("mappings", format="binary"), "<u8").reshape(-1, 2).tolist()
    return found


# ---------------------------------------------------------------------- mappings
def test_mappings_as_text_and_as_numbers(segments: Segments) -> None:
    assert segments.get("mappings") == segments.get("mappings", format="binary") == b""
    segments.merge(10, 12, 13)
    assert segments.get("mappings") == segments.get("mappings", consistent="true") == b"12 10\n13 10\n"
    assert pairs(segments) == [[12, 10], [13, 10]]
    assert segments.ask("mappings").headers["content-type"].startswith("text/plain")


def test_mappings_are_posted(segments: Segments) -> None:
    big = (1 << 64) - 1
    body = operations((10, [11, 12]), (big, [13]), (0, [900]), (10, [10]))
    assert segments.status("mappings", body, "POST") == 200
    assert pairs(segments) == [[11, 10], [12, 10], [13, big], [900, 0]]
    assert segments.status("mappings", operations((13, [13]), (11, [12])), "POST") == 200
    assert pairs(segments) == [[11, 10], [12, 11], [900, 0]]
    assert segments.ask("sizes", b"[10,11]").json() == [4096, 4096]  # indices are as they were
    assert segments.status("mappings", b"", "POST") == 200
    assert segments.status("mappings", operations((5, [])), "POST") == 200


def test_background_has_no_body(segments: Segments) -> None:
    assert segments.status("mappings", operations((10, [11]), (12, [0])), "POST") == 400
    assert segments.status("mappings", b"\xff\xff\xff", "POST") == 400
    assert pairs(segments) == []


def test_many_mappings(segments: Segments) -> None:
    count = 40_000
    body = operations((10, [*range(1000, 1000 + count)]))
    assert segments.status("mappings", body, "POST") == 200
    lines = segments.get("mappings").decode().splitlines()
    assert lines == [f"{label} 10" for label in range(1000, 1000 + count)]
    assert len(pairs(segments)) == count


# ---------------------------------------------------------------------- labels to come
def test_the_largest_label(segments: Segments) -> None:
    assert Segments(segments.served).status("maxlabel") == 400
    assert segments.ask("maxlabel").json() == {"maxlabel": 13}
    assert segments.status("maxlabel/5000", method="POST") == 400
    assert segments.status("maxlabel/5000", method="POST", **ADMIN) == 200
    assert segments.status("maxlabel/40", method="POST", **ADMIN) == 200
    assert segments.ask("maxlabel").json() == {"maxlabel": 5000}
    assert segments.ask("nextlabel").json() == {"nextlabel": 5001}
    for label in (0, (1 << 48) + 1, "x", ""):
        assert segments.status(f"maxlabel/{label}", method="POST", **ADMIN) == 400
    assert segments.status("maxlabel", method="POST", **ADMIN) == 400


def test_labels_are_reserved(segments: Segments) -> None:
    assert segments.ask("nextlabel").json() == {"nextlabel": 14}
    assert segments.ask("nextlabel/1", method="POST").json() == {"start": 14, "end": 14}
    assert segments.ask("nextlabel/50", method="POST").json() == {"start": 15, "end": 64}
    assert segments.ask("maxlabel").json() == {"maxlabel": 64}
    for count in (0, "-1", "x", "", (1 << 64) - 64, 1 << 64):
        assert segments.status(f"nextlabel/{count}", method="POST") == 400
    assert segments.ask("nextlabel").json() == {"nextlabel": 65}


def test_branches_get_different_labels(segments: Segments) -> None:
    segments.served.commit(segments.root)
    assert segments.status("nextlabel/1", method="POST") == 400
    child, side = segments.served.child(segments.root), segments.served.child(segments.root, "branch", branch="side")
    http = segments.served.http
    assert http.post(f"/api/node/{child}/seg/nextlabel/5").json() == {"start": 14, "end": 18}
    assert http.post(f"/api/node/{side}/seg/nextlabel/5").json() == {"start": 19, "end": 23}
    assert [http.get(f"/api/node/{uuid}/seg/maxlabel").json()["maxlabel"] for uuid in (segments.root, child, side)] == [
        13,
        18,
        23,
    ]


def test_labels_go_on_from_elsewhere(segments: Segments) -> None:
    assert segments.status("set-nextlabel/1000", method="POST") == 400
    assert segments.status("set-nextlabel/1000", method="POST", ceiling=1003, **ADMIN) == 200
    assert segments.ask("nextlabel").json() == {"nextlabel": 1001}
    assert segments.ask("nextlabel/2", method="POST").json() == {"start": 1001, "end": 1002}
    assert segments.status("nextlabel/2", method="POST") == 400
    assert segments.status("set-nextlabel/1004", method="POST", **ADMIN) == 400  # the ceiling holds
    assert segments.ask("nextlabel/1", method="POST").json() == {"start": 1003, "end": 1003}
    assert segments.status("nextlabel/1", method="POST") == 400
    assert segments.status("set-nextlabel/2000", method="POST", ceiling=0, **ADMIN) == 200
    assert segments.ask("nextlabel/1", method="POST").json() == {"start": 2001, "end": 2001}
    assert segments.ask("maxlabel").json() == {"maxlabel": 2001}
    for label, query in (
        ("0", {}),
        ("x", {}),
        (str((1 << 64) - 1), {}),
        ("", {}),
        ("9", {"ceiling": "high"}),
        ("9", {"ceiling": 8}),
    ):
        asked: dict[str, Any] = {**query, **ADMIN}
        assert segments.status(f"set-nextlabel/{label}", method="POST", **asked) == 400
    assert segments.status("set-nextlabel/3000", **ADMIN) == 400
