"""labelvol: sparse volumes of labels, kept in step with a labelblk."""

from __future__ import annotations

from dataclasses import replace
from importlib.resources import files

from dvidpy.datatypes.base import DataType
from dvidpy.datatypes.labelled.copies import hear_copied
from dvidpy.datatypes.labelled.duties import FOLLOWING
from dvidpy.datatypes.labelled.numbering.routes import room as numbering_room
from dvidpy.datatypes.labelled.relabelling.routes import room as relabelling_room
from dvidpy.datatypes.labelled.settings import plain_codec_of, single_scale
from dvidpy.datatypes.labelled.sparsevol.routes import room as sparsevol_room
from dvidpy.datatypes.labelvol.filling import ask, faults, fill
from dvidpy.datatypes.labelvol.instance import FILL, LabelVol
from dvidpy.datatypes.labelvol.routes import room as repair_room

DATATYPES = (
    DataType(
        name="labelvol",
        url="github.com/janelia-flyem/dvid/datatype/labelvol",
        version="0.1",
        rooms=(
            sparsevol_room.only("GET sparsevol", "HEAD sparsevol", "GET sparsevol-by-point", "GET sparsevol-coarse"),
            numbering_room.only("GET maxlabel", "GET nextlabel"),
            relabelling_room,
            repair_room,
        ),
        any_method=frozenset({"info", "help"}),
        head=frozenset({"info", "help", "sparsevol-coarse", "sparsevol-by-point"}),
        subject=LabelVol,
        help=files(__package__).joinpath("help.md").read_text(encoding="utf-8"),
        settings=single_scale(indexed=True),
        codec=plain_codec_of,
        duties=replace(FOLLOWING, workers={**FOLLOWING.workers, FILL: fill}, faults=faults),
        syncs_with=("labelblk",),
        told_of=("LabelsMoved", "BlocksChanged"),
        hears=hear_copied,
        synced=ask,
    ),
)
