from __future__ import annotations

import pytest
from versioning.edits import Chain, contents, delete, new_instance, put

from dvidpy.errors import BadRequest
from dvidpy.versioning.datastore import Datastore
from dvidpy.versioning.large import PART
from dvidpy.versioning.records import Node
from dvidpy.versioning.resolve import resolve


@pytest.fixture
def chain(datastore: Datastore) -> Chain:
    return Chain(datastore)


def _branches(chain: Chain, *edits: dict[str, bytes | None]) -> list[Node]:
    """Locked branches of the root, each with its edits."""
    root = chain.commit()
    branches = []
    for number, values in enumerate(edits):
        node = chain.branch(root, f"side-{number}")
        for name, value in values.items():
            if value is None:
                delete(chain.view(node), name)
            else:
                put(chain.view(node), name, value)
        chain.datastore.repos.commit(node)
        branches.append(chain.datastore.catalogue.node(node.version))
    return branches


def test_without_a_conflict_it_is_a_merge(chain: Chain) -> None:
    put(chain.view(), "a", b"root")
    parents = _branches(chain, {"b": b"1"}, {"c": b"2"})
    merged = resolve(chain.datastore, [chain.instance], parents, "note")
    assert merged.parents == tuple(parent.version for parent in parents)
    assert contents(chain.view(merged)) == {"a": b"root", "b": b"1", "c": b"2"}


def test_earlier_parents_win(chain: Chain) -> None:
    big = bytes(PART + 1)
    for name in ("a", "b", "c"):
        put(chain.view(), name, b"root")
    edits: list[dict[str, bytes | None]] = [{"a": b"0"}, {"a": big, "b": b"1"}, {"a": b"2", "b": big, "c": b"2"}]
    parents = _branches(chain, *edits)
    before = [contents(chain.view(parent)) for parent in parents]
    merged = resolve(chain.datastore, [chain.instance], parents, "note")
    assert contents(chain.view(merged)) == {"a": b"0", "b": b"1", "c": b"2"}
    assert [contents(chain.view(parent)) for parent in parents] == before
    losers = [node for node in chain.repo.nodes.values() if node.branch.startswith("conflict-")]
    assert [node.branch for node in losers] == [f"conflict-{parent.uuid}" for parent in parents[1:]]
    assert all(node.locked for node in losers)


def test_a_deletion_is_no_rival_of_a_value(chain: Chain) -> None:
    put(chain.view(), "a", b"root")
    parents = _branches(chain, {"a": None}, {"a": b"1"})
    merged = resolve(chain.datastore, [chain.instance], parents, "note")
    assert contents(chain.view(merged)) == {"a": b"1"}


def test_more_conflicts_than_fit_in_an_edit(chain: Chain, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dvidpy.versioning.resolve.BATCH", 7)
    names = [f"{number:03d}" for number in range(50)]
    parents = _branches(chain, dict.fromkeys(names, b"0"), dict.fromkeys(names, b"1"))
    merged = resolve(chain.datastore, [chain.instance], parents, "note")
    assert contents(chain.view(merged)) == dict.fromkeys(names, b"0")


def test_unversioned_instances_and_those_not_named_are_left_alone(chain: Chain) -> None:
    other = new_instance(chain.datastore, chain.repo, "other")
    free = new_instance(chain.datastore, chain.repo, "free", versioned=False)
    root = chain.commit()
    parents = [chain.branch(root, name) for name in ("one", "two")]
    for parent in parents:
        put(chain.datastore.values(other).at(parent.version), "a", parent.uuid.encode())
        put(chain.datastore.values(free).at(root.version), "a", parent.uuid.encode())
        chain.datastore.repos.commit(parent)
    parents = [chain.datastore.catalogue.node(parent.version) for parent in parents]
    merged = resolve(chain.datastore, [chain.instance, free], parents, "note")
    assert contents(chain.datastore.values(other).at(merged.version)) == {}
    assert contents(chain.datastore.values(free).at(root.version)) == {"a": parents[1].uuid.encode()}


def test_what_cannot_be_resolved_is_refused_before_anything_is_made(chain: Chain) -> None:
    put(chain.view(), "a", b"root")
    one, two = _branches(chain, {"a": b"1"}, {"a": b"2"})
    nodes = len(chain.repo.nodes)
    elsewhere = chain.datastore.repos.create().root
    for parents, why in (
        ([one, elsewhere], "belong to one repo"),
        ([one, one], "different parents"),
        ([one, chain.node], "not committed"),
    ):
        with pytest.raises(BadRequest, match=why):
            resolve(chain.datastore, [chain.instance], parents, "note")
    assert len(chain.repo.nodes) == nodes
    assert contents(chain.view(two)) == {"a": b"2"}


def test_the_same_parents_can_be_merged_again_with_another_winner(chain: Chain) -> None:
    parents = _branches(chain, {"a": b"1", "b": b"1"}, {"a": b"2", "b": b"2"})
    first = resolve(chain.datastore, [chain.instance], parents, "note")
    again = resolve(chain.datastore, [chain.instance], parents, "note")
    other = resolve(chain.datastore, [chain.instance], parents[::-1], "note")
    for merged, winner in ((first, b"1"), (again, b"1"), (other, b"2")):
        assert contents(chain.view(merged)) == {"a": winner, "b": winner}


def test_resolving_that_broke_off_can_be_done_again(chain: Chain, monkeypatch: pytest.MonkeyPatch) -> None:
    """A crash between the making of a child for the loser and the merge."""
    put(chain.view(), "a", b"root")
    parents = _branches(chain, {"a": b"1"}, {"a": b"2"})

    def fail(*_: object) -> Node:
        raise RuntimeError("killed")

    with monkeypatch.context() as patch:
        patch.setattr(chain.datastore.repos, "merge", fail)
        with pytest.raises(RuntimeError, match="killed"):
            resolve(chain.datastore, [chain.instance], parents, "note")
    merged = resolve(chain.datastore, [chain.instance], parents, "note")
    assert contents(chain.view(merged)) == {"a": b"1"}
