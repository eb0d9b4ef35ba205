from __future__ import annotations

from pathlib import Path

import pytest

from dvidpy.config import BackendSettings, MutationSettings, Settings, Spec, StoreSettings

ROOT, OTHER, DATA = "a" * 32, "b" * 32, "d" * 32
MEMORY = StoreSettings(engine="memory")


def settings(**backends: str) -> Settings:
    """Stores a to f, and rules that name them."""
    rules = {key.replace("__", ":"): BackendSettings(store=store) for key, store in backends.items()}
    return Settings(stores=dict.fromkeys("abcdef", MEMORY), backends=rules)


def spec(name: str = "notes", root: str = ROOT, typename: str = "keyvalue", **tags: str) -> Spec:
    return Spec(name, root, DATA, tags, typename)


RULES = {DATA: "a", f"notes__{ROOT}": "b", "kind__meshes": "c", "uint8blk": "d", "default": "e", "metadata": "f"}


@pytest.mark.parametrize(
    ("wanted", "store"),
    [
        (spec(), "a"),
        (spec()._replace(data="x"), "b"),
        (spec(kind="meshes")._replace(data="x"), "b"),
        (spec(root=OTHER, typename="uint8blk", kind="meshes")._replace(data="x"), "c"),
        (spec(root=OTHER, typename="uint8blk", kind="notes")._replace(data="x"), "d"),
        (spec(root=OTHER)._replace(data="x"), "e"),
    ],
)
def test_rules_in_the_order_of_the_reference(wanted: Spec, store: str) -> None:
    chosen = settings(**RULES)
    assert chosen.store_for(wanted) == store
    assert chosen.default_store() == "f"


def test_default_keeps_the_repos_where_metadata_is_not_named() -> None:
    assert settings(default="e").default_store() == "e"


# ---------------------------------------------------------------------- what exists already
@pytest.mark.parametrize(
    ("rules", "store", "possible"),
    [
        ({"default": "a"}, "a", True),
        ({"default": "b"}, "a", False),
        ({"default": "a", "keyvalue": "b"}, "a", False),
        ({"default": "a", "keyvalue": "b", f"notes__{ROOT}": "a"}, "a", True),
        ({"default": "a", f"notes__{ROOT}": "b"}, "a", False),
        ({"default": "a", DATA: "b"}, "a", False),
        ({"default": "a", DATA: "b"}, "b", True),
        ({"default": "b", f"notes__{OTHER}": "a"}, "a", True),
    ],
)
def test_where_an_instance_may_lie(rules: dict[str, str], store: str, possible: bool) -> None:
    assert settings(**rules).may_lie_in(store, spec(), ["notes"]) is possible


def test_a_client_that_changes_tags_makes_no_configuration_wrong() -> None:
    chosen = settings(default="a", kind__meshes="b")
    assert chosen.may_lie_in("a", spec(kind="meshes"), ["notes"])  # tagged afterwards
    assert chosen.may_lie_in("b", spec(), ["notes"])  # the tag was taken away
    assert not chosen.may_lie_in("c", spec(kind="meshes"), ["notes"])


def test_nor_one_that_renames() -> None:
    chosen = settings(default="a", **{f"old__{ROOT}": "b"})
    assert chosen.may_lie_in("b", spec(), ["notes"])
    assert not chosen.may_lie_in("b", spec(), ["notes", "old"])


# ---------------------------------------------------------------------- logs
LOGS = {"one": StoreSettings(engine="filelog", path="/one"), "two": StoreSettings(engine="filelog", path="/two")}


def logging(jsonstore: str = "") -> Settings:
    rules = {
        "default": BackendSettings(store="main", log="one"),
        "labelmap": BackendSettings(store="main", log="two"),
        "uint8blk": BackendSettings(store="main"),
    }
    return Settings(stores={"main": MEMORY, **LOGS}, backends=rules, mutations=MutationSettings(jsonstore=jsonstore))


@pytest.mark.parametrize(("typename", "log"), [("labelmap", "two"), ("uint8blk", "one"), ("keyvalue", "one")])
def test_the_log_of_an_instance_is_the_first_that_is_named(typename: str, log: str) -> None:
    assert logging().log_for(spec(typename=typename)) == log
    assert settings(default="a").log_for(spec(typename=typename)) == ""


@pytest.mark.parametrize(
    ("jsonstore", "log", "folder"),
    [
        ("", "one", Path("/one")),
        ("", "", None),
        ("", "gone", None),
        ("two", "one", Path("/two")),
        ("/json", "one", Path("/json")),
        ("/json", "", Path("/json")),
    ],
)
def test_jsonstore_goes_before_the_log_of_a_backend(jsonstore: str, log: str, folder: Path | None) -> None:
    assert logging(jsonstore).log_folder(log) == folder
