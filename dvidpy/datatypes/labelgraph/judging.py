"""What must hold of a graph: `dvidpy check`.

1. Each edge is stored twice, from either end, with the same weight.
2. Both ends of an edge are vertices, or parts of vertices (`parts`).
3. Parts of a vertex are there, and of no other one.
4. No vertex is a label that an instance which the graph follows had, and has no more.
"""

from __future__ import annotations

from collections.abc import Iterator

from dvidpy.datatypes.events import pending, subject_of
from dvidpy.datatypes.labelgraph.following import sources
from dvidpy.datatypes.labelgraph.graph import LabelGraph
from dvidpy.datatypes.labelgraph.keys import EDGE, MEMBER, VERTEX, numbers_of
from dvidpy.storage.keys import after
from dvidpy.versioning.datastore import Datastore
from dvidpy.versioning.duties import Kept
from dvidpy.versioning.records import Instance

WEIGHT_BYTES = 8


def judge(kept: Kept) -> Iterator[str]:
    """What is wrong with one value."""
    if kept.typekey[:1] in (VERTEX, EDGE) and len(kept.read()) != WEIGHT_BYTES:
        yield f"{len(kept.read())} bytes are no weight"


def faults(datastore: Datastore, instance: Instance) -> Iterator[str]:
    """What does not agree in an instance, in any version."""
    nodes = datastore.catalogue.repo(instance.repo).nodes
    for version in sorted(nodes) if instance.versioned else [instance.root_version]:
        data = subject_of(datastore, instance.number, version)
        if isinstance(data, LabelGraph):
            yield from (f"version {version}: {fault}" for fault in _in_version(data))


def _in_version(data: LabelGraph) -> Iterator[str]:
    parts = {numbers_of(key)[0] for key in data.view.keys(VERTEX, after(VERTEX))}
    links = {tuple(numbers_of(key)): found.read() for key, found in data.view.range(EDGE, after(EDGE))}
    for (one, other), stored in links.items():
        if one not in parts:
            yield f"edge {one}-{other}, and no vertex {one}"
        if links.get((other, one)) != stored:
            yield f"edge {one}-{other} has two weights: edge {other}-{one} is not the same"
    graph = data.still()
    for vertex, name in map(numbers_of, data.view.keys(MEMBER, after(MEMBER))):
        if name not in parts or graph.vertex_of(name) != vertex:
            yield f"vertex {vertex} has part {name}, which is none of it"
    owners = graph.owners()
    vertices = {owners.get(name, name) for name in parts}
    gone = [label for one in sources(data) for label in one.ended(vertices, data.since)] if not pending(data) else []
    yield from (f"vertex {label} is no label any more" for label in gone)
