"""Routes of edits that are written into the voxels."""

from __future__ import annotations

from typing import Annotated

from dvidpy.datatypes.base import Here
from dvidpy.datatypes.exchange import DONE, OCTETS, Reply, json_reply
from dvidpy.datatypes.labelled.asked import VOLUME, Label, SplitLabel, read_edited_labels
from dvidpy.datatypes.labelled.relabelling.edits import Relabelled, merge, split_off, split_off_blocks
from dvidpy.datatypes.labelled.volumes import parse_volume
from dvidpy.datatypes.params import gives, takes
from dvidpy.datatypes.rooms import Room, WholeBody

room = Room()

SPLIT = gives("The label of what was split off", "application/json", {"label": 104})


@room.post(
    "/merge",
    summary="Merge labels",
    openapi_extra=takes("The target, then the labels that become it", "application/json", [12, 15, 99]),
    responses=gives("Merged", "text/plain", ""),
)
def post_merge(data: Annotated[Relabelled, Here], body: Annotated[bytes, WholeBody]) -> Reply:
    """Their voxels have the label of the target from now on. Labels that no voxel has are passed over."""
    data.demand_indexed()
    merge(data, read_edited_labels(body))
    return DONE


@room.post("/split/{label}", summary="Split voxels off a label", openapi_extra=VOLUME, responses=SPLIT)
def post_split(
    data: Annotated[Relabelled, Here],
    label: Label,
    body: Annotated[bytes, WholeBody],
    splitlabel: SplitLabel = None,
) -> Reply:
    """Its voxels inside the volume have another label from now on; what of the volume is outside of it is left alone.
    400 where no voxel has the label. A `splitlabel` that is in use gets the voxels too.
    """
    data.demand_indexed()
    return json_reply({"label": split_off(data, label, parse_volume(body), given=splitlabel)})


@room.post(
    "/split-coarse/{label}",
    summary="Split blocks off a label",
    openapi_extra=takes("Runs of blocks, in the format of `sparsevol-coarse`", OCTETS.decode()),
    responses=SPLIT,
)
def post_split_coarse(
    data: Annotated[Relabelled, Here],
    label: Label,
    body: Annotated[bytes, WholeBody],
    splitlabel: SplitLabel = None,
) -> Reply:
    """As `split`, of all its voxels in these blocks."""
    data.demand_indexed()
    return json_reply({"label": split_off_blocks(data, label, parse_volume(body), given=splitlabel)})
