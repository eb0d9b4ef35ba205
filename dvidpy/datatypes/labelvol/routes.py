"""Routes that repair sparse volumes: a part is taken away, or made again."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path

from dvidpy.datatypes.base import Here
from dvidpy.datatypes.exchange import DONE, OCTETS, Reply
from dvidpy.datatypes.labelled.asked import Label
from dvidpy.datatypes.labelled.blocks import MOST_BLOCKS
from dvidpy.datatypes.labelled.copies import made_of
from dvidpy.datatypes.labelled.edits import editing
from dvidpy.datatypes.labelled.intake import rewrite
from dvidpy.datatypes.labelled.relabelling.edits import clear_blocks
from dvidpy.datatypes.labelled.volumes import parse_volume
from dvidpy.datatypes.labels.runs import voxels_in
from dvidpy.datatypes.labelvol.instance import LabelVol
from dvidpy.datatypes.params import gives, takes
from dvidpy.datatypes.rooms import Room, WholeBody
from dvidpy.datatypes.voxels.planes import parse_box
from dvidpy.errors import BadRequest
from dvidpy.geometry import Box

room = Room()


@room.delete(
    "/area/{label}/{size}/{offset}",
    summary="Forget a part of a label",
    responses=gives("Gone", "text/plain", ""),
)
def delete_area(
    data: Annotated[LabelVol, Here],
    label: Label,
    size: Annotated[str, Path(description="Voxels, multiples of the block size.", examples=["32_32_32"])],
    offset: Annotated[str, Path(description="First voxel, where a block begins.", examples=["0_0_0"])],
) -> Reply:
    """Its runs in a box of whole blocks. The voxels of the labelblk stay, and bring them back when their block is
    written.
    """
    clear_blocks(data, label, parse_box(size, offset))
    return DONE


@room.post(
    "/resync/{label}",
    summary="Make blocks of a label again",
    openapi_extra=takes("Runs of blocks, in the format of `sparsevol-coarse`", OCTETS.decode()),
    responses=gives("Made", "text/plain", ""),
)
def post_resync(data: Annotated[LabelVol, Here], label: Label, body: Annotated[bytes, WholeBody]) -> Reply:
    """From the voxels that its labelblk has there now; all other labels in these blocks with it."""
    runs, source = parse_volume(body), data.need_labelblk()
    if voxels_in(runs) > MOST_BLOCKS:
        raise BadRequest(f"this asks for {voxels_in(runs)} blocks; the server looks at {MOST_BLOCKS} at most")
    boxes = (Box((z, y, x), (1, 1, length)).voxels(data.block) for x, y, z, length in runs.tolist())
    with editing(data) as edit:
        rewrite(edit, dict(made_of(source, boxes, data.block)))
    return DONE
