"""labelmap: 64-bit segmentation. Voxels are supervoxels, kept in blocks; bodies are made of them by a mapping.

`state` what is in memory, `instance` what a version knows, `edits` how it changes, `intake` blocks coming in, `downres`
coarser scales, `ids` labels to come, `keys` places in the store. The rooms of its routes are folders of their own.
"""

from __future__ import annotations

from importlib.resources import files

from dvidpy.datatypes import every_volume
from dvidpy.datatypes.base import DataType
from dvidpy.datatypes.labelmap.duties import DUTIES
from dvidpy.datatypes.labelmap.index.body_routes import room as bodies_room
from dvidpy.datatypes.labelmap.index.routes import room as index_room
from dvidpy.datatypes.labelmap.instance import LabelMap
from dvidpy.datatypes.labelmap.mappings.routes import room as mappings_room
from dvidpy.datatypes.labelmap.mutations.routes import room as mutations_room
from dvidpy.datatypes.labelmap.numbering.routes import room as numbering_room
from dvidpy.datatypes.labelmap.points.routes import room as points_room
from dvidpy.datatypes.labelmap.properties.routes import room as properties_room
from dvidpy.datatypes.labelmap.proximity.routes import room as proximity_room
from dvidpy.datatypes.labelmap.raw.routes import room as raw_room
from dvidpy.datatypes.labelmap.settings import codec_of, settings_of
from dvidpy.datatypes.labelmap.sparsevol.fvdb_routes import room as fvdb_room
from dvidpy.datatypes.labelmap.sparsevol.routes import room as sparsevol_room
from dvidpy.datatypes.labelmap.streams.routes import room as streams_room

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
            numbering_room,
            proximity_room,
            mutations_room,
        ),
        head=False,
        subject=LabelMap,
        help=files(__package__).joinpath("help.md").read_text(encoding="utf-8"),
        settings=settings_of,
        codec=codec_of,
        duties=DUTIES,
    ),
)
