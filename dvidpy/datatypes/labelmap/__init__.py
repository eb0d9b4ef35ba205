"""labelmap: 64-bit segmentation. Voxels are supervoxels, kept in blocks; bodies are made of them by a mapping.

`state` what is in memory, `instance` what a version knows, `edits` how it changes, `intake` blocks coming in, `downres`
coarser scales, `ids` labels to come, `keys` places in the store. The rooms of its routes are folders of their own.
"""

from __future__ import annotations

from importlib.resources import files

from dvidpy.datatypes import every_volume
from dvidpy.datatypes.base import DataType
from dvidpy.datatypes.labelmap import downres
from dvidpy.datatypes.labelmap.check import faults, value_fault
from dvidpy.datatypes.labelmap.instance import LabelMap
from dvidpy.datatypes.labelmap.mutations.routes import room as mutations_room
from dvidpy.datatypes.labelmap.reconcile import RECONCILE, reconcile, settle
from dvidpy.datatypes.labelmap.settings import codec_of, settings_of
from dvidpy.versioning.duties import Duties

DATATYPES = (
    DataType(
        name="labelmap",
        url="github.com/janelia-flyem/dvid/datatype/labelmap",
        version="0.1",
        rooms=(mutations_room, every_volume.room),
        head=False,
        subject=LabelMap,
        help=files(__package__).joinpath("help.md").read_text(encoding="utf-8"),
        settings=settings_of,
        codec=codec_of,
        duties=Duties(
            workers={downres.DOWNRES: downres.compute, RECONCILE: reconcile},
            settle=settle,
            value_fault=value_fault,
            faults=faults,
        ),
    ),
)
