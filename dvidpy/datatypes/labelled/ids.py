"""Labels in use and labels to come. A new label is larger than any in use in any version of the repo.

An admin may let them go on from another number (`set-nextlabel`), where a wrong label has run far ahead.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from dvidpy.datatypes.labelled.instance import LabelMap
from dvidpy.datatypes.labelled.keys import MAX_LABEL, label_key
from dvidpy.datatypes.labelled.turns import Names
from dvidpy.datatypes.labels.numbers import LARGEST
from dvidpy.errors import BadRequest
from dvidpy.storage import codecs
from dvidpy.storage.keys import PAST, split_cell


def max_label(data: LabelMap) -> int:
    """Largest label in use in this version or any ancestor; 0 where there is none.

    An ancestor may have got a larger one later, by a forced edit; that of a merge's parent may be hidden by `resolve`.
    """
    members = data.view.ancestry.members
    return max((label for version, label in _noted(data) if version in members), default=0)


def repo_max_label(data: LabelMap) -> int:
    """Largest label in use, or given away, in any version."""
    state = data.state
    with state.numbering:
        if state.most is None:
            state.most = max((label for _, label in _noted(data)), default=0)
        return state.most


def _noted(data: LabelMap) -> Iterator[tuple[int, int]]:
    """(version, its largest label) of the versions that say so."""
    values = data.datastore.values(data.instance)
    row = values.prefix + MAX_LABEL
    rows = values.store.scan(row, row + PAST)
    return ((split_cell(key)[0], int(codecs.decode(stored))) for key, stored in rows if stored)


def next_label(data: LabelMap) -> int:
    """The label that would be given away next."""
    return (data.fresh_setting("NextLabel") or repo_max_label(data)) + 1


def used_among(data: LabelMap, labels: Iterable[int]) -> list[int]:
    """Those that name a body or a supervoxel of this version, or did so before an edit."""
    asked = [*labels]
    known = data.bodies().knows(np.array(asked, np.uint64)).tolist()
    return [label for label, known in zip(asked, known, strict=True) if known or data.view.exists(label_key(label))]


def take_unused(data: LabelMap, count: int = 1, but: Iterable[int] = ()) -> int:
    """As `take_unnamed`, for an edit: passes over labels that are in use all the same, and over some others.

    An admin may have set the next label among them.
    """
    others = set(but)
    while True:
        first = take_unnamed(data, count)
        taken = range(first, first + count)
        if others.isdisjoint(taken) and not used_among(data, taken):
            return first


def take_unnamed(data: LabelMap, count: int = 1) -> int:
    """As `take_labels`: passes over labels that other edits under way have named, to which they may have been given.

    Where this one has its turn, it has named them from now on.
    """
    turns = data.state.turns
    while True:
        first = take_labels(data, count)
        if turns.has_everything() or turns.claim(Names(frozenset(range(first, first + count)))):
            return first


def claim(data: LabelMap, given: int | None) -> int:
    """A label that was never used, the given one if there is one: BadRequest where that was used before."""
    if given is None:
        return take_unused(data)
    if used_among(data, [given]):
        raise BadRequest(f"label {given} is in use")
    note_label(data, given)
    return given


def take_labels(data: LabelMap, count: int = 1) -> int:
    """The first of `count` new labels in a row; BadRequest where the numbers, or the ceiling, do not allow so many."""
    with data.state.numbering:
        first = next_label(data)
        last = first + count - 1
        ceiling = data.fresh_setting("LabelCeiling") or LARGEST
        if count < 1 or last > ceiling:
            raise BadRequest(f"{count} labels from {first} on would pass {ceiling}")
        if data.fresh_setting("NextLabel"):
            data.update_settings({"NextLabel": last})
        else:
            note_label(data, last)
        return first


def set_next(data: LabelMap, label: int, ceiling: int | None = None) -> None:
    """Let new labels go on behind this one, up to a ceiling: 0 is none, None the one set before."""
    with data.state.numbering:
        highest = data.fresh_setting("LabelCeiling") if ceiling is None else ceiling
        if label >= LARGEST or (highest and label > highest):
            raise BadRequest(f"new labels behind {label} would pass {highest or LARGEST}")
        data.update_settings({"NextLabel": label, "LabelCeiling": highest})


def note_label(data: LabelMap, label: int) -> None:
    """Labels up to this one are in use; new ones come behind it."""
    with data.state.numbering:
        data.state.most = max(repo_max_label(data), label)


def label_numbers(data: LabelMap) -> dict[str, Any]:
    """Numbers that `info` shows."""
    return {
        "MaxDownresLevel": data.scales,
        "IndexedLabels": data.indexed,
        "MaxLabel": max_label(data),
        "MaxRepoLabel": repo_max_label(data),
        "NextLabel": data.fresh_setting("NextLabel"),
    }
