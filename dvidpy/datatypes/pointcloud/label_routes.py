"""Routes of what is known without reading points: labels, counts, blocks. And of the cloud as a whole."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query

from dvidpy.datatypes.base import Here
from dvidpy.datatypes.exchange import DONE, Reply, json_reply, octets
from dvidpy.datatypes.labels.numbers import parse_labels, parse_number
from dvidpy.datatypes.params import gives, gives_any, takes
from dvidpy.datatypes.pointcloud import building
from dvidpy.datatypes.pointcloud.instance import Cloud
from dvidpy.datatypes.pointcloud.routes import Label, Supervoxels
from dvidpy.datatypes.rooms import Parse, Room, WholeBody
from dvidpy.errors import BadRequest

room = Room()

LARGEST = (1 << 64) - 1


@room.get(
    "/labels",
    summary="Labels that have points",
    responses=gives_any("Ascending", "application/json", "application/octet-stream"),
)
def get_labels(
    cloud: Annotated[Cloud, Here],
    first: Annotated[
        int, Query(description="Only labels from this one on.", examples=["101"]), Parse(parse_number)
    ] = 0,
    n: Annotated[int, Query(description="So many at most.", examples=["1000"]), Parse(parse_number)] = LARGEST,
    supervoxels: Supervoxels = False,
    form: Annotated[
        str, Query(alias="format", description="`json`, or `binary`: u64, little-endian.", examples=["binary"])
    ] = "json",
) -> Reply:
    """Bodies where the instance follows a segmentation."""
    found = cloud.labels(supervoxels=supervoxels)
    found = found[found >= first][: min(n, found.size)]
    if form not in ("json", "binary"):
        raise BadRequest(f"format {form[:40]!r} is neither json nor binary")
    return octets(found.astype("<u8").tobytes()) if form == "binary" else json_reply(found.tolist())


@room.get(
    "/count/{label}",
    summary="Number of points of a label",
    responses=gives("Label and count", "application/json", {"Label": 103, "Count": 4}),
)
def get_count(cloud: Annotated[Cloud, Here], label: Label, supervoxels: Supervoxels = False) -> Reply:
    """As many as GET points gives; none is read."""
    cloud = cloud.frozen()
    count = cloud.count(cloud.stored_labels(label, supervoxels=supervoxels))
    return json_reply({"Label": label, "Count": count})


@room.get(
    "/counts",
    summary="Numbers of points of several labels",
    openapi_extra=takes("Labels, in the body of a GET", "application/json", [103, 100]),
    responses=gives("In the order asked", "application/json", [{"Label": 103, "Count": 4}]),
)
def get_counts(
    cloud: Annotated[Cloud, Here], body: Annotated[bytes, WholeBody], supervoxels: Supervoxels = False
) -> Reply:
    """A label that is asked for twice is answered twice."""
    cloud, labels = cloud.frozen(), parse_labels(body)
    counts = {label: cloud.count(cloud.stored_labels(label, supervoxels=supervoxels)) for label in set(labels)}
    return json_reply([{"Label": label, "Count": counts[label]} for label in labels])


@room.get("/blocks", summary="All blocks", responses=gives("Their names", "application/json", ["0_0_0", "0_0_1"]))
def get_blocks(cloud: Annotated[Cloud, Here]) -> Reply:
    """Those that have points, by the bytes of their names."""
    return json_reply([*cloud.blocks()])


@room.get(
    "/blocks/{label}",
    summary="Blocks of a label",
    responses=gives("Their names", "application/json", ["0_0_0", "0_0_1"]),
)
def get_blocks_of(cloud: Annotated[Cloud, Here], label: Label, supervoxels: Supervoxels = False) -> Reply:
    """Those that have points of it."""
    cloud = cloud.frozen()
    return json_reply(cloud.blocks_of(cloud.stored_labels(label, supervoxels=supervoxels)))


# ---------------------------------------------------------------------- of a segmentation
@room.get(
    "/build",
    summary="How the cloud is made",
    responses=gives(
        "What of it, and how far that is",
        "application/json",
        {
            "Running": True,
            "BlocksAgain": 0,
            "Blocks": 512,
            "BlocksDone": 48,
            "Complete": False,
            "Scale": 0,
            "Voxels": "surface",
            "Every": 1,
        },
    ),
)
def get_build(cloud: Annotated[Cloud, Here]) -> Reply:
    """`Blocks` and `BlocksDone` while it is made; `BlocksAgain` are to be made again because voxels changed.

    `Failed` is what keeps some of it from being done until the next start; `Complete` whether all that was asked for
    is done, in this version or in those before it.
    """
    return json_reply(building.progress(cloud))


@room.post("/build", summary="Make the cloud of a segmentation", responses=gives("Begun", "text/plain", ""))
def post_build(
    cloud: Annotated[Cloud, Here],
    scale: Annotated[int, Query(description="Scale of the voxels, 0 for full resolution.", examples=["1"])] = 0,
    voxels: Annotated[
        str,
        Query(description="`surface`: those that touch another supervoxel by a face; `all`.", examples=["all"]),
    ] = "surface",
    every: Annotated[
        int, Query(description="Of a supervoxel's in a block each so many-th, the first included.", examples=["10"])
    ] = 1,
) -> Reply:
    """Of the one that the instance follows, in the background, also over restarts; GET build tells how far it is.

    Points are x, y, z in voxels of the scale, stored by supervoxel, in blocks x_y_z of the segmentation's grid. Blocks
    whose voxels are edited later are made again.
    """
    building.start(cloud, scale, voxels, every)
    return DONE
