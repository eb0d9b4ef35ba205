"""roi: regions of interest made of blocks, versioned.

`routes` HTTP to values, `instance` the region of a version, `region` spans and what they hold, `partition` subvolumes
that cover it, `keys` its place in the store.
"""

from __future__ import annotations

from importlib.resources import files

from dvidpy.datatypes.base import DataType
from dvidpy.datatypes.roi.instance import Roi, settings_of
from dvidpy.datatypes.roi.region import judge
from dvidpy.datatypes.roi.routes import room
from dvidpy.versioning.duties import Duties

ROI = DataType(
    name="roi",
    url="github.com/janelia-flyem/dvid/datatype/roi",
    version="0.1",
    rooms=(room,),
    subject=Roi,
    any_method=frozenset({"info", "help"}),
    head=frozenset({"info", "help", "roi"}),
    help=files(__package__).joinpath("help.md").read_text(encoding="utf-8"),
    settings=settings_of,
    duties=Duties(judge=judge),
    omits=("tags", "sync"),
)
DATATYPES = (ROI,)
