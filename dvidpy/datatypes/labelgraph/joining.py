"""What becomes of parts where vertices become one, and are taken apart."""

from __future__ import annotations

from typing import NamedTuple

from msgspec.structs import replace

from dvidpy.datatypes.events import Moved, Recut
from dvidpy.datatypes.labelgraph.graph import Edit
from dvidpy.datatypes.labelgraph.keys import pair_of
from dvidpy.datatypes.labelgraph.parts import HEAD, Part
from dvidpy.datatypes.labelgraph.wire import bounded


def join(edit: Edit, vertex: int, to: int) -> list[int]:
    """Parts of a vertex are parts of another one, which may be new; these."""
    new, head = edit.vertex(to) is None, edit.head(vertex)
    parts = edit.know(vertex)
    if not new:
        edit.know(to)
    for name, part in parts.items():
        there = replace(part, vertex=to, known_as=vertex if name == head else part.known_as)
        if not new:  # what the other vertex has of supervoxels is none of theirs
            merged = edit.mutation if name == head else part.merged
            there = replace(there, merged=merged, supervoxels=part.supervoxels or set())
        edit.put_part(name, there)
    if new:
        edit.inherit(to)
    return [*parts]


def part_again(edit: Edit, vertex: int, names: list[int]) -> None:
    """A join is undone."""
    for name in names:
        if (part := edit.part(name)) is not None:
            own = HEAD if part.known_as == vertex else part.merged
            edit.put_part(name, replace(part, vertex=vertex, merged=own, supervoxels=part.supervoxels or None))


def fuse(edit: Edit, vertex: int, to: int) -> None:
    """What a vertex has is another one's, and nobody can part them again."""
    weight, others = edit.vertex(vertex) or 0.0, edit.others(vertex)
    edit.delete_vertex(vertex)
    edit.put_vertex(to, bounded((edit.vertex(to) or 0.0) + weight))
    for other, of in others.items():
        if other != to:
            ends = pair_of(to, other)
            edit.put_edge(ends, bounded((edit.edge(ends) or 0.0) + of))


def note_supervoxels(edit: Edit, vertex: int, move: Moved) -> None:
    """A label that moved is a vertex, or was made part of it before: its supervoxels are known now."""
    whole = vertex == move.label
    parts, gone = edit.know(vertex) if whole else edit.parts_of(vertex).copy(), set(move.supervoxels)
    for name, part in parts.items():
        if part.supervoxels is None if whole else part.known_as == move.label and not part.supervoxels:
            others = [one for one in parts.values() if one.supervoxels and one.supervoxels & gone]
            own = gone.difference(*(one.supervoxels or () for one in others))
            edit.put_part(name, replace(part, supervoxels=own, voxels=move.voxels - sum(one.voxels for one in others)))


def recut(edit: Edit, cut: Recut) -> None:
    """A supervoxel of a vertex is two others."""
    for name, part in edit.parts_of(cut.body).copy().items():
        if part.supervoxels and cut.supervoxel in part.supervoxels:
            edit.put_part(name, replace(part, supervoxels=part.supervoxels - {cut.supervoxel} | {*cut.into}))


# ---------------------------------------------------------------------- taking apart
class _Going(NamedTuple):
    name: int
    supervoxels: set[int]
    went: float
    of: float
    """Voxels."""
    wholly: bool = False


def leave(edit: Edit, move: Moved) -> None:
    """Parts of a vertex are parts of another one, which may be new: wholly, or by their share of voxels."""
    new, head = edit.vertex(move.to) is None, edit.head(move.label)
    if not new:
        edit.know(move.to)
    for one in _going(edit.know(move.label), move):
        name, part = one.name, edit.parts_of(move.label)[one.name]
        if not one.wholly:
            name, part = _cut(edit, one, part)
        else:
            known_as = move.label if name == head else part.known_as
            part = replace(part, known_as=known_as, voxels=round(one.of))
        merged = part.merged if new else min(part.merged, edit.mutation)
        edit.put_part(name, replace(part, vertex=move.to, merged=merged, supervoxels=one.supervoxels))
    for vertex in (move.to, move.label):
        name = edit.head(vertex)
        edit.put_part(name, replace(edit.parts_of(vertex)[name], merged=HEAD))
    if new:
        edit.inherit(move.to)


def _going(parts: dict[int, Part], move: Moved) -> list[_Going]:
    """Parts that go, and how much of them: where supervoxels are named those that have any of these, each wholly that
    has no other; the rest of the voxels is of the others, as far as their supervoxels tell.
    """
    shares = [_Going(name, set(), move.voxels, move.voxels + move.left) for name in parts]
    gone, named = set(move.supervoxels), set[int]().union(*(part.supervoxels or () for part in parts.values()))
    rest = move.voxels + move.left - sum(part.voxels for part in parts.values() if part.supervoxels is not None)
    going = []
    for name, part in parts.items():
        own, stay, voxels = gone - named, move.others - len(named - gone), max(rest, 1)
        if part.supervoxels is not None:
            own, stay, voxels = part.supervoxels & gone, len(part.supervoxels - gone), max(part.voxels, 1)
        if own:
            went = voxels * len(own) / (len(own) + max(stay, 0))
            going.append(_Going(name, own, went, voxels, stay <= 0))
    if not going:  # none are named, or those of a label that was no vertex
        return shares
    if len(going) == len(parts) and all(one.wholly for one in going):  # something stays, whatever is known of it
        going[-1] = going[-1]._replace(of=going[-1].of + move.left, wholly=False)
    more = move.voxels - sum(one.went for one in going if one.wholly)
    more /= sum(one.went for one in going if not one.wholly) or 1.0
    return [one if one.wholly else one._replace(went=max(0.0, min(one.went * more, one.of))) for one in going]


def _cut(edit: Edit, one: _Going, part: Part) -> tuple[int, Part]:
    """A share of a part is another one."""
    name, weight = edit.fresh(), edit.weight(one.name) or 0.0
    edit.weights[name] = weight * one.went / one.of
    edit.weights[one.name] = weight - weight * one.went / one.of
    for other, of in edit.links_of(one.name).items():
        edit.put_link((name, other), of * one.went / one.of)
        edit.put_link((one.name, other), of - of * one.went / one.of)
    stays = part.supervoxels and part.supervoxels - one.supervoxels
    edit.put_part(one.name, replace(part, voxels=part.voxels - round(one.went), supervoxels=stays))
    return name, replace(part, known_as=0, merged=0, voxels=round(one.went))
