from __future__ import annotations

import hashlib
import json
import struct
from typing import Any

import lz4.block
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from label_instances import Segments, volume_with_bodies
from served import Served

from dvidpy.datatypes.labelled import bodies
from dvidpy.datatypes.labelled.bodies import Body, Recent
from dvidpy.datatypes.labelled.edits import editing
from dvidpy.datatypes.labels.index import LabelIndex, added, decode, entries_of
from dvidpy.datatypes.labels.messages import encode_indices, parse_indices
from dvidpy.datatypes.labels.sheets import Sheeted

BIG = (1 << 63) + 5


@pytest.fixture
def volume() -> np.ndarray:
    return volume_with_bodies(8, (33, 40, 50))


@pytest.fixture
def segments(served: Served, volume: np.ndarray) -> Segments:
    made = Segments(served)
    made.put(volume, (-8, 0, 3))
    return made


def voxels(volume: np.ndarray, *labels: int) -> int:
    return int(np.isin(volume, np.array(labels, np.uint64)).sum())


def ask_json(segments: Segments, what: str, labels: Any, **query: Any) -> Any:
    return segments.ask(what, json.dumps(labels).encode(), **query).json()


# ---------------------------------------------------------------------- sizes and supervoxels
def test_sizes(segments: Segments, volume: np.ndarray) -> None:
    segments.merge(2, 1, BIG)
    assert segments.ask("size/2").json() == {"voxels": voxels(volume, 1, 2, BIG)}
    assert segments.ask("size/1", supervoxels="true").json() == {"voxels": voxels(volume, 1)}
    assert (
        segments.status("size/1") == segments.status("size/99") == segments.status("size/99", supervoxels="true") == 404
    )
    assert ask_json(segments, "sizes", [2, 1, 3, 99, 0, 3]) == [
        voxels(volume, 1, 2, BIG),
        0,
        voxels(volume, 3),
        0,
        0,
        voxels(volume, 3),
    ]
    asked = [BIG, 2, 1, 3, 99, 0, BIG]
    found = ask_json(segments, "sizes", asked, supervoxels="true")
    assert found == [voxels(volume, label) if label else 0 for label in asked]
    assert ask_json(segments, "sizes", []) == ask_json(segments, "sizes", [], supervoxels="true") == []


def test_a_supervoxel_that_is_no_more(segments: Segments) -> None:
    with editing(segments.at()) as edit:
        edit.map(np.array([77], np.uint64), 0)
    assert segments.status("size/77", supervoxels="true") == 400
    assert segments.status("sparsevol/77", supervoxels="true") == 400
    assert segments.status("sparsevol-size/77", supervoxels="true") == 400
    assert ask_json(segments, "sizes", [77], supervoxels="true") == [0]


def test_sizes_of_a_body_that_differs_from_its_hash(segments: Segments) -> None:
    body = b"[1,2]"
    digest = hashlib.md5(body, usedforsecurity=False).hexdigest()
    assert segments.status("sizes", body, hash=digest) == 200
    assert segments.status("sizes", body + b" ", hash=digest) == 400
    assert segments.status("sizes", body, hash="é") == 400


@pytest.mark.parametrize(
    "body", [b"", b"[5", b'["5"]', b"[-5]", b"5", b"[1.5]", b"[true]", b"[null]", b"{}", b"[18446744073709551616]"]
)
def test_lists_of_labels_that_are_none(segments: Segments, body: bytes) -> None:
    for path in ("sizes", "indices", "indices-compressed"):
        assert segments.status(path, body) == 400


def test_supervoxels(segments: Segments, volume: np.ndarray) -> None:
    segments.merge(2, 1, BIG)
    assert segments.ask("supervoxels/2").json() == [1, 2, BIG]
    found = segments.ask("supervoxel-sizes/2").json()
    assert found == {"supervoxels": [1, 2, BIG], "sizes": [voxels(volume, label) for label in (1, 2, BIG)]}
    for path in ("supervoxels", "supervoxel-sizes", "lastmod", "index"):
        assert segments.status(f"{path}/1") == segments.status(f"{path}/99") == 404
        assert segments.status(f"{path}/0") == segments.status(f"{path}/x") == segments.status(path) == 400


# ---------------------------------------------------------------------- lists
def test_labels_are_listed_by_pages(segments: Segments, volume: np.ndarray) -> None:
    labels, sizes = np.unique(volume[volume > 0], return_counts=True)
    assert np.array_equal(np.frombuffer(segments.get("listlabels"), "<u8"), labels)
    pairs = np.frombuffer(segments.get("listlabels", sizes="true"), "<u8").reshape(-1, 2)
    assert np.array_equal(pairs, np.column_stack((labels, sizes)))
    assert np.frombuffer(segments.get("listlabels", start=3, number=2), "<u8").tolist() == [3, 4]
    assert np.frombuffer(segments.get("listlabels", start=6), "<u8").tolist() == [BIG]
    assert segments.get("listlabels", start="", number="") == segments.get("listlabels")
    assert segments.get("listlabels", number=0) == segments.get("listlabels", start=(1 << 64) - 1) == b""
    assert segments.ask("existing-labels").json() == labels.tolist()
    assert segments.status("listlabels", start="x") == segments.status("listlabels", number="-1") == 400


def test_more_labels_than_a_piece(served: Served) -> None:
    segments = Segments(served)
    labels = [*range(1, 9001)]
    one = entries_of([(0, 0, 0)], [1], [2])
    message = encode_indices(LabelIndex(label, one) for label in labels)
    assert segments.status("indices", message, "POST") == 200
    assert segments.ask("existing-labels").json() == labels
    assert np.frombuffer(segments.get("listlabels"), "<u8").tolist() == labels
    assert np.frombuffer(segments.get("listlabels", sizes="true"), "<u8")[-2:].tolist() == [9000, 2]
    assert Segments(served).ask("existing-labels").json() == []


# ---------------------------------------------------------------------- indices
def test_indices_alone_and_together(segments: Segments, volume: np.ndarray) -> None:
    segments.merge(2, 1)
    index = decode(segments.get("index/2"))
    assert index.label == 2
    assert index.voxels == voxels(volume, 1, 2)
    assert index.supervoxels.tolist() == [1, 2]
    asked = [BIG, 2, 1, 99]
    found = parse_indices(segments.ask("indices", json.dumps(asked).encode()).content)
    assert [one.label for one in found] == asked
    assert [one.voxels for one in found] == [voxels(volume, BIG), voxels(volume, 1, 2), 0, 0]
    body, at, packed = segments.ask("indices-compressed", json.dumps(asked).encode()).content, 0, []
    while at < len(body):
        size, label = struct.unpack_from("<QQ", body, at)
        part = body[at + 16 : at + 16 + size]
        assert not part or part[0] == 0x80
        packed.append((label, decode(lz4.block.decompress(part[1:])).voxels if part else 0))
        at += 16 + size
    assert packed == [(one.label, one.voxels) for one in found]
    assert segments.status("indices", json.dumps([1] * 50_001).encode()) == 400
    assert segments.ask("indices", b"[]").content == b""


def test_an_index_is_posted(segments: Segments) -> None:
    entries = entries_of([(0, 0, 0), (0, 0, 0), (3, -1, 1)], [50, 51, 51], [10, 20, 5])
    index = LabelIndex(50, entries, 7, "2020-01-02T03:04:05Z", "bob", "x")
    assert segments.status("index/50", index.encode(), "POST") == 200
    assert segments.get("index/50") == index.encode()
    assert segments.ask("index/50?metadata-only=true").json() == {
        "num_voxels": 35,
        "last_mutid": 7,
        "last_mod_time": "2020-01-02T03:04:05Z",
        "last_mod_user": "bob",
        "last_mod_app": "x",
    }
    assert segments.ask("lastmod/50").json() == {
        "mutation id": 7,
        "last mod user": "bob",
        "last mod app": "x",
        "last mod time": "2020-01-02T03:04:05Z",
    }
    assert segments.ask("maxlabel").json()["maxlabel"] == BIG
    assert segments.status("index/51", index.encode(), "POST") == 400
    assert segments.status("index/0", LabelIndex(0, entries).encode(), "POST") == 400
    assert segments.status("index/50", LabelIndex(50).encode(), "POST") == 200
    assert segments.status("index/50") == 404


def test_indices_are_posted_all_or_none(segments: Segments, volume: np.ndarray) -> None:
    one = entries_of([(0, 0, 1)], [4], [9])
    assert segments.status("indices", encode_indices([LabelIndex(4, one), LabelIndex(0, one)]), "POST") == 400
    assert segments.ask("size/4").json() == {"voxels": voxels(volume, 4)}
    message = encode_indices([LabelIndex(4, one), LabelIndex(3), LabelIndex(400, one)])
    assert segments.status("indices", message, "POST") == 200
    assert ask_json(segments, "sizes", [4, 3, 400]) == [9, 0, 9]


def test_garbage_is_refused_and_changes_nothing(segments: Segments) -> None:
    before = segments.get("listlabels", sizes="true"), segments.get("mappings")

    @settings(max_examples=60)
    @given(st.binary(min_size=1, max_size=60))
    def refused(garbage: bytes) -> None:
        # Bytes that are a message by chance, such as unknown fields alone, may pass: they say nothing.
        for path in ("index/1", "indices", "mappings"):
            assert segments.status(path, b"\x0a\xff\xff" + garbage, "POST") == 400
            assert segments.status(path, garbage, "POST") in (200, 400)

    refused()
    assert before[0] in segments.get("listlabels", sizes="true")
    assert segments.get("mappings") == before[1]


def test_the_version_that_wrote_an_index(segments: Segments) -> None:
    assert segments.get("index-version/2").decode() == segments.root
    segments.served.commit(segments.root)
    child = segments.served.child(segments.root)
    segments.merge(2, 1, uuid=child)
    path = f"/api/node/{child}/seg/index-version"
    assert segments.served.http.get(f"{path}/2").text == child
    assert segments.served.http.get(f"{path}/3").text == segments.root
    assert segments.served.http.get(f"{path}/1").text == child  # which took it away
    assert segments.status("index-version/99") == segments.status("index-version/0") == 400
    assert segments.get("index-version/2").decode() == segments.get("index-version/1").decode() == segments.root


# ---------------------------------------------------------------------- as it was
def test_an_index_as_it_was_before_a_mutation(segments: Segments, volume: np.ndarray) -> None:
    now = {label: segments.get(f"index/{label}") for label in (1, 2, 3)}
    first = segments.merge(2, 1)
    between = segments.get("index/2")
    segments.served.commit(segments.root)
    child = segments.served.child(segments.root)
    second = segments.merge(2, 3, uuid=child)
    path = f"/api/node/{child}/seg/index"

    def was(label: int, mutation: int) -> Any:
        return segments.served.http.get(f"{path}/{label}", params={"mutid": mutation})

    assert was(2, first).content == now[2]
    assert was(1, first).content == now[1]
    assert was(2, second).content == was(2, first + 1).content == between
    assert was(3, second).content == was(3, first).content == now[3]
    assert was(1, second).status_code == was(2, 1).status_code == was(99, second).status_code == 404
    assert was(2, second + 1).content == segments.served.http.get(f"{path}/2").content
    said = segments.served.http.get(f"{path}/2", params={"mutid": first, "metadata-only": "true"}).json()
    assert said["num_voxels"] == voxels(volume, 2)
    assert segments.status("index/2", mutid=second) == 200  # the other branch never saw it
    assert segments.get("index/2", mutid=second) == between
    assert segments.status("index/2", mutid="x") == 400


def test_what_was_before_blocks_came_in_is_not_known(segments: Segments) -> None:
    segments.put(np.full((16, 16, 16), 2, np.uint64), (64, 64, 64))
    mutation = segments.merge(2, 1)
    assert segments.status("index/2", mutid=mutation) == 200
    assert segments.status("index/2", mutid=1) == 404


# ---------------------------------------------------------------------- what is remembered
def test_a_body_is_decoded_once_until_it_changes(segments: Segments) -> None:
    data = segments.at()
    before = data.need_body(2)
    assert data.need_body(2) is before
    segments.merge(2, 1)
    assert data.need_body(2) is not before
    assert data.need_body(2).voxels > before.voxels


def test_only_so_many_bodies_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    recent, body = Recent(), Body(Sheeted(added(LabelIndex(1), entries_of([(0, 0, 0)], [1], [1]))))
    monkeypatch.setattr(bodies, "ROOM", 1000)
    for label in range(1, 10):
        recent.keep(1, label, b"as stored", body)
        recent.keep(1, label, b"as stored", body)
    assert recent.get(1, 9, b"as stored") is body
    assert recent.get(1, 9, b"stored since") is None
    assert recent.get(2, 9, b"as stored") is None
    assert recent.get(1, 1, b"as stored") is None


def test_a_large_index(served: Served) -> None:
    """Stored in parts, and answered by a worker."""
    segments = Segments(served)
    draw = np.random.default_rng(5)
    places = np.unique(draw.integers(-500, 500, (60_000, 3)), axis=0)
    labels = draw.integers(1 << 60, 1 << 62, len(places))
    index = added(LabelIndex(9), entries_of(places.tolist(), labels.tolist(), draw.integers(1, 4096, len(places))))
    message = index.encode()
    assert len(message) > 1 << 20
    assert segments.status("index/9", message, "POST") == 200
    for _ in range(2):
        assert segments.get("index/9") == message
        assert segments.ask("size/9").json() == {"voxels": index.voxels}
        assert len(segments.ask("supervoxels/9").json()) == len(index.supervoxels)
        assert segments.ask("indices", b"[9]").content == encode_indices([index])
    body = segments.ask("indices-compressed", b"[9]").content
    assert lz4.block.decompress(body[17:]) == message
    assert segments.status("index/9", LabelIndex(9).encode(), "POST") == 200
    assert segments.status("index/9") == 404
    kept = segments.at().instance
    assert kept.name == "seg"
