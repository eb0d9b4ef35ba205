"""Routes that repair sparse volumes, a part is taken away, or made again; and all of them, block by block."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Annotated

import numpy as np
from fastapi import Path

from dvidpy.datatypes.base import Here
from dvidpy.datatypes.exchange import DONE, OCTETS, Reply, pieces_reply
from dvidpy.datatypes.labelled import blocks as stored_blocks
from dvidpy.datatypes.labelled.asked import Label
from dvidpy.datatypes.labelled.blocks import MOST_BLOCKS
from dvidpy.datatypes.labelled.copies import made_of
from dvidpy.datatypes.labelled.edits import editing
from dvidpy.datatypes.labelled.instance import LabelMap
from dvidpy.datatypes.labelled.intake import rewrite
from dvidpy.datatypes.labelled.keys import scale_prefix
from dvidpy.datatypes.labelled.relabelling.edits import clear_blocks
from dvidpy.datatypes.labelled.volumes import parse_volume
from dvidpy.datatypes.labels.masks import masks_of
from dvidpy.datatypes.labels.runs import traced, voxels_in
from dvidpy.datatypes.labels.several import together
from dvidpy.datatypes.labelvol.instance import LabelVol
from dvidpy.datatypes.params import gives, takes
from dvidpy.datatypes.rooms import Room, WholeBody
from dvidpy.datatypes.voxels.grid import index_of
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


@room.get(
    "/runs",
    summary="All sparse volumes, block by block",
    responses=gives("Of each label in each block uint64 label, uint32 number of runs, and the runs", OCTETS.decode()),
)
def get_runs(data: Annotated[LabelVol, Here]) -> Reply:
    """Blocks in the order z, y, x, labels ascending; runs are int32 x, y, z and length. All of one moment. `dvidpy node
    UUID NAME dump` writes them as files.
    """
    return pieces_reply(_runs(data.still()), OCTETS)


def _runs(data: LabelMap) -> Iterator[bytes]:
    for typekey, found in data.view.range(scale_prefix(0), scale_prefix(1)):
        block = stored_blocks.load(data, found)
        for label in np.unique(block.labels[block.labels > 0]):
            runs = traced(masks_of(together([(index_of(typekey), block)]), np.array([label])))
            if len(runs):
                yield struct.pack("<QI", label, len(runs)) + runs.astype("<i4").tobytes()
