"""What must hold of a graph: `dvidpy check`.

1. Each edge is stored twice, from either end, with the same weight.
2. Both ends of an edge are vertices.
3. No vertex is a label that an instance which the graph follows had, and has no more.
"""

from __future__ import annotations

from collections.abc import Iterator

from dvidpy.datatypes.events import pending, subject_of
from dvidpy.datatypes.labelgraph.following import sources
from dvidpy.datatypes.labelgraph.graph import LabelGraph
from dvidpy.datatypes.labelgraph.keys import EDGE, VERTEX, numbers_key, numbers_of
from dvidpy.storage.keys import after, cell, split_cell
from dvidpy.versioning.datastore import Datastore
from dvidpy.versioning.duties import Kept
from dvidpy.versioning.records import Instance
from dvidpy.versioning.store import VersionedStore

WEIGHT_BYTES = 8


def judge(kept: Kept) -> Iterator[str]:
    """What is wrong with one value."""
    if kept.typekey[:1] in (VERTEX, EDGE) and len(kept.read()) != WEIGHT_BYTES:
        yield f"{len(kept.read())} bytes are no weight"


def faults(datastore: Datastore, instance: Instance) -> Iterator[str]:
    """What does not agree in an instance, in any version."""
    yield from _edges(datastore, instance)
    nodes = datastore.catalogue.repo(instance.repo).nodes
    for version in sorted(nodes) if instance.versioned else [instance.root_version]:
        data = subject_of(datastore, instance.number, version)
        if isinstance(data, LabelGraph):
            yield from (f"version {version}: {fault}" for fault in _in_version(data))


def _in_version(data: LabelGraph) -> Iterator[str]:
    vertices = {numbers_of(key)[0] for key in data.view.keys(VERTEX, after(VERTEX))}
    for one, other in map(numbers_of, data.view.keys(EDGE, after(EDGE))):
        if one not in vertices:
            yield f"edge {one}-{other}, and no vertex {one}"
    gone = [label for one in sources(data) for label in one.ended(vertices, data.since)] if not pending(data) else []
    yield from (f"vertex {label} is no label any more" for label in gone)


def _edges(datastore: Datastore, instance: Instance) -> Iterator[str]:
    """Edges that are not the same from either end."""
    values = datastore.values(instance)
    for typekey, cells in values.rows():
        if typekey[:1] == EDGE:
            one, other = numbers_of(typekey)
            turned = numbers_key(EDGE, other, one)
            there = {split_cell(key) for key in values.store.versions(values.prefix + turned)}
            for version, kind in cells:
                if (version, kind) not in there:
                    yield f"edge {one}-{other} was changed at version {version}, and not as {other}-{one}"
                elif one < other and len({_stored(values, key, version, kind) for key in (typekey, turned)}) > 1:
                    yield f"edge {one}-{other} has two weights at version {version}"


def _stored(values: VersionedStore, typekey: bytes, version: int, kind: int) -> bytes | None:
    return values.store.get(values.prefix + typekey + cell(version, kind))
