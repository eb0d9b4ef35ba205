"""annotation: points with a kind, tags, properties and relationships, seen by box, block, tag, label and region.

`elements` their forms, `spelling` names of members in another case, `keys` places in the store, `book` what one edit
changes, `arrivals` many new ones at once, `pieces` those that are stored together, `instance` posting, moving and
deleting, `reading` what is asked for, `points` the same for other formats, `following` events of the segmentation,
`reload` all lists made again.
"""

from __future__ import annotations

from importlib.resources import files

from dvidpy.datatypes.annotation import edit_routes, reload, routes
from dvidpy.datatypes.annotation.following import hear, is_concerned
from dvidpy.datatypes.annotation.instance import Annotations
from dvidpy.datatypes.annotation.judging import judge
from dvidpy.datatypes.base import DataType
from dvidpy.datatypes.events import FOLLOW, deliver
from dvidpy.datatypes.views.precomputed import annotation_routes
from dvidpy.versioning.duties import Duties

ANNOTATION = DataType(
    name="annotation",
    url="github.com/janelia-flyem/dvid/datatype/annotation",
    version="0.1",
    rooms=(routes.room, edit_routes.room, annotation_routes.room),
    subject=Annotations,
    any_method=frozenset({"info", "help", "tags"}),
    head=frozenset({"info", "help", "tags"}),
    help=files(__package__).joinpath("help.md").read_text(encoding="utf-8"),
    duties=Duties(
        workers={FOLLOW: deliver, reload.RELOAD: reload.work}, settle=reload.settle, judge=judge, faults=reload.faults
    ),
    syncs_with=("labelmap", "labelarray", "labelblk", "labelvol"),
    hears=hear,
    concerned=is_concerned,
    synced=reload.follow_anew,
)
DATATYPES = (ANNOTATION,)
