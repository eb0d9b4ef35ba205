"""imageblk: grayscale and other voxels in blocks, versioned. One type for each kind of voxels.

`*_routes` HTTP to values, `volumes` boxes and pictures out of blocks, `intake` volumes coming in, `block_streams`
whole blocks, `blocks` packing, `instance` properties and extents, `settings` at creation, `keys` places in the store.
"""

from __future__ import annotations

from importlib.resources import files

from dvidpy.datatypes import every_volume
from dvidpy.datatypes.base import DataType
from dvidpy.datatypes.imageblk.block_routes import room as block_room
from dvidpy.datatypes.imageblk.blocks import judge
from dvidpy.datatypes.imageblk.instance import KIND_OF, ImageBlk
from dvidpy.datatypes.imageblk.key_routes import room as key_room
from dvidpy.datatypes.imageblk.keys import EXTENTS
from dvidpy.datatypes.imageblk.pyramid import HALVE, companions, faults, halve_blocks, settle
from dvidpy.datatypes.imageblk.settings import codec_of, settings_of
from dvidpy.datatypes.imageblk.voxel_routes import room as voxel_room
from dvidpy.datatypes.views.precomputed import image_routes
from dvidpy.datatypes.views.zarr.routes import room as zarr_room
from dvidpy.datatypes.voxels.kinds import Kind
from dvidpy.versioning.duties import Duties

VERSIONS = {"uint8": "0.2", "rgba8": "0.2"}
"""As the reference numbers them; the others are 0.1."""
HELP = files(__package__).joinpath("help.md").read_text(encoding="utf-8")


DUTIES = Duties(workers={HALVE: halve_blocks}, settle=settle, shared=frozenset((EXTENTS,)), judge=judge, faults=faults)


def _type_of(name: str, kind: Kind) -> DataType:
    return DataType(
        name=name,
        url=f"github.com/janelia-flyem/dvid/datatype/imageblk/{kind.name}.go",
        version=VERSIONS.get(kind.name, "0.1"),
        rooms=(every_volume.room, key_room, voxel_room, block_room, image_routes.room, zarr_room),
        subject=ImageBlk,
        help=HELP,
        settings=settings_of(kind),
        codec=codec_of(kind),
        any_method=frozenset({"POST help", "POST metadata", "POST arb", "POST rawkey"}),
        head=False,
        companions=companions,
        duties=DUTIES,
    )


DATATYPES = tuple(_type_of(name, kind) for name, kind in KIND_OF.items())
