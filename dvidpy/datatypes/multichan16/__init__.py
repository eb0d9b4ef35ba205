"""multichan16: fluorescence images of several channels, each kept apart, and their composite, versioned.

`routes` HTTP to values, `instance` channels of a version, `intake` files coming in, `v3draw` their form, `settings` at
creation, `keys` places in the store.
"""

from __future__ import annotations

from importlib.resources import files

from dvidpy.datatypes.base import DataType
from dvidpy.datatypes.multichan16.instance import MultiChan16, judge
from dvidpy.datatypes.multichan16.keys import EXTENTS
from dvidpy.datatypes.multichan16.routes import room
from dvidpy.datatypes.multichan16.settings import codec_of, settings_of
from dvidpy.versioning.duties import Duties

MULTICHAN16 = DataType(
    name="multichan16",
    url="github.com/janelia-flyem/dvid/datatype/multichan16",
    version="0.1",
    rooms=(room,),
    subject=MultiChan16,
    help=files(__package__).joinpath("help.md").read_text(encoding="utf-8"),
    settings=settings_of,
    codec=codec_of,
    any_method=frozenset({"POST help"}),
    head=False,
    duties=Duties(shared=frozenset((EXTENTS,)), judge=judge),
)
DATATYPES = (MULTICHAN16,)
