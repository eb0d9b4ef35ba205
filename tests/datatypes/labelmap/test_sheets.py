"""Large bodies in the store: what an edit of them writes, keeps and takes away."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from labelmaps import SIDE, at, new_labelmap, post
from starlette.testclient import TestClient

from dvidpy.datatypes.labelled import keys
from dvidpy.datatypes.labelled.dumps.tables import index_entries
from dvidpy.datatypes.labelled.instance import LabelMap
from dvidpy.datatypes.labelled.keys import BEFORE, INDEX, SHEET
from dvidpy.datatypes.labelmap.index.history import index_before
from dvidpy.datatypes.labelmap.index.indices import put_indices
from dvidpy.datatypes.labelmap.mutations.cleave import cleave
from dvidpy.datatypes.labelmap.mutations.merge import merge
from dvidpy.datatypes.labelmap.mutations.renumber import renumber
from dvidpy.datatypes.labelmap.repair.largest import repair
from dvidpy.datatypes.labels import sheets
from dvidpy.datatypes.labels.index import Entries, LabelIndex, added, entries_of
from dvidpy.datatypes.labels.sheets import NO_SHEETS, Sheets, Sizes, Source, decode, is_head, names_of
from dvidpy.datatypes.registry import load_types
from dvidpy.errors import BadRequest
from dvidpy.storage import codecs
from dvidpy.versioning.check import check_datastore
from dvidpy.versioning.datastore import Datastore

WIDE = 40_000


def _labels(*labels: int) -> np.ndarray:
    return np.array(labels, np.uint64)


def _large(label: int, first: int, entries: int = WIDE) -> LabelIndex:
    """An index of many blocks, a hundred of them for each supervoxel."""
    places = [(at // 1000, label, at % 1000) for at in range(entries)]
    supervoxels = np.arange(entries, dtype=np.uint64) // np.uint64(100) + np.uint64(first)
    return added(LabelIndex(label), entries_of(places, supervoxels.tolist(), [7] * entries))


@pytest.fixture
def large(datastore: Datastore) -> LabelMap:
    """Two bodies of 40,000 blocks each, which a client brought, and a small one."""
    data = new_labelmap(datastore)
    put_indices(data, [_large(1, 1_000_000), _large(2, 2_000_000), _large(3, 3_000_000, 50)])
    return data


def _written(data: LabelMap, mutation: int) -> int:
    """Bytes of the sheets and of the heads that a mutation has written, and of what it kept."""
    values = data.datastore.values(data.instance)
    size = 0
    for key, stored in values.store.scan(values.prefix, values.prefix + b"\xff"):
        typekey = key[len(values.prefix) : -5]
        match typekey[:1]:
            case keys.INDEX if stored:
                written = decode(codecs.decode(stored), _NoSource()).loose.last_mutid
            case keys.SHEET:
                written = int.from_bytes(typekey[1:9], "big")
            case keys.BEFORE:
                written = int.from_bytes(typekey[9:], "big")
            case _:
                continue
        size += len(stored) * (written == mutation)
    return size


class _NoSource:
    def entries(self, wanted: Sheets) -> list[Entries]:
        raise AssertionError(wanted)

    def sizes(self, wanted: Sheets) -> list[Sizes]:
        raise AssertionError(wanted)


def _whole(data: LabelMap, label: int) -> list[list[int]]:
    return [column.tolist() for column in data.need_index(label).entries]


def test_edits_of_large_bodies_write_little(large: LabelMap) -> None:
    """Two heads each time, and a few sheets where supervoxels leave; each whole is some 400 kB."""
    expected = added(_large(1, 1_000_000), _large(2, 2_000_000).entries)
    mutation = merge(large, _labels(3, 2))
    assert _written(large, mutation) < 60_000
    mutation = merge(large, _labels(3, 1))
    assert _written(large, mutation) < 120_000
    cleaved, mutation = cleave(large, 3, _labels(3_000_000))
    assert _written(large, mutation) < 120_000
    other, mutation = cleave(large, 3, _labels(1_000_300, 2_000_007))
    assert _written(large, mutation) < 400_000
    merge(large, _labels(3, other))
    assert _whole(large, cleaved) == _whole_of(_large(3, 3_000_000, 50))
    assert _whole(large, 3) == _whole_of(expected)


def _whole_of(index: LabelIndex) -> list[list[int]]:
    return [column.tolist() for column in index.entries]


def test_what_a_large_body_was_before(large: LabelMap) -> None:
    first = merge(large, _labels(3, 1))
    _, second = cleave(large, 3, _labels(1_000_300))
    renumber(large, _labels(77, 3))
    for label, mutation, expected in ((1, first, _large(1, 1_000_000)), (3, first, _large(3, 3_000_000, 50))):
        found = index_before(large, label, mutation)
        assert found is not None
        assert found.encode() == expected.encode()
    before, now = index_before(large, 3, second), large.need_index(77)
    assert before is not None
    assert before.entries.blocks.size == WIDE + 50
    assert now.entries.blocks.size == WIDE + 50 - 100
    assert large.find_index(3) is None
    assert large.need_body(77).voxels == 7 * (WIDE + 50 - 100)
    assert large.need_body(77).sizes[0].tolist() == now.supervoxels.tolist()


def test_a_branch_sees_its_own(large: LabelMap) -> None:
    repos = large.datastore.repos
    repos.commit(large.node)
    left, right = at(large, repos.new_version(large.node)), at(large, repos.branch(large.node, "other"))
    merge(left, _labels(3, 1))
    cleave(right, 1, _labels(1_000_300))
    assert large.need_index(1).entries.blocks.size == WIDE
    assert left.need_index(3).entries.blocks.size == WIDE + 50
    assert right.need_index(1).entries.blocks.size == WIDE - 100


# ---------------------------------------------------------------------- blocks that come in
@pytest.fixture
def tiny(settings: object, monkeypatch: pytest.MonkeyPatch) -> Iterator[LabelMap]:
    """Every entry of an index is a sheet, so that a body of two blocks is a large one."""
    monkeypatch.setattr(sheets, "FULL", 1)
    load_types()
    datastore = Datastore(settings)  # type: ignore[arg-type]
    data = new_labelmap(datastore, levels=0)
    _post(data, 5)
    yield data
    datastore.close()


def _post(data: LabelMap, seed: int) -> None:
    draw = np.random.default_rng(seed)
    post(data, {(0, 0, x): draw.integers(1, 3, (SIDE, SIDE, SIDE)).astype(np.uint64) for x in range(4)})


def _sheets(data: LabelMap) -> set[tuple[int, int]]:
    """Names of all that are stored."""
    values = data.datastore.values(data.instance)
    rows = values.store.scan_keys(values.prefix + SHEET, values.prefix + SHEET + b"\xff")
    found = {row[len(values.prefix) + 1 :][:12] for row in rows}
    return {(int.from_bytes(name[:8], "big"), int.from_bytes(name[8:], "big")) for name in found}


def _named(data: LabelMap, prefix: bytes = INDEX) -> set[tuple[int, int]]:
    """Names of those that indices, or kept ones, have."""
    values, names = data.datastore.values(data.instance), set[tuple[int, int]]()
    source: Source = _NoSource()
    for _, stored in values.store.scan(values.prefix + prefix, values.prefix + prefix + b"\xff"):
        plain = codecs.decode(stored) if stored else b""
        names.update(names_of(decode(plain, source).sheets if is_head(plain) else NO_SHEETS))
    return names


def test_sheets_that_blocks_replace_go_away(tiny: LabelMap) -> None:
    for seed in range(3):
        _post(tiny, seed)
        assert _sheets(tiny) == _named(tiny) != set()
    assert check_datastore(tiny.datastore).faults == []


def test_those_that_are_kept_as_they_were_stay(tiny: LabelMap) -> None:
    before = _whole(tiny, 2)
    mutation = merge(tiny, _labels(1, 2))
    for seed in range(3):
        _post(tiny, seed)
    found = index_before(tiny, 2, mutation)
    assert found is not None
    assert _whole_of(found) == before
    assert _sheets(tiny) == _named(tiny) | _named(tiny, BEFORE)
    assert check_datastore(tiny.datastore).faults == []


def test_those_of_an_earlier_version_stay(tiny: LabelMap) -> None:
    before = _whole(tiny, 2)
    tiny.datastore.repos.commit(tiny.node)
    child = at(tiny, tiny.datastore.repos.new_version(tiny.node))
    for seed in range(3):
        _post(child, seed)
    assert _whole(tiny, 2) == before
    with pytest.raises(BadRequest, match="descends"):  # forced: the child may name what it replaces
        _post(at(tiny, tiny.datastore.catalogue.node(tiny.version)), 9)
    assert _whole(child, 2)
    assert check_datastore(tiny.datastore).faults == []


def test_a_missing_sheet_is_a_fault(tiny: LabelMap) -> None:
    values = tiny.datastore.values(tiny.instance)
    (key, *_) = values.store.scan_keys(values.prefix + SHEET, values.prefix + SHEET + b"\xff")
    values.store.batch([], [key[:-6] + bytes((kind,)) + key[-5:] for kind in (0, 1)])
    assert any("a sheet of an index is missing" in fault for fault in check_datastore(tiny.datastore).faults)
    tiny.datastore.close()


def test_dumps_and_repairs_read_sheets(tiny: LabelMap) -> None:
    rows = [line.split() for line in b"".join(index_entries(tiny)).splitlines()]
    assert {int(row[0]) for row in rows} == {1, 2}
    assert sum(int(row[-1]) for row in rows) == 4 * SIDE**3
    assert next(repair(tiny, commit=False)).endswith("the largest label is 2, as stored")


# ---------------------------------------------------------------------- over HTTP
def test_routes_of_a_large_body(client: TestClient, repo: str) -> None:
    made = {"typename": "labelmap", "dataname": "seg", "BlockSize": "16,16,16"}
    assert client.post(f"/api/repo/{repo}/instance", json=made).status_code == 200
    path, index = f"/api/node/{repo}/seg", _large(9, 1_000_000)
    assert client.post(f"{path}/index/9", content=index.encode()).status_code == 200
    assert client.get(f"{path}/index/9").content == index.encode()
    assert client.get(f"{path}/size/9").json() == {"voxels": 7 * WIDE}
    assert client.get(f"{path}/index/9?metadata-only=true").json()["num_voxels"] == 7 * WIDE
    assert client.get(f"{path}/lastmod/9").json()["mutation id"] == index.last_mutid
    assert client.get(f"{path}/supervoxels/9").json() == index.supervoxels.tolist()
    assert client.get(f"{path}/sparsevol-size/9").json()["numblocks"] == WIDE
    assert client.get(f"{path}/size/9?supervoxels=true").status_code == 404
    sizes = np.frombuffer(client.get(f"{path}/listlabels?sizes=true").content, "<u8")
    assert sizes.tolist() == [9, 7 * WIDE]
    coarse = client.get(f"{path}/sparsevols-coarse/1/10").content
    assert np.frombuffer(coarse[:8], "<u8").tolist() == [9]
    many = client.request("GET", f"{path}/indices", content=b"[9]").content
    assert many.endswith(index.encode())
    packed = client.request("GET", f"{path}/indices-compressed", content=b"[9]").content
    assert codecs.decode(bytes((codecs.LZ4,)) + packed[17:]) == index.encode()
    for last in (9, 60, 5000):  # at once, many, and a long list
        asked = list(range(9, last + 1))
        assert client.request("GET", f"{path}/mapping", json=asked).json() == [0] * len(asked)
        assert client.request("GET", f"{path}/mapping?nolookup=true", json=asked).json() == asked
    assert client.get(f"{path}/index-version/9").text == repo
