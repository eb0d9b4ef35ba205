"""labelarray: 64-bit labels with indices; merges and splits are written into the voxels."""

from __future__ import annotations

from importlib.resources import files

from dvidpy.datatypes import every_volume
from dvidpy.datatypes.base import DataType
from dvidpy.datatypes.labelarray.instance import LabelArray
from dvidpy.datatypes.labelled.copies import hear_finer
from dvidpy.datatypes.labelled.dumps.routes import room as dumps_room
from dvidpy.datatypes.labelled.duties import FOLLOWING
from dvidpy.datatypes.labelled.numbering.routes import room as numbering_room
from dvidpy.datatypes.labelled.points.routes import room as points_room
from dvidpy.datatypes.labelled.properties.routes import room as properties_room
from dvidpy.datatypes.labelled.raw.routes import room as raw_room
from dvidpy.datatypes.labelled.relabelling.routes import room as relabelling_room
from dvidpy.datatypes.labelled.settings import codec_of, counted_settings_of
from dvidpy.datatypes.labelled.sparsevol.routes import room as sparsevol_room
from dvidpy.datatypes.labelled.streams.routes import room as streams_room
from dvidpy.datatypes.views.precomputed import segmentation_routes
from dvidpy.datatypes.views.shapes.routes import room as shapes_room
from dvidpy.datatypes.views.zarr.routes import room as zarr_room

DATATYPES = (
    DataType(
        name="labelarray",
        url="github.com/janelia-flyem/dvid/datatype/labelarray",
        version="0.1",
        rooms=(
            every_volume.room,
            properties_room.only("POST info"),
            raw_room,
            streams_room.only("GET blocks", "POST blocks", "GET specificblocks"),
            points_room.only("GET label", "GET labels"),
            sparsevol_room,
            numbering_room.only("GET maxlabel", "GET nextlabel"),
            dumps_room,
            relabelling_room,
            segmentation_routes.room,
            shapes_room,
            zarr_room,
        ),
        any_method=frozenset({"info", "help", "label", "sparsevol-coarse"}),
        head=frozenset(
            [
                "info",
                "metadata",
                "help",
                "label",
                "blocks",
                "sparsevol-coarse",
                "sparsevol-by-point",
                "sparsevols-coarse",
            ]
        ),
        subject=LabelArray,
        help=files(__package__).joinpath("help.md").read_text(encoding="utf-8"),
        settings=counted_settings_of,
        codec=codec_of,
        told_settings=lambda given: {"blocksize": "64,64,64", "compression": "gzip"},
        duties=FOLLOWING,
        syncs_with=("labelarray", "labelvol"),
        hears=hear_finer,
    ),
)
