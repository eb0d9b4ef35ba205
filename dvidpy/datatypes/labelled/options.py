"""Options that several rooms share: documented, parsed, refused in plain words."""

from __future__ import annotations

import hashlib
from typing import Annotated

from fastapi import Path, Query

from dvidpy.datatypes.params import Flag
from dvidpy.datatypes.rooms import Parse
from dvidpy.errors import BadRequest
from dvidpy.geometry import parse_integer

LAST_SCALE = 255


def parse_scale(text: str) -> int:
    """A number of halvings; empty text is full resolution. BadRequest for what is no scale."""
    scale = parse_integer(text) if text else 0
    if not 0 <= scale <= LAST_SCALE:
        raise BadRequest(f"scale {scale} is not from 0 to {LAST_SCALE}")
    return scale


def demand_hash(body: bytes, md5: str) -> None:
    """BadRequest where a body is not the one whose MD5, in hexadecimal digits, was given; none given: no matter."""
    if not md5:
        return
    found = hashlib.md5(body, usedforsecurity=False).hexdigest()
    if found != md5:
        raise BadRequest(f"content hash incorrect: the body has {found}, not {md5[:40]}")


Scale = Annotated[
    int, Query(description="0 is full resolution, each one more halves it.", examples=["1"]), Parse(parse_scale)
]
Supervoxels = Annotated[bool, Query(description="`true`: supervoxels as they are stored, instead of bodies."), Flag]
Hash = Annotated[str, Query(description="MD5 of the body, hexadecimal: another body is refused.")]
Roi = Annotated[str, Query(description="Region of interest: blocks outside it read as 0, or are not stored.")]
Dims = Annotated[
    str, Path(description="xy, xz, yz (or 0_1, 0_2, 1_2) for a slice; 0_1_2 for a volume.", examples=["0_1_2"])
]
Plane = Annotated[str, Path(description="xy, xz, yz or 0_1, 0_2, 1_2.", examples=["xy"])]
Size = Annotated[str, Path(description="Voxels along these axes.", examples=["64_64_64"])]
SliceSize = Annotated[str, Path(description="Width and height in voxels.", examples=["512_512"])]
Offset = Annotated[str, Path(description="First voxel of the scale, x_y_z; may be negative.", examples=["0_0_0"])]
