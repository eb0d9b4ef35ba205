from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dvidpy.versioning import dag
from dvidpy.versioning.ancestry import Ancestries, Ancestry

Parents = dict[int, tuple[int, ...]]

DIAMOND: Parents = {1: (), 2: (1,), 3: (1,), 4: (2, 3), 5: (4,)}


@st.composite
def graphs(draw: st.DrawFn) -> Parents:
    parents: Parents = {1: ()}
    for version in range(2, draw(st.integers(2, 12))):
        above = draw(st.lists(st.integers(1, version - 1), min_size=1, max_size=3, unique=True))
        parents[version] = tuple(above)
    return parents


def _reaches(parents: Parents, version: int) -> set[int]:
    """The plain way: everything above a version, itself included."""
    return {version}.union(*(_reaches(parents, parent) for parent in parents[version]))


def test_ancestors_of_a_diamond() -> None:
    assert dag.ancestors(DIAMOND.__getitem__, 3) == (frozenset({1, 3}), True)
    assert dag.ancestors(DIAMOND.__getitem__, 4) == (frozenset({1, 2, 3, 4}), False)
    assert dag.ancestors(DIAMOND.__getitem__, 5) == (frozenset({1, 2, 3, 4, 5}), False)


def test_a_long_line_needs_no_recursion() -> None:
    line = {version: (version - 1,) if version > 1 else () for version in range(1, 20_001)}
    members, linear = dag.ancestors(line.__getitem__, 20_000)
    assert (len(members), linear) == (20_000, True)
    assert dag.path_to_root(line.__getitem__, 20_000)[-1] == 1


def test_the_path_to_the_root_goes_by_first_parents() -> None:
    assert dag.path_to_root(DIAMOND.__getitem__, 5) == [5, 4, 2, 1]
    assert dag.path_to_root(DIAMOND.__getitem__, 1) == [1]


def test_faults_of_a_graph() -> None:
    assert dag.faults(dag.graph(DIAMOND)) == []
    assert dag.faults(dag.graph({1: (), 2: ()})) == ["2 versions without a parent"]
    assert "version 2 is not newer than its parent 3" in dag.faults(dag.graph({1: (), 2: (3,), 3: (1,)}))
    assert "the versions form a cycle" in dag.faults(dag.graph({1: (), 2: (1, 3), 3: (2,)}))


@given(graphs())
def test_ancestries_are_what_the_graph_says(parents: Parents) -> None:
    ancestries = Ancestries(parents.__getitem__)
    for version in parents:
        above = _reaches(parents, version)
        ancestry = ancestries.of(version)
        assert ancestry.members == above
        assert ancestry.linear == all(len(parents[member]) < 2 for member in above)


@given(graphs(), st.data())
def test_maximal_are_those_no_other_descends_from(parents: Parents, data: st.DataObject) -> None:
    ancestry = Ancestries(parents.__getitem__).of(max(parents))
    given_versions = data.draw(st.lists(st.sampled_from(sorted(ancestry.members)), unique=True))
    expected = {
        version
        for version in given_versions
        if not any(version in _reaches(parents, other) for other in given_versions if other != version)
    }
    assert set(ancestry.maximal(given_versions)) == expected


def test_two_long_branches_are_weighed_by_their_tips() -> None:
    """Of a value stored 400 times on either side of a merge."""
    parents: Parents = {version: (version - 1,) for version in range(2, 802)} | {1: (), 402: (1,), 802: (401, 801)}
    ancestries = Ancestries(parents.__getitem__)
    asked: list[int] = []

    def of(version: int) -> Ancestry:
        asked.append(version)
        return ancestries.of(version)

    ancestry = Ancestry(802, frozenset(parents), linear=False, of=of)
    assert ancestry.maximal(range(2, 802)) == [801, 401]
    assert set(asked) == {801, 401}
