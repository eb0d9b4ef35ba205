"""labelgraph: a weighted graph of labels, versioned, with properties of vertices and edges.

`wire` forms in requests, `graph` what a version knows and how it changes, `merging` vertices made one and parted again,
`following` labels of another instance that move, `transactions` stamps that tell who read last, `*_routes` HTTP to
values, `judging` what `dvidpy check` looks at, `keys` places in the store.
"""

from __future__ import annotations

from importlib.resources import files

from dvidpy.datatypes.base import DataType
from dvidpy.datatypes.events import FOLLOW, deliver
from dvidpy.datatypes.labelgraph.following import hear
from dvidpy.datatypes.labelgraph.graph import LabelGraph
from dvidpy.datatypes.labelgraph.graph_routes import room as graph_room
from dvidpy.datatypes.labelgraph.judging import faults, judge
from dvidpy.datatypes.labelgraph.property_routes import room as property_room
from dvidpy.versioning.duties import Duties

DATATYPES = (
    DataType(
        name="labelgraph",
        url="github.com/janelia-flyem/dvid/datatype/labelgraph",
        version="0.1",
        rooms=(graph_room, property_room),
        subject=LabelGraph,
        help=files(__package__).joinpath("help.md").read_text(encoding="utf-8"),
        duties=Duties(workers={FOLLOW: deliver}, judge=judge, faults=faults),
        syncs_with=("labelmap", "labelarray", "labelblk", "labelvol"),
        told_of=("LabelsMoved",),
        hears=hear,
        synced=LabelGraph.follow_anew,
    ),
)
