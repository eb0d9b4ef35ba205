"""labelmap: 64-bit segmentation. Voxels are supervoxels, kept in blocks; bodies are made of them by a mapping.

Volumes, blocks, sparse volumes and labels to come are those of every labelled volume (`datatypes.labelled`); here are
the edits of the mapping, and what only bodies of supervoxels have.
"""

from __future__ import annotations

from importlib.resources import files

from dvidpy.datatypes import every_volume
from dvidpy.datatypes.base import DataType
from dvidpy.datatypes.labelled.dumps.routes import room as dumps_room
from dvidpy.datatypes.labelled.duties import DUTIES
from dvidpy.datatypes.labelled.instance import LabelMap
from dvidpy.datatypes.labelled.numbering.routes import room as numbering_room
from dvidpy.datatypes.labelled.points.routes import room as points_room
from dvidpy.datatypes.labelled.properties.routes import room as properties_room
from dvidpy.datatypes.labelled.raw.routes import room as raw_room
from dvidpy.datatypes.labelled.settings import codec_of, settings_of
from dvidpy.datatypes.labelled.sparsevol.routes import room as sparsevol_room
from dvidpy.datatypes.labelled.streams.routes import room as streams_room
from dvidpy.datatypes.labelmap.fvdb_routes import room as fvdb_room
from dvidpy.datatypes.labelmap.index.body_routes import room as bodies_room
from dvidpy.datatypes.labelmap.index.routes import room as index_room
from dvidpy.datatypes.labelmap.mappings.routes import room as mappings_room
from dvidpy.datatypes.labelmap.mutations.routes import room as mutations_room
from dvidpy.datatypes.labelmap.proximity.routes import room as proximity_room
from dvidpy.datatypes.labelmap.repair.routes import room as repair_room
from dvidpy.datatypes.views.precomputed import segmentation_routes
from dvidpy.datatypes.views.shapes.routes import room as shapes_room
from dvidpy.datatypes.views.zarr.routes import room as zarr_room

HEADS = frozenset(
    [
        "info",
        "metadata",
        "help",
        "tags",
        "label",
        "blocks",
        "size",
        "supervoxels",
        "supervoxel-sizes",
        "lastmod",
        "sparsevol-coarse",
        "sparsevol-by-point",
        "sparsevols-coarse",
    ]
)
"""Keywords of GET routes that answer HEAD too: those whose handlers in the reference do not ask for the method."""

DATATYPES = (
    DataType(
        name="labelmap",
        url="github.com/janelia-flyem/dvid/datatype/labelmap",
        version="0.1",
        rooms=(
            every_volume.room,
            properties_room,
            raw_room,
            streams_room,
            points_room,
            sparsevol_room,
            fvdb_room,
            bodies_room,
            index_room,
            mappings_room,
            dumps_room,
            numbering_room,
            repair_room,
            proximity_room,
            mutations_room,
            segmentation_routes.room,
            shapes_room,
            zarr_room,
        ),
        any_method=HEADS - {"blocks"},
        head=HEADS,
        subject=LabelMap,
        help=files(__package__).joinpath("help.md").read_text(encoding="utf-8"),
        settings=settings_of,
        codec=codec_of,
        told_settings=lambda given: {"blocksize": "64,64,64", "compression": "gzip"},
        duties=DUTIES,
    ),
)
