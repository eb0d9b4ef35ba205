"""Events: what the mutation records of a labelmap say, for those who follow it.

A record's event holds all it takes to apply the edit again, and to take it back: what belonged to which body before.
"""

from __future__ import annotations

import msgspec

from dvidpy.datatypes.labelled.edits import editing_again
from dvidpy.datatypes.labelled.instance import LabelMap
from dvidpy.datatypes.labelled.intake import Written
from dvidpy.datatypes.labelled.reconcile import Reconciled
from dvidpy.datatypes.labelmap.mutations.cleave import Cleave
from dvidpy.datatypes.labelmap.mutations.merge import Merge
from dvidpy.datatypes.labelmap.mutations.renumber import Renumber
from dvidpy.datatypes.labelmap.mutations.split_body import SplitBody
from dvidpy.datatypes.labelmap.mutations.split_supervoxel import SplitSupervoxel
from dvidpy.versioning.mutations import NO_EVENT, Mutation

Edited = Merge | Cleave | Renumber | SplitSupervoxel | SplitBody
"""Edits of bodies and supervoxels, which can be applied again."""
Event = Edited | Written | Reconciled
_decode = msgspec.json.Decoder(Event).decode


def event_of(mutation: Mutation) -> Event | None:
    """What a record says; None for an edit that concerns nobody else."""
    return None if mutation.event == NO_EVENT else _decode(mutation.event)


def apply_again(data: LabelMap, mutation: Mutation) -> None:
    """Do the edit of a record, wherever it broke off; where it was done already, nothing changes."""
    event = event_of(mutation)
    if not isinstance(event, Edited):
        raise TypeError(f"mutation {mutation.id} is no edit of bodies")
    with editing_again(data, mutation) as edit:
        event.apply(edit)
