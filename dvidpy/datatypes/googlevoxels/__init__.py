"""googlevoxels: a volume that Google BrainMaps keeps, shown in the routes of image types. Nothing is stored here.

`routes` HTTP to voxels, `instance` the volume, `geometry` its scales, `brainmaps` what Google is asked, `settings` at
creation.
"""

from __future__ import annotations

from importlib.resources import files

from dvidpy.datatypes.base import DataType
from dvidpy.datatypes.googlevoxels.instance import GoogleVoxels
from dvidpy.datatypes.googlevoxels.routes import room
from dvidpy.datatypes.googlevoxels.settings import settings_of

GOOGLEVOXELS = DataType(
    name="googlevoxels",
    url="github.com/janelia-flyem/dvid/datatype/googlevoxels",
    version="0.1",
    rooms=(room,),
    subject=GoogleVoxels,
    help=files(__package__).joinpath("help.md").read_text(encoding="utf-8"),
    settings=settings_of,
    head=False,
)
DATATYPES = (GOOGLEVOXELS,)
