"""What labelled volumes do beside answering requests: coarser scales, indices below merges, events, `dvidpy check`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from dvidpy.datatypes.events import FOLLOW, deliver
from dvidpy.datatypes.labelled import check, downres, reconcile
from dvidpy.datatypes.labelled.keys import EXTENTS, MAX_LABEL
from dvidpy.versioning.datastore import Datastore
from dvidpy.versioning.duties import Duties
from dvidpy.versioning.records import Instance, Node


def _settle(datastore: Datastore, instance: Instance, node: Node) -> None:
    downres.settle(datastore, instance, node)
    reconcile.settle(datastore, instance, node)


def _faults(datastore: Datastore, instance: Instance) -> Iterator[str]:
    yield from check.faults(datastore, instance)
    yield from downres.faults(datastore, instance)


DUTIES = Duties(
    workers={downres.DOWNRES: downres.compute, reconcile.RECONCILE: reconcile.reconcile},
    settle=_settle,
    shared=frozenset((EXTENTS, MAX_LABEL)),
    judge=check.judge,
    faults=_faults,
)
FOLLOWING = replace(DUTIES, workers={**DUTIES.workers, FOLLOW: deliver})
"""Of types that follow another instance too."""
