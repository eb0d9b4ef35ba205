"""What a graph makes of labels that moved: its vertices are labels as they are now, with what is theirs of weights.

| labels | vertices |
|---|---|
| merged | weights are summed, of edges to the same vertex too |
| renumbered | the same vertex has another number, and its properties |
| cleaved, split | parts that were merged have what they had (`parts`); of a part that is cut its share by voxels goes |
| gone | the vertex is gone |

So the sum of the weights of vertices stays. Where labels have no supervoxels, their voxels cannot be told apart after a
merge: all that is split off goes by its share. Labels that are no vertices are passed over.
"""

from __future__ import annotations

from collections.abc import Iterator

from dvidpy.datatypes.bodies import Bodies, Ending, followed
from dvidpy.datatypes.events import Heard, LabelsMoved, Moved, noted, turn
from dvidpy.datatypes.labelgraph.graph import Edit, LabelGraph
from dvidpy.datatypes.labelgraph.joining import fuse, join, leave, note_supervoxels, recut


def hear(data: LabelGraph, heard: Heard) -> None:
    """Follow what an event says."""
    with turn(data), data.datastore.ids.reserved() as mutation:
        edit = Edit(data, mutation)
        if isinstance(heard.event, LabelsMoved):
            for cut in heard.event.cuts:
                recut(edit, cut)
            for move in heard.event.moves:
                _follow(edit, move)
        noted(data, edit.change, heard)
        if edit.weights or edit.links or edit.parts:
            edit.commit({"Action": "follow", "Source": heard.source, "SourceMutationID": heard.mutation})
        else:
            data.view.commit(edit.change)


def _follow(edit: Edit, move: Moved) -> None:
    if move.label == move.to:
        return
    if edit.vertex(move.label) is None:
        note_supervoxels(edit, move.to, move)
    elif not move.to:
        found = (one.supervoxels_of(move.label) for one in followed(edit.data) if isinstance(one, Bodies))
        if not any(supervoxels.size for supervoxels in found):  # no later edit brought it back
            edit.delete_vertex(move.label)
    elif move.left:
        leave(edit, move)
    elif move.supervoxels or edit.vertex(move.to) is None:
        note_supervoxels(edit, move.label, move)
        join(edit, move.label, move.to)
    else:
        fuse(edit, move.label, move.to)


def sources(data: LabelGraph) -> Iterator[Ending]:
    """The labels that a graph follows."""
    return (one for one in followed(data) if isinstance(one, Ending))
