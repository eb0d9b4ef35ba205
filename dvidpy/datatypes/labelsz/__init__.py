"""labelsz: how many elements of a kind each label has, kept in step with an annotation instance.

`routes` HTTP to values, `instance` the counts of a version, `counts` their arithmetic, `following` the events that they
follow, `keys` their place in the store.
"""

from __future__ import annotations

from importlib.resources import files

from dvidpy.datatypes.base import DataType
from dvidpy.datatypes.events import FOLLOW, deliver
from dvidpy.datatypes.labelsz import following
from dvidpy.datatypes.labelsz.instance import LabelSizes, settings_of
from dvidpy.datatypes.labelsz.routes import room
from dvidpy.versioning.duties import Duties

LABELSZ = DataType(
    name="labelsz",
    url="github.com/janelia-flyem/dvid/datatype/labelsz",
    version="0.1",
    rooms=(room,),
    subject=LabelSizes,
    any_method=frozenset({"info", "help"}),
    head=frozenset({"info", "help"}),
    help=files(__package__).joinpath("help.md").read_text(encoding="utf-8"),
    settings=settings_of,
    duties=Duties(
        workers={FOLLOW: deliver, following.RELOAD: following.work},
        settle=following.settle,
        judge=following.judge,
        faults=following.faults,
    ),
    syncs_with=("annotation",),
    hears=following.hear,
    omits=("tags",),
)
DATATYPES = (LABELSZ,)
