"""labelblk: 64-bit labels in blocks, without indices; those are kept by a labelvol that follows it.

A labelblk that follows another one is its volume at half the resolution. Edits of a labelvol that it follows, and that
follows it, are made here.
"""

from __future__ import annotations

from importlib.resources import files

from dvidpy.datatypes import every_volume
from dvidpy.datatypes.base import DataType
from dvidpy.datatypes.labelblk.instance import LabelBlk
from dvidpy.datatypes.labelled.copies import hear_finer
from dvidpy.datatypes.labelled.dumps.routes import room as dumps_room
from dvidpy.datatypes.labelled.duties import FOLLOWING
from dvidpy.datatypes.labelled.points.routes import room as points_room
from dvidpy.datatypes.labelled.raw.routes import room as raw_room
from dvidpy.datatypes.labelled.settings import plain_codec_of, single_scale
from dvidpy.datatypes.labelled.streams.routes import room as streams_room

DATATYPES = (
    DataType(
        name="labelblk",
        url="github.com/janelia-flyem/dvid/datatype/labelblk",
        version="0.1",
        rooms=(
            every_volume.room,
            raw_room,
            streams_room.only("GET blocks"),
            points_room.only("GET label", "GET labels"),
            dumps_room,
        ),
        any_method=frozenset({"POST info", "DELETE info", "POST help", "DELETE help", "POST label", "DELETE label"}),
        head=False,
        subject=LabelBlk,
        help=files(__package__).joinpath("help.md").read_text(encoding="utf-8"),
        settings=single_scale(indexed=False),
        codec=plain_codec_of,
        duties=FOLLOWING,
        syncs_with=("labelblk", "labelvol"),
        hears=hear_finer,
    ),
)
