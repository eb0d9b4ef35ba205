from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest
from starlette.testclient import TestClient
from versioning.edits import Chain, contents, logged, new_instance, put, stored

from dvidpy.config import BackendSettings, Settings, Spec, StoreSettings, load_settings
from dvidpy.errors import StoreError
from dvidpy.storage import keys
from dvidpy.storage.leveldb import LevelStore
from dvidpy.storage.memory import MemoryStore
from dvidpy.versioning import upkeep
from dvidpy.versioning.check import check_datastore
from dvidpy.versioning.datastore import Datastore
from dvidpy.versioning.large import PART

ROOT = "0123456789abcdef" * 2
CONFIG = f"""
[store.first]
engine = "leveldb"
path = "first"

[store.second]
engine = "leveldb"
path = "second"

[store.third]
engine = "leveldb"
path = "third"

[backend.default]
store = "first"

[backend.keyvalue]
store = "second"

[backend."notes:{ROOT}"]
store = "third"

[backend."kind:meshes"]
store = "third"
"""


# ---------------------------------------------------------------------- several stores
class TestSeveralStores:
    @pytest.fixture
    def settings(self, tmp_path: Path) -> Settings:
        (tmp_path / "config.toml").write_text(CONFIG)
        return load_settings(tmp_path / "config.toml")

    @pytest.mark.parametrize(
        ("name", "root", "tags", "typename", "store"),
        [
            ("notes", ROOT, {}, "keyvalue", "third"),
            ("notes", ROOT[::-1], {}, "keyvalue", "second"),
            ("other", ROOT, {"kind": "meshes"}, "keyvalue", "third"),
            ("other", ROOT, {"kind": "notes"}, "keyvalue", "second"),
            ("other", ROOT, {}, "roi", "first"),
        ],
    )
    def test_the_store_of_a_new_instance(
        self, settings: Settings, name: str, root: str, tags: dict[str, str], typename: str, store: str
    ) -> None:
        assert settings.store_for(Spec(name, root, "data", tags, typename)) == store

    def test_values_lie_in_the_store_that_the_configuration_names(self, client: TestClient, tmp_path: Path) -> None:
        client.post("/api/repos", json={"root": ROOT}).raise_for_status()
        for name, tags in (("notes", ""), ("plain", ""), ("shapes", "kind=meshes")):
            settings = {"typename": "keyvalue", "dataname": name, "Tags": tags}
            client.post(f"/api/repo/{ROOT}/instance", json=settings).raise_for_status()
            client.post(f"/api/node/{ROOT}/{name}/key/a", content=name.encode()).raise_for_status()
            assert client.get(f"/api/node/{ROOT}/{name}/key/a").content == name.encode()
        client.app._server.datastore.close()  # type: ignore[attr-defined]  # to look at the files
        held = {}
        for name in ("first", "second", "third"):
            with closing(LevelStore(tmp_path / name)) as store:
                held[name] = len(stored(store, keys.DATA))
        assert held == {"first": 0, "second": 1, "third": 2}

    def test_each_store_has_its_log_and_all_outlive_a_restart(self, settings: Settings) -> None:
        with closing(Datastore(settings)) as datastore:
            chain = Chain(datastore)
            instances = [new_instance(datastore, chain.repo, name, store=name) for name in settings.stores]
            made = chain.repo.instances.values()
            rules = {f"{i.name}:{i.repo}": BackendSettings(store=i.store) for i in made}
            for instance in instances:
                view = datastore.values(instance).at(chain.node.version)
                put(view, "a", bytes(2 * PART))
                datastore.stack_of(instance).committer.commit(logged(instance, chain.node, b'{"n":1}'))
        with closing(Datastore(settings.model_copy(update={"backends": settings.backends | rules}))) as again:
            for instance in instances:
                assert contents(again.values(instance).at(chain.node.version)) == {"a": bytes(2 * PART)}
                assert len(list(again.stack_of(instance).log.read(instance.uuid, chain.node.uuid))) == 1
            assert check_datastore(again).faults == []

    def test_an_instance_whose_store_is_not_configured_stops_the_start(self, settings: Settings) -> None:
        with closing(Datastore(settings)) as datastore:
            new_instance(datastore, datastore.repos.create(root=ROOT), "notes", store="third")
        fewer = settings.model_copy(
            update={"stores": {name: store for name, store in settings.stores.items() if name != "third"}}
        )
        with pytest.raises(StoreError, match=r"'notes' .* are in the store 'third', which is not configured"):
            Datastore(fewer)
        with closing(Datastore(settings)) as datastore:  # nothing is held
            assert len(datastore.stacks) == 3


def test_one_folder_cannot_be_two_stores(settings: Settings) -> None:
    twice = settings.model_copy(update={"stores": {"one": settings.stores["main"], "two": settings.stores["main"]}})
    with pytest.raises(StoreError, match="cannot open the store"):
        Datastore(twice)
    Datastore(settings).close()


def test_a_log_that_cannot_be_opened_stops_the_start(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "leveldb-mutations").write_bytes(b"a file stands where the folder should be")
    with pytest.raises(StoreError, match=r"cannot open the log of mutations in .*leveldb-mutations"):
        Datastore(settings)
    (tmp_path / "leveldb-mutations").unlink()
    Datastore(settings).close()


def test_an_unknown_engine_stops_the_start(settings: Settings) -> None:
    unknown = settings.model_copy(update={"stores": {"main": StoreSettings(engine="pebble", path="x")}})
    with pytest.raises(StoreError, match="unknown store engine 'pebble'"):
        Datastore(unknown)


def test_the_metadata_store_goes_before_the_default(settings: Settings) -> None:
    backends = {"default": BackendSettings(store="main"), "metadata": BackendSettings(store="records")}
    assert settings.model_copy(update={"backends": backends}).default_store() == "records"


def test_a_store_that_fails_at_the_end_keeps_no_other_open(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = StoreSettings(engine="memory")
    datastore = Datastore(settings.model_copy(update={"stores": {"memory": other} | settings.stores}))

    def fail(store: MemoryStore) -> None:
        raise StoreError("the medium fails")

    monkeypatch.setattr(MemoryStore, "close", fail)
    with pytest.raises(StoreError, match="the medium fails"):
        datastore.close()
    LevelStore(tmp_path / "leveldb").close()


# ---------------------------------------------------------------------- space
@pytest.fixture
def chain(datastore: Datastore) -> Chain:
    return Chain(datastore)


def test_space_of_deleted_large_values_is_given_back(chain: Chain, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upkeep, "COMPACT_AFTER", 3 * PART)
    done: list[tuple[bytes, bytes]] = []
    stack = chain.datastore.main
    monkeypatch.setattr(stack.store, "compact", lambda start, stop: done.append((start, stop)))
    for _ in range(5):  # each replaces the one before
        put(chain.view(), "a", bytes(2 * PART))
    put(chain.view(), "b", b"v")
    while stack.queue.length():
        pass
    prefix = keys.part_prefix(chain.instance.number)
    assert done == [(prefix, keys.after(prefix))] * 2
