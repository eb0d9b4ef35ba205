"""pointcloud: points by label and block, versioned; of a segmentation, made of its voxels, by supervoxel.

`routes` and `label_routes` HTTP to values, `intake` and `forms` points in and out, `instance` what a version has,
`edits` what changes it, `packing` points as bytes, `keys` their place in the store, `building` and `voxels` clouds of
segmentations, `following` what edits of those make of a cloud, `working` the tasks of both, `judging` what `dvidpy
check` looks at. `dvidpy.pointclouds` is the library for stores without a server.
"""

from __future__ import annotations

from importlib.resources import files

from dvidpy.datatypes.base import DataType
from dvidpy.datatypes.events import FOLLOW, deliver
from dvidpy.datatypes.pointcloud import building, following, judging, working
from dvidpy.datatypes.pointcloud.instance import Cloud, settings_of
from dvidpy.datatypes.pointcloud.label_routes import room as label_room
from dvidpy.datatypes.pointcloud.routes import room
from dvidpy.versioning.duties import Duties

POINTCLOUD = DataType(
    name="pointcloud",
    url="dvidpy/datatypes/pointcloud",
    version="0.1",
    rooms=(room, label_room),
    subject=Cloud,
    help=files(__package__).joinpath("help.md").read_text(encoding="utf-8"),
    settings=settings_of,
    duties=Duties(
        workers={
            FOLLOW: deliver,
            working.BUILD: building.build,
            working.AGAIN: building.build_again,
            working.DIVIDE: following.divide,
        },
        settle=following.settle,
        judge=judging.judge,
        faults=judging.faults,
    ),
    syncs_with=("labelmap", "labelarray", "labelblk"),
    hears=following.hear,
)
DATATYPES = (POINTCLOUD,)
