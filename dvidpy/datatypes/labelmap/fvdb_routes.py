"""Route of sparse volumes as NanoVDB grids."""

from __future__ import annotations

import re
from typing import Annotated

import numpy as np
from fastapi import Query

from dvidpy.datatypes.base import Here
from dvidpy.datatypes.exchange import OCTETS, Call, Reply, pieces_reply
from dvidpy.datatypes.labelled.asked import Label, OfSupervoxel
from dvidpy.datatypes.labelled.instance import LabelMap
from dvidpy.datatypes.labelled.sparsevol.regions import find_region
from dvidpy.datatypes.labelmap.grays import find_gray, gray_values
from dvidpy.datatypes.labels.nanovdb import Leaves, grid, leaves_of
from dvidpy.datatypes.labels.runs import EVERYWHERE
from dvidpy.datatypes.params import gives
from dvidpy.datatypes.rooms import Parse, Room, TheCall
from dvidpy.errors import BadRequest
from dvidpy.geometry import parse_integer

room = Room()

_NAME = re.compile(r'[^\x00-\x1f"\\\x7f]{1,256}\Z')


def parse_name(text: str) -> str:
    """A name that can stand in a header; BadRequest for another."""
    if text and not _NAME.match(text):
        raise BadRequest("a grid's name has at most 256 characters, no quotes, and nothing that is not printed")
    return text


def parse_layout(text: str) -> bool:
    """Whether NanoVDB's own layout is asked for, not the reference's; BadRequest for another one."""
    if text not in ("", "nanovdb"):
        raise BadRequest(f'{text[:40]!r} is no layout of grids; there is "nanovdb"')
    return text == "nanovdb"


@room.get(
    "/fvdb/{label}",
    summary="Voxels of a body, for GPUs",
    responses=gives("A NanoVDB grid of type OnIndex (.nvdb)", OCTETS.decode()),
)
def get_fvdb(
    data: Annotated[LabelMap, Here],
    call: Annotated[Call, TheCall],
    label: Label,
    supervoxels: OfSupervoxel = False,
    scale: Annotated[int, Query(description="0 is full resolution."), Parse(parse_integer)] = 0,
    name: Annotated[str, Query(description="Of the grid; `label_<label>` without it."), Parse(parse_name)] = "",
    layout: Annotated[
        bool,
        Query(description="`nanovdb`: as NanoVDB's own reader wants it, not as the reference writes it."),
        Parse(parse_layout),
    ] = False,
    grayscale: Annotated[
        str, Query(description="An image: its value of each voxel instead, uint8, in the order of layout=nanovdb.")
    ] = "",
) -> Reply:
    """NanoVDB reads the file with layout=nanovdb. 404 where there is no such body, 413 where it is too large."""
    data.demand_indexed()
    if grayscale and scale:
        raise BadRequest("gray values are those of full resolution")
    source = find_gray(data, grayscale) if grayscale else None
    region = find_region(data, label, data.demand_scale(scale), EVERYWHERE, supervoxel=supervoxels)
    leaves = leaves_of(region.masks(), call.limit)
    if not len(leaves.places):
        raise BadRequest(f"label {label} has no voxels at scale {scale}")
    if source is not None:
        return pieces_reply(gray_values(leaves.turned(), source), OCTETS)
    return _grid_reply(data, leaves.turned() if layout else leaves, (name or f"label_{label}").encode())


def _grid_reply(data: LabelMap, leaves: Leaves, title: bytes) -> Reply:
    size, pieces = grid(leaves, title, np.array(data.voxel_size, np.float32).tolist())
    reply = pieces_reply(pieces, OCTETS, size)
    reply.headers.append((b"content-disposition", b'attachment; filename="%b.nvdb"' % title))
    return reply
