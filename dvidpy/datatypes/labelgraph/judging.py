"""What must hold of a graph: `dvidpy check`. Each edge is stored twice, from either end, with the same weight."""

from __future__ import annotations

from collections.abc import Iterator

from dvidpy.datatypes.labelgraph.keys import EDGE, VERTEX, numbers_key, numbers_of
from dvidpy.storage.keys import cell, split_cell
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
    """Edges that are not the same from either end, in any version."""
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
