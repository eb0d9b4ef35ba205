"""tarsupervoxels: one file a supervoxel, such as a mesh, the same in all versions; the files of a body as a tar file.

`routes` HTTP to values, `instance` files and bodies, `intake` files on their way in, `keys` their place in the store.
"""

from __future__ import annotations

from importlib.resources import files

from dvidpy.datatypes.base import DataType
from dvidpy.datatypes.tarsupervoxels.instance import TarSupervoxels, settings_of
from dvidpy.datatypes.tarsupervoxels.keys import judge
from dvidpy.datatypes.tarsupervoxels.routes import room
from dvidpy.versioning.duties import Duties

TARSUPERVOXELS = DataType(
    name="tarsupervoxels",
    url="github.com/janelia-flyem/dvid/datatype/tarsupervoxels",
    version="0.1",
    rooms=(room,),
    subject=TarSupervoxels,
    help=files(__package__).joinpath("help.md").read_text(encoding="utf-8"),
    settings=settings_of,
    any_method=frozenset({"info", "help"}),
    head=frozenset({"info", "help", "missing"}),
    syncs_with=("labelmap",),
    duties=Duties(judge=judge),
    omits=("tags",),
)
DATATYPES = (TARSUPERVOXELS,)
