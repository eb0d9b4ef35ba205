"""What a graph makes of labels that moved: its vertices are labels as they are now, with what is theirs of weights.

| labels | vertices |
|---|---|
| merged | weights are summed, of edges to the same vertex too |
| renumbered | the same vertex has another number, and its properties |
| cleaved, split | of parts that were merged the new vertex has what they brought; of the rest its share by voxels |
| gone | the vertex is gone |

So the sum of the weights of vertices stays. A vertex that became part of another one is kept as it was (`Kept`), until
a client posts or deletes a subgraph. Labels that are no vertices are passed over.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from msgspec import Struct

from dvidpy.datatypes.bodies import Bodies, Ending, followed
from dvidpy.datatypes.events import Heard, LabelsMoved, Moved, noted, turn
from dvidpy.datatypes.labelgraph.graph import Edit, LabelGraph
from dvidpy.datatypes.labelgraph.keys import Pair, pair_of
from dvidpy.datatypes.labelgraph.wire import bounded

ROUNDING = 1e-9
"""What is left of a weight by rounding, beside what was taken off."""


class Kept(Struct):
    """A vertex that became part of another one, as it was then."""

    into: int
    order: tuple[int, int]
    """Later ones are taken out first."""
    weight: float
    edges: list[tuple[int, float, bool]]
    """(other vertex, weight, whether the vertex that it became part of had no such edge)."""
    voxels: int
    supervoxels: list[int]


def hear(data: LabelGraph, heard: Heard) -> None:
    """Follow what an event says."""
    with turn(data), data.datastore.ids.reserved() as mutation:
        edit = Edit(data, mutation)
        if isinstance(heard.event, LabelsMoved):
            for move in heard.event.moves:
                _follow(edit, move)
        noted(data, edit.change, heard)
        if edit.vertices:
            edit.commit({"Action": "follow", "Source": heard.source, "SourceMutationID": heard.mutation})
        else:
            data.view.commit(edit.change)


def _follow(edit: Edit, move: Moved) -> None:
    if edit.vertex(move.label) is None or move.label == move.to:
        return
    if not move.to:
        found = (one.supervoxels_of(move.label) for one in followed(edit.data) if isinstance(one, Bodies))
        if not any(supervoxels.size for supervoxels in found):  # no later edit brought it back
            edit.delete_vertex(move.label)
    elif move.left:
        _part(edit, move)
    else:
        _absorb(edit, move)


def sources(data: LabelGraph) -> Iterator[Ending]:
    """The labels that a graph follows."""
    return (one for one in followed(data) if isinstance(one, Ending))


# ---------------------------------------------------------------------- merges
def _absorb(edit: Edit, move: Moved) -> None:
    weight, others = edit.vertex(move.label) or 0.0, dict(edit.others(move.label))
    new = edit.vertex(move.to) is None
    edges = [
        (other, of, edit.edge(pair_of(move.to, other)) is None) for other, of in others.items() if other != move.to
    ]
    edges += [(move.to, others[move.to], False)] if move.to in others else []
    _add_vertex(edit, move.to, weight)
    if new:
        edit.carry_properties((move.label,), (move.to,))
    for other, of, _ in edges:
        if other != move.to:
            _add_edge(edit, pair_of(move.to, other), of)
            if new:
                edit.carry_properties(pair_of(move.label, other), pair_of(move.to, other))
    edit.remove_vertex(move.label)
    kept = Kept(move.to, (edit.mutation, len(edit.kept)), weight, edges, move.voxels, [*move.supervoxels])
    _keep(edit, move.label, kept)


# ---------------------------------------------------------------------- splits
def _part(edit: Edit, move: Moved) -> None:
    _add_vertex(edit, move.to, 0.0)
    rest, parts = move.voxels, _whole_parts(edit, move)
    for label, kept in parts:
        _take_out(edit, move, label, kept)
        rest -= kept.voxels  # as many as it had then
    known = sum(len(kept.supervoxels) for _, kept in parts)
    if rest > 0 and not known == len(move.supervoxels) > 0:
        _share(edit, move.label, move.to, rest, rest + move.left)


def _whole_parts(edit: Edit, move: Moved) -> list[tuple[int, Kept]]:
    """Vertices that became part of the label, and go wholly: none within another one, those merged last first."""
    left, found = set(move.supervoxels), dict[int, Kept]()
    for label in move.supervoxels:
        for at, kept in _chain(edit, label, move.label):
            if left.issuperset(kept.supervoxels) and kept.supervoxels:
                found[at] = kept
    chosen = []
    for label, kept in sorted(found.items(), key=lambda one: (-len(one[1].supervoxels), _last(one[1]))):
        if left.issuperset(kept.supervoxels):
            left.difference_update(kept.supervoxels)
            chosen.append((label, kept))
    return sorted(chosen, key=lambda one: _last(one[1]))


def _last(kept: Kept) -> tuple[int, int]:
    return -kept.order[0], -kept.order[1]


def _chain(edit: Edit, label: int, end: int) -> list[tuple[int, Kept]]:
    """What a label became part of, one after the other; nothing where that is not `end` at last."""
    chain: list[tuple[int, Kept]] = []
    while label != end and (kept := _kept(edit, label)) is not None:
        chain.append((label, kept))
        label = kept.into
    return chain if label == end else []


def _take_out(edit: Edit, move: Moved, label: int, kept: Kept) -> None:
    """What a vertex brought, when it became part of one, goes over to another one."""
    _add_vertex(edit, move.label, -kept.weight)
    _add_vertex(edit, move.to, kept.weight)
    edit.carry_properties((label,), (move.to,))
    for other, weight, alone in kept.edges:
        place = _place(edit, other)
        if place == move.label:
            _add_edge(edit, pair_of(move.label, move.to), weight)
        elif place is not None and edit.edge(pair_of(move.label, place)) is not None:
            _take_off(edit, move.label, place, weight, alone=alone)
            if place != move.to:
                _add_edge(edit, pair_of(move.to, place), weight)
                edit.carry_properties(pair_of(label, other), pair_of(move.to, place))
    _keep(edit, label, msgspec.structs.replace(kept, into=move.to))


def _take_off(edit: Edit, label: int, other: int, weight: float, *, alone: bool) -> None:
    ends = pair_of(label, other)
    left = (edit.edge(ends) or 0.0) - weight
    if alone and abs(left) <= ROUNDING * abs(weight):
        edit.edges[ends] = None
    else:
        edit.put_edge(ends, bounded(left))


def _share(edit: Edit, label: int, to: int, voxels: int, whole: int) -> None:
    """Of weights of a label, and of its edges, the share of some of its voxels goes over."""
    weight = edit.vertex(label) or 0.0
    part = weight * voxels / whole
    edit.put_vertex(label, weight - part)
    _add_vertex(edit, to, part)
    for other, of in edit.others(label).items():
        if other != to:
            part = of * voxels / whole
            edit.put_edge(pair_of(label, other), of - part)
            _add_edge(edit, pair_of(to, other), part)


def _add_vertex(edit: Edit, vertex: int, weight: float) -> None:
    edit.put_vertex(vertex, bounded((edit.vertex(vertex) or 0.0) + weight))


def _add_edge(edit: Edit, ends: Pair, weight: float) -> None:
    edit.put_edge(ends, bounded((edit.edge(ends) or 0.0) + weight))


# ---------------------------------------------------------------------- what is kept
def _place(edit: Edit, label: int) -> int | None:
    """The vertex that a label is, or is part of."""
    while edit.vertex(label) is None:
        kept = _kept(edit, label)
        if kept is None:
            return None
        label = kept.into
    return label


def _kept(edit: Edit, label: int) -> Kept | None:
    stored = edit.find_kept(label)
    return None if stored is None else msgspec.json.decode(stored, type=Kept)


def _keep(edit: Edit, label: int, kept: Kept) -> None:
    edit.kept[label] = msgspec.json.encode(kept)
