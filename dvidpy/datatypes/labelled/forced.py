"""Edits of a committed version, which an admin may force: they must agree with what its descendants have done since.

A descendant sees what it inherits, and what it changed itself. Where it has an index or a block of its own, an edit
above is not seen there, but its mapping is: index and mapping would part. Such an edit is refused; it belongs into the
descendant. What nobody below has touched may be edited.
"""

from __future__ import annotations

from dvidpy.datatypes.labelled.instance import LabelMap
from dvidpy.datatypes.labelled.keys import BLOCK, INDEX, number_of
from dvidpy.datatypes.voxels.grid import index_of
from dvidpy.errors import BadRequest
from dvidpy.geometry import to_wire
from dvidpy.storage.keys import split_cell
from dvidpy.versioning.commits import Change


def demand_untouched_below(data: LabelMap, change: Change) -> None:
    """BadRequest where a descendant has changed a body or block itself that an edit would change."""
    if not data.node.locked:  # only committed versions have descendants
        return
    values = data.datastore.values(data.instance)
    for row, _, _ in change.cells:
        typekey = row[len(values.prefix) :]
        if typekey[:1] not in (INDEX, BLOCK):
            continue
        for key in values.store.versions(row):
            other = split_cell(key)[0]
            if other != data.version and data.version in values.ancestries.of(other).members:
                uuid = data.datastore.catalogue.node(other).uuid
                raise BadRequest(
                    f"version {uuid}, which descends from this one, has changed {_named(typekey)} itself; edit it there"
                )


def _named(typekey: bytes) -> str:
    if typekey[:1] == INDEX:
        return f"body {number_of(typekey)}"
    return f"block {','.join(map(str, to_wire(index_of(typekey))))} of scale {typekey[1]}"
