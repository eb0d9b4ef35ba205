from __future__ import annotations

from contextlib import closing
from pathlib import Path

import plyvel
import pytest

from dvidpy.errors import StoreError
from dvidpy.storage.folders import MARK
from dvidpy.storage.stores import LEVELDB, demand_ours, mark_as_ours, open_store


def listing(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def badger(folder: Path) -> None:
    for name in ("000001.vlog", "000001.sst", "MANIFEST", "KEYREGISTRY"):
        (folder / name).write_bytes(b"of badger")


def basho(folder: Path) -> None:
    (folder / "CURRENT").write_bytes(b"MANIFEST-000002\n")
    (folder / "sst_0").mkdir()
    (folder / "sst_0" / "000001.sst").write_bytes(b"of basho")


def photographs(folder: Path) -> None:
    (folder / "holiday.jpg").write_bytes(b"jpg")


def plain_leveldb(folder: Path) -> None:
    with closing(plyvel.DB(str(folder), create_if_missing=True)) as store:
        store.put(b"whose", b"somebody's")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "store").mkdir()
    return tmp_path / "store"


@pytest.mark.parametrize("engine", LEVELDB)
@pytest.mark.parametrize(("fill", "said"), [(badger, "badger"), (basho, "basholeveldb"), (photographs, "files of")])
def test_somebody_elses_folder_is_left_alone(folder: Path, engine: str, fill: object, said: str) -> None:
    fill(folder)  # type: ignore[operator]
    before = listing(folder)
    for act in (open_store, demand_ours):
        with pytest.raises(StoreError, match=f"holds .*{said}.*leaves alone"):
            act(engine, str(folder))
    assert listing(folder) == before


@pytest.mark.parametrize("engine", ["basholeveldb", "badger"])
def test_a_leveldb_that_is_not_marked_is_opened_only_as_leveldb(folder: Path, engine: str) -> None:
    plain_leveldb(folder)
    before = listing(folder)
    with pytest.raises(StoreError, match=f"holds a store, perhaps of the engine {engine}"):
        open_store(engine, str(folder))
    assert listing(folder) == before
    open_store("leveldb", str(folder)).close()
    assert not (folder / MARK).exists()  # its content is looked at first


@pytest.mark.parametrize("engine", LEVELDB)
def test_what_one_name_made_the_others_open(tmp_path: Path, engine: str) -> None:
    with closing(open_store(engine, str(tmp_path / "new" / "store"))) as store:
        store.batch([(b"a", b"1")])
    for other in LEVELDB:
        demand_ours(other, str(tmp_path / "new" / "store"))
        with closing(open_store(other, str(tmp_path / "new" / "store"))) as store:
            assert store.get(b"a") == b"1"


def test_a_store_from_before_there_were_marks(folder: Path) -> None:
    plain_leveldb(folder)
    mark_as_ours("leveldb", str(folder))
    open_store("badger", str(folder)).close()


@pytest.mark.parametrize("name", [".DS_Store", "lost+found", MARK])
def test_what_a_system_leaves_in_a_folder_does_not_count(folder: Path, name: str) -> None:
    (folder / name).write_bytes(b"")
    open_store("basholeveldb", str(folder)).close()


def test_looking_makes_nothing(tmp_path: Path) -> None:
    demand_ours("leveldb", str(tmp_path / "absent"))
    demand_ours("memory", "")
    demand_ours("filelog", str(tmp_path / "absent"))
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StoreError, match="cannot open the store in"):
        open_store("leveldb", str(tmp_path / "file"))


def test_engines_without_a_path() -> None:
    for engine in LEVELDB:
        with pytest.raises(StoreError, match=f"a {engine} store needs a path"):
            open_store(engine, "")
