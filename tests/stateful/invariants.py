"""What must hold after every step of a random history."""

from __future__ import annotations

from stateful.model import Model
from versioning.edits import Chain, contents, names, stored, typekey

from dvidpy.storage import keys
from dvidpy.versioning.check import check_datastore
from dvidpy.versioning.large import PART


def versions_see_what_the_model_says(chain: Chain, model: Model, versions: list[int]) -> None:
    """By ranges, keys, single reads and single looks alike."""
    for version in versions:
        view = chain.datastore.values(chain.instance).at(version)
        expected = model.visible(version)
        assert contents(view) == expected
        assert names(view) == sorted(expected)
        for name in model.names():
            assert view.get(typekey(name)) == expected.get(name)
            assert view.exists(typekey(name)) == (name in expected)


def locked_versions_are_those_of_the_model(chain: Chain, model: Model) -> None:
    assert {node.version for node in chain.repo.nodes.values() if node.locked} == model.locked
    assert {node.version: node.parents for node in chain.repo.nodes.values()} == model.parents


def parts_are_those_of_the_large_values(chain: Chain, model: Model) -> None:
    """No more: overwritten and deleted ones are gone with their parts."""
    sizes = [len(value) for wrote in model.wrote.values() for value in wrote.values() if value]
    expected = sum(-(-size // PART) for size in sizes if size > PART)
    assert len(stored(chain.datastore.main.store, keys.PARTS)) == expected


def the_log_names_every_edit_once(chain: Chain, edits: dict[int, list[bytes]]) -> None:
    for node in chain.repo.nodes.values():
        messages = list(chain.datastore.main.log.read(chain.instance.uuid, node.uuid))
        assert messages == edits.get(node.version, [])


def check_has_nothing_to_say(chain: Chain) -> None:
    report = check_datastore(chain.datastore)
    assert report.faults == []
    assert report.counts["orphaned parts"] == 0
