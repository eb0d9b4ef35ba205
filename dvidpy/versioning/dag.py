"""The graph of versions: pure functions on a networkx DiGraph whose edges lead from parent to child."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import networkx as nx

Parents = Callable[[int], Iterable[int]]


def graph(parents: Mapping[int, Iterable[int]]) -> nx.DiGraph[int]:
    """Version -> its parents, as a graph."""
    import networkx as nx  # a tenth of a second, which a server need not spend before its first answer

    dag: nx.DiGraph[int] = nx.DiGraph()
    dag.add_nodes_from(parents)
    dag.add_edges_from((parent, child) for child, above in parents.items() for parent in above)
    return dag


def faults(dag: nx.DiGraph[int]) -> list[str]:
    """What is wrong with a graph of versions: cycles, several roots, children older than their parents."""
    import networkx as nx

    found = [f"version {child} is not newer than its parent {parent}" for parent, child in dag.edges if parent >= child]
    if not nx.is_directed_acyclic_graph(dag):
        found.append("the versions form a cycle")
    roots = [version for version, count in dag.in_degree if count == 0]
    if len(roots) != 1:
        found.append(f"{len(roots)} versions without a parent")
    return found


def path_to_root(parents: Parents, version: int) -> list[int]:
    """The version and its first parents up to the root."""
    path = [version]
    while above := next(iter(parents(path[-1])), None):
        path.append(above)
    return path


def ancestors(parents: Parents, version: int) -> tuple[frozenset[int], bool]:
    """(the version and all above it, whether no merge is among them)."""
    found, waiting, linear = {version}, [version], True
    while waiting:
        above = tuple(parents(waiting.pop()))
        linear &= len(above) < 2
        waiting.extend(parent for parent in above if parent not in found)
        found.update(above)
    return frozenset(found), linear
