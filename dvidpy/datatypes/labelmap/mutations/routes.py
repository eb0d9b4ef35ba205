"""Routes of proofreading."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Annotated

from fastapi import Path, Query

from dvidpy.datatypes.base import Here
from dvidpy.datatypes.exchange import DONE, UTF8, Call, Reply, json_reply, pieces_reply
from dvidpy.datatypes.labelled import ids
from dvidpy.datatypes.labelled.asked import VOLUME, Given, Label, SplitLabel, read_edited_labels
from dvidpy.datatypes.labelled.haste import edited
from dvidpy.datatypes.labelled.instance import LabelMap
from dvidpy.datatypes.labelled.volumes import parse_volume
from dvidpy.datatypes.labelmap.mutations import splits
from dvidpy.datatypes.labelmap.mutations.asked import Downres, Supervoxel
from dvidpy.datatypes.labelmap.mutations.cleave import cleave
from dvidpy.datatypes.labelmap.mutations.history import history
from dvidpy.datatypes.labelmap.mutations.merge import merge
from dvidpy.datatypes.labelmap.mutations.renumber import renumber
from dvidpy.datatypes.labelmap.mutations.split_body import split_body
from dvidpy.datatypes.labelmap.mutations.split_supervoxel import split_supervoxel
from dvidpy.datatypes.labels.splits import Cut
from dvidpy.datatypes.params import gives, takes
from dvidpy.datatypes.rooms import Room, TheCall, WholeBody, at_once
from dvidpy.errors import BadRequest

room = Room()


@room.post(
    "/merge",
    summary="Merge bodies",
    openapi_extra=takes("The target, then the bodies that become part of it", "application/json", [12, 15, 99]),
    responses=gives("Merged", "application/json", {"MutationID": 1000000007}),
)
@at_once
def post_merge(
    data: Annotated[LabelMap, Here], call: Annotated[Call, TheCall], body: Annotated[bytes, WholeBody]
) -> Awaitable[Reply]:
    """Their supervoxels belong to the target from now on; voxels are not touched. 400 where one is no body."""
    data.demand_indexed()

    def edit(at_once: bool) -> Reply:
        return json_reply({"MutationID": merge(data, read_edited_labels(body), at_once=at_once)})

    return edited(data, call, body, edit)


@room.post(
    "/cleave/{label}",
    summary="Cleave supervoxels off a body",
    openapi_extra=takes("Supervoxels of the body", "application/json", [15, 99]),
    responses=gives("Cleaved", "application/json", {"CleavedLabel": 101, "MutationID": 1000000008}),
)
@at_once
def post_cleave(
    data: Annotated[LabelMap, Here],
    call: Annotated[Call, TheCall],
    label: Label,
    body: Annotated[bytes, WholeBody],
) -> Awaitable[Reply]:
    """They are a body of a new label. 400 where it has not all of them, or has no others; the label is used up then."""
    data.demand_indexed()

    def edit(at_once: bool) -> Reply:
        try:
            supervoxels = read_edited_labels(body)
        except BadRequest:
            ids.take_labels(data)  # which a cleave that is refused uses up in any case
            raise
        new, mutation = cleave(data, label, supervoxels, at_once=at_once)
        return json_reply({"CleavedLabel": new, "MutationID": mutation})

    return edited(data, call, body, edit)


@room.post(
    "/split-supervoxel/{supervoxel}",
    summary="Split a supervoxel",
    openapi_extra=VOLUME,
    responses=gives(
        "Split",
        "application/json",
        {"SplitSupervoxel": 102, "RemainSupervoxel": 103, "MutationID": 1000000009},
    ),
)
def post_split_supervoxel(
    data: Annotated[LabelMap, Here],
    supervoxel: Supervoxel,
    body: Annotated[bytes, WholeBody],
    split: Annotated[
        int | None, Query(description="Label of what is split off; else a new one.", examples=["500"]), Given
    ] = None,
    remain: Annotated[
        int | None, Query(description="Label of what remains; else a new one.", examples=["400"]), Given
    ] = None,
    downres: Downres = True,
) -> Reply:
    """The part and the rest are two new supervoxels of the same body; runs outside the supervoxel are left alone.

    400 where the volume has none of it, or as many voxels.
    """
    data.demand_indexed()
    given = Cut(split or 0, remain or 0)
    cut, mutation = split_supervoxel(data, supervoxel, parse_volume(body), given=given, downres=downres)
    return json_reply({"SplitSupervoxel": cut.split, "RemainSupervoxel": cut.remain, "MutationID": mutation})


@room.post(
    "/split/{label}",
    summary="Split a volume off a body",
    openapi_extra=VOLUME,
    responses=gives("Split", "application/json", {"label": 104, "MutationID": 1000000010}),
)
def post_split(
    data: Annotated[LabelMap, Here],
    label: Label,
    body: Annotated[bytes, WholeBody],
    splitlabel: SplitLabel = None,
) -> Reply:
    """The volume, which lies within the body, is a body of its own; supervoxels partly inside are cut in two.

    Only where the server's configuration has `allowLabelmapSplit`.
    """
    server = data.datastore.settings.server
    if not server.labelmap_split:
        raise BadRequest("this server's configuration does not allow bodies to be split (allowLabelmapSplit)")
    data.demand_indexed()
    new, mutation = split_body(data, label, parse_volume(body), label=splitlabel)
    return json_reply({"label": new, "MutationID": mutation})


@room.post(
    "/renumber",
    summary="Give bodies other labels",
    openapi_extra=takes("New label, old label, new label, old label…", "application/json", [100, 12, 200, 15]),
    responses=gives("Renumbered", "text/plain", ""),
)
def post_renumber(data: Annotated[LabelMap, Here], body: Annotated[bytes, WholeBody]) -> Reply:
    """One pair after the other, all or none: 400 where an old one is no body, or a new one is a body already."""
    data.demand_indexed()
    renumber(data, read_edited_labels(body))
    return DONE


@room.get(
    "/supervoxel-splits",
    summary="Supervoxels that were split",
    responses=gives(
        "Versions, the nearest first, each followed by its splits: mutation, supervoxel, remain, split",
        "application/json",
        ["3f01a0", [[1000000009, 15, 103, 102]]],
    ),
)
def get_supervoxel_splits(data: Annotated[LabelMap, Here]) -> Reply:
    """Of this version and its ancestors."""
    return json_reply(splits.listed(data))


@room.get(
    "/history/{label}/{first}/{last}",
    summary="Edits of a body",
    responses=gives("JSON objects, one behind the other", UTF8.decode(), {"Action": "merge", "Target": 12}),
)
def get_history(
    data: Annotated[LabelMap, Here],
    label: Label,
    first: Annotated[str, Path(description="The older version.", examples=["3f01a"])],
    last: Annotated[str, Path(description="The newer version, its descendant.", examples=["8c2be"])],
) -> Reply:
    """Merges, cleaves and splits of the bodies that its supervoxels belong to in the older version, oldest first."""
    data.demand_indexed()
    catalogue = data.datastore.catalogue
    return pieces_reply(history(data, label, catalogue.find(first).node, catalogue.find(last).node), UTF8)
