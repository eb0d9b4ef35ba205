"""An edit of the configuration hides nothing: it is refused, and the stores stay as they were."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from versioning.edits import Chain, contents, new_instance, put

from dvidpy.config import BackendSettings, Settings, StoreSettings
from dvidpy.errors import StoreError
from dvidpy.versioning.check import check_datastore
from dvidpy.versioning.datastore import Datastore

Instances = dict[str, str]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def settings(folder: Path, *stores: str, **backends: str) -> Settings:
    return Settings(
        stores={name: StoreSettings(engine="leveldb", path=str(folder / name)) for name in stores},
        backends={key: BackendSettings(store=store) for key, store in backends.items()},
    )


@pytest.fixture
def used(folder: Path) -> Settings:
    """Repos in `main`, the values of two instances in `images`."""
    before = settings(folder, "main", "images", default="main", keyvalue="images")
    with closing(Datastore(before)) as datastore:
        repo = datastore.repos.create()
        for name in ("one", "two"):
            instance = new_instance(datastore, datastore.catalogue.repos[repo.record.root], name, store="images")
            put(datastore.values(instance).at(repo.root.version), "key", name.encode())
    return before


def demand_unharmed(before: Settings) -> None:
    with closing(Datastore(before)) as datastore:
        for instance in datastore.catalogue.instances().values():
            view = datastore.values(instance).at(instance.root_version)
            assert contents(view) == {"key": instance.name.encode()}
        assert len(datastore.catalogue.instances()) == 2
        assert check_datastore(datastore).faults == []


@pytest.mark.parametrize(
    ("stores", "backends", "complaint"),
    [
        (("main", "images"), {"default": "main"}, "would look for them in 'main'. Values are not moved"),
        (("main", "images", "new"), {"default": "main", "keyvalue": "new"}, "would look for them in 'new'"),
        (("main",), {"default": "main"}, "are in the store 'images', which is not configured"),
        (("main", "images", "new"), {"default": "new", "keyvalue": "images"}, "belongs to repos .* another store"),
        (
            ("main", "images", "new"),
            {"default": "main", "metadata": "new", "keyvalue": "images"},
            "belongs to repos .* another store",
        ),
        (("images",), {}, "'images' .* belongs to repos that are in another store than 'images'"),
        (("main", "images"), {"default": "images"}, "belongs to repos that are in another store"),
    ],
)
def test_values_and_repos_are_looked_for_where_they_are(
    folder: Path, used: Settings, stores: tuple[str, ...], backends: dict[str, str], complaint: str
) -> None:
    with pytest.raises(StoreError, match=complaint):
        Datastore(settings(folder, *stores, **backends))
    demand_unharmed(used)


@pytest.mark.parametrize(
    "changed", [{"path": "elsewhere"}, {"engine": "memory", "path": ""}, {"engine": "badger", "path": "elsewhere"}]
)
def test_a_name_stands_for_the_same_store_for_ever(folder: Path, used: Settings, changed: dict[str, Any]) -> None:
    if changed["path"]:
        changed = changed | {"path": str(folder / changed["path"])}
    stores = used.stores | {"images": used.stores["images"].model_copy(update=changed)}
    with pytest.raises(StoreError, match=r"'images' .* is not the one that holds the values of 'one'"):
        Datastore(used.model_copy(update={"stores": stores}))
    demand_unharmed(used)


def test_two_stores_do_not_change_their_names(folder: Path) -> None:
    before = settings(folder, "a", "b", "c", default="a", keyvalue="b", roi="c")
    with closing(Datastore(before)) as datastore:
        new_instance(datastore, datastore.repos.create(), "one", store="b")
    swapped = before.stores | {"b": before.stores["c"], "c": before.stores["b"]}
    with pytest.raises(StoreError, match=r"'b' .* is not the one that holds"):
        Datastore(before.model_copy(update={"stores": swapped}))


def test_a_rule_for_the_instance_itself_keeps_it_where_it_is(folder: Path, used: Settings) -> None:
    with closing(Datastore(used)) as datastore:
        rules = {f"{i.name}:{i.repo}": "images" for i in datastore.catalogue.instances().values()}
    after = settings(folder, "main", "images", "new", default="main", keyvalue="new", **rules)
    demand_unharmed(after)


def test_folders_may_be_moved_and_copied(folder: Path, used: Settings) -> None:
    (folder / "disk").mkdir()
    for path in list(folder.iterdir()):
        if path.name != "disk":
            path.rename(folder / "disk" / path.name)
    demand_unharmed(settings(folder / "disk", "main", "images", default="main", keyvalue="images"))


def test_a_store_that_nothing_is_in_may_be_replaced(folder: Path, used: Settings) -> None:
    grown = settings(folder, "main", "images", "spare", default="main", keyvalue="images")
    demand_unharmed(grown)
    spare = StoreSettings(engine="leveldb", path=str(folder / "another"))
    demand_unharmed(grown.model_copy(update={"stores": grown.stores | {"spare": spare}}))
    demand_unharmed(used)


def test_what_is_in_memory_knows_nobody() -> None:
    stores = {name: StoreSettings(engine="memory") for name in ("main", "other")}
    for _ in range(2):
        with closing(Datastore(Settings(stores=stores))) as datastore:
            assert Chain(datastore).instance.store == "main"


def test_values_in_memory_beside_repos_on_disk_are_gone_at_the_end(folder: Path) -> None:
    stores = {
        "main": StoreSettings(engine="leveldb", path=str(folder / "main")),
        "scratch": StoreSettings(engine="memory"),
    }
    rules = {"default": BackendSettings(store="main"), "keyvalue": BackendSettings(store="scratch")}
    chosen = Settings(stores=stores, backends=rules)
    with closing(Datastore(chosen)) as datastore:
        instance = new_instance(datastore, datastore.repos.create(), "notes", store="scratch")
        put(datastore.values(instance).at(instance.root_version), "a", b"x")
    with closing(Datastore(chosen)) as datastore:
        assert contents(datastore.values(instance).at(instance.root_version)) == {}
