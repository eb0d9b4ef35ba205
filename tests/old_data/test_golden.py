"""Stores of every format there ever was stay readable. `make_golden.py` says how they are made."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from conftest import demand_sound
from old_data.make_golden import ALIAS, BLOB, EDITS, HERE, PACKINGS, VALUES, Maker, pack, typekey

from dvidpy.config import default_settings
from dvidpy.datatypes.registry import load_types
from dvidpy.storage.keys import unescape
from dvidpy.versioning.datastore import Datastore
from dvidpy.versioning.metadata import FORMAT
from dvidpy.versioning.mutations import FIRST
from dvidpy.versioning.records import Node, Repo

FORMATS = sorted(HERE.glob("format-*.tar.gz"))


def _unpack(archive: Path, folder: Path) -> Path:
    with tarfile.open(archive) as packed:
        packed.extractall(folder, filter="data")
    return folder


@pytest.fixture(params=FORMATS, ids=lambda path: path.name)
def golden(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Datastore]:
    load_types()
    with closing(Datastore(default_settings(_unpack(request.param, tmp_path)))) as opened:
        yield opened
        demand_sound(opened)


def _repo(golden: Datastore) -> Repo:
    (repo,) = golden.catalogue.repos.values()
    return repo


def _noted(golden: Datastore) -> dict[str, Node]:
    return {node.note: node for node in _repo(golden).nodes.values()}


def test_this_format_has_its_store() -> None:
    assert HERE / f"format-{FORMAT}.tar.gz" in FORMATS
    assert all(path.stat().st_size < 200_000 for path in FORMATS)


def test_every_value_at_every_version(golden: Datastore) -> None:
    nodes = _noted(golden)
    for packing in PACKINGS:
        instance = _repo(golden).instances[packing]
        assert instance.tags == {"a": "b"}
        for note, expected in VALUES.items():
            view = golden.values(instance).at(nodes[note].version)
            assert {unescape(key[1:]).decode(): found.read() for key, found in view.range(b"\x01", b"\x02")} == expected
            assert [unescape(key[1:]).decode() for key in view.keys(b"\x01", b"\x02")] == sorted(expected)
            assert {name: view.get(typekey(name)) for name in expected} == expected


def test_the_versions(golden: Datastore) -> None:
    repo, nodes = _repo(golden), _noted(golden)
    assert repo.record.alias == ALIAS
    assert [line.split("  ", 1)[1] for line in repo.record.log] == ["a line"]
    parents = {note: [repo.nodes[parent].note for parent in nodes[note].parents] for note in VALUES}
    assert parents == {
        "root": [],
        "main": ["root"],
        "side": ["root"],
        "merged": ["main", "side"],
        "child": ["merged"],
    }
    assert [note for note in VALUES if not nodes[note].locked] == ["child"]
    assert golden.catalogue.find("release-1").node.branch == "tag-release-1"
    assert [line.split("  ", 1)[1] for line in nodes["main"].log] == ["log of main"]


def test_the_log(golden: Datastore) -> None:
    nodes = _noted(golden)
    for instance in _repo(golden).instances.values():
        for note, edits in EDITS.items():
            messages = list(golden.main.log.read(instance.uuid, nodes[note].uuid))
            assert messages == [b'{"Action":"golden"}'] * len(edits)
    numbers = [mutation.id for mutation in golden.main.log.records()]
    assert (numbers[0], len(numbers)) == (FIRST, len(PACKINGS) * sum(map(len, EDITS.values())))


def test_blobs(golden: Datastore) -> None:
    assert golden.blobs().get(golden.blobs().put(BLOB)) == BLOB


def test_what_this_program_makes_is_read_the_same(tmp_path: Path) -> None:
    """The script beside it still works, and packs the same files to the same bytes."""
    Maker(default_settings(tmp_path / "made")).make()
    assert pack(tmp_path / "made") == pack(tmp_path / "made")
    with closing(Datastore(default_settings(tmp_path / "made"))) as again:
        test_every_value_at_every_version(again)
        test_the_log(again)
        demand_sound(again)
