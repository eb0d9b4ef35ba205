"""Mutations land in the folders that the configuration names, and are found when it names others."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from versioning.edits import Chain, logged, new_instance

from dvidpy.config import BackendSettings, MutationSettings, Settings, StoreSettings
from dvidpy.errors import StoreError
from dvidpy.versioning.check import check_datastore
from dvidpy.versioning.datastore import Datastore
from dvidpy.versioning.records import Instance


def settings(folder: Path, log: str = "", special: str = "", jsonstore: str = "") -> Settings:
    """Stores `main`, and the logs one and two; rules for keyvalue and for the instance type `special`."""
    stores = {"main": StoreSettings(engine="leveldb", path=str(folder / "main"))}
    stores |= {name: StoreSettings(engine="filelog", path=str(folder / name)) for name in ("one", "two")}
    rules = {"default": BackendSettings(store="main", log=log), "uint8blk": BackendSettings(store="main", log=special)}
    return Settings(stores=stores, backends=rules, mutations=MutationSettings(jsonstore=jsonstore))


def files(folder: Path) -> set[str]:
    """Folders that hold JSON lines."""
    return {str(path.parent.relative_to(folder)) for path in folder.rglob("*.jsonl")}


def edit(datastore: Datastore, instance: Instance, number: int) -> None:
    node = datastore.catalogue.node(instance.root_version)
    datastore.stack_of(instance).committer.commit(logged(instance, node, b'{"n":%d}' % number))


def messages(datastore: Datastore, instance: Instance) -> list[int]:
    node = datastore.catalogue.node(instance.root_version)
    log = datastore.stack_of(instance).log
    return [msgspec.json.decode(message)["n"] for message in log.read(instance.uuid, node.uuid)]


@pytest.mark.parametrize(
    ("log", "special", "jsonstore", "expected"),
    [
        ("", "", "", {"main-mutations"}),
        ("one", "", "", {"one/main"}),
        ("one", "two", "", {"one/main", "two/main"}),
        ("", "two", "", {"main-mutations", "two/main"}),
        ("one", "two", "two", {"two/main"}),
        ("one", "two", "{folder}/json", {"json/main"}),
    ],
)
def test_mutations_land_in_the_folder_of_their_log(
    tmp_path: Path, log: str, special: str, jsonstore: str, expected: set[str]
) -> None:
    chosen = settings(tmp_path, log, special, jsonstore.format(folder=tmp_path))
    with closing(Datastore(chosen)) as datastore:
        chain = Chain(datastore)
        plain = new_instance(datastore, chain.repo, "plain", log=log)
        other = new_instance(datastore, chain.repo, "other", log=special or log)
        for number in range(3):
            edit(datastore, plain, number)
            edit(datastore, other, 10 + number)
        assert messages(datastore, plain) == [0, 1, 2]
        assert messages(datastore, other) == [10, 11, 12]
        assert check_datastore(datastore).faults == []
    assert files(tmp_path) == expected


@pytest.mark.parametrize(
    "after",
    [{"log": "one", "jsonstore": "two"}, {"log": "one", "jsonstore": "{folder}/json"}, {"log": "two"}, {"log": "one"}],
)
def test_a_folder_that_is_new_gets_all_that_was_logged(tmp_path: Path, after: dict[str, str]) -> None:
    with closing(Datastore(settings(tmp_path, "one"))) as datastore:
        instance = new_instance(datastore, datastore.repos.create(), "notes", log="one")
        edit(datastore, instance, 1)
    after = {name: value.format(folder=tmp_path) for name, value in after.items()}
    for number, chosen in enumerate([settings(tmp_path, **after), settings(tmp_path, "one")], 2):  # there and back
        with closing(Datastore(chosen)) as datastore:
            assert messages(datastore, instance) == list(range(1, number))
            edit(datastore, instance, number)
            assert messages(datastore, instance) == list(range(1, number + 1))
            assert check_datastore(datastore).faults == []


def test_a_log_that_is_not_configured_any_more_stops_the_start(tmp_path: Path) -> None:
    with closing(Datastore(settings(tmp_path, "one"))) as datastore:
        new_instance(datastore, datastore.repos.create(), "notes", log="one")
    fewer = settings(tmp_path)
    fewer = fewer.model_copy(update={"stores": {"main": fewer.stores["main"]}})
    with pytest.raises(StoreError, match=r"the mutation log of 'notes' .* 'one', which is not configured"):
        Datastore(fewer)


def test_a_log_folder_that_cannot_be_made_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "one").write_bytes(b"a file")
    with pytest.raises(StoreError, match="cannot open the log of mutations"):
        Datastore(settings(tmp_path, "one"))


def test_a_folder_that_moves_with_its_store_is_no_new_one(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    with closing(Datastore(settings(here, "one"))) as datastore:
        instance = new_instance(datastore, datastore.repos.create(), "notes", log="one")
        edit(datastore, instance, 1)
    here.rename(there)
    line = next(there.rglob("*.jsonl"))
    line.write_bytes(line.read_bytes().replace(b'"n":1', b'"n":7'))  # it would be written again
    with closing(Datastore(settings(there, "one"))) as datastore:
        assert messages(datastore, instance) == [7]
