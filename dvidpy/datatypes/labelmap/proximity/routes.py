"""Route of distances between bodies."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import orjson
from fastapi import Path

from dvidpy.datatypes.base import Here
from dvidpy.datatypes.exchange import JSON, Reply, pieces_reply
from dvidpy.datatypes.labelled.asked import Label
from dvidpy.datatypes.labelled.instance import LabelMap
from dvidpy.datatypes.labelmap.proximity.distances import nearest
from dvidpy.datatypes.labels.numbers import parse_label
from dvidpy.datatypes.params import Throttle, gives
from dvidpy.datatypes.rooms import Parse, Room
from dvidpy.errors import BadRequest
from dvidpy.geometry import to_wire

room = Room()

MOST = 1000
"""Bodies that one is compared with at a time."""


def parse_labels(text: str) -> list[int]:
    """Labels with commas between them, each once; BadRequest for anything else."""
    labels = [parse_label(part) for part in text.split(",", MOST)]
    return list(dict.fromkeys(labels))


NEAR = gives("Blocks they share", "application/json", [{"Block": [3, 4, 5], "Label": 15, "Distance": 1.0}])


@room.get("/proximity/{label}/{others}", summary="How near two bodies, or more, come", responses=NEAR)
def get_proximity(
    data: Annotated[LabelMap, Here],
    label: Label,
    others: Annotated[list[int], Path(description="Labels.", examples=["15,16"]), Parse(parse_labels)],
    throttle: Throttle = "",
) -> Reply:
    """Of every block that the body shares with another: the distance of their nearest voxels inside it, from centre to
    centre. Label is left out where there is but one other. 404 where one is no body.
    """
    return _near(data, label, others)


@room.get("/proximity/{labels}", summary="How near a body comes to others", responses=NEAR)
def get_proximity_of(
    data: Annotated[LabelMap, Here],
    labels: Annotated[
        list[int], Path(description="The body, then the others.", examples=["12,15,16"]), Parse(parse_labels)
    ],
    throttle: Throttle = "",
) -> Reply:
    """As with two path parts. Two labels alone stand in two parts: the reference refuses them in one."""
    if len(labels) < 3:
        raise BadRequest("two bodies stand one after the other, proximity/12/15; with a comma there are three at least")
    return _near(data, labels[0], labels[1:])


def _near(data: LabelMap, target: int, others: list[int]) -> Reply:
    if target in others:
        raise BadRequest(f"body {target} is compared with itself")
    return pieces_reply(_as_json(data, target, others), JSON)


def _as_json(data: LabelMap, target: int, others: list[int]) -> Iterator[bytes]:
    separator = b"["
    for near in nearest(data, target, others):
        said: dict[str, Any] = {"Block": to_wire(near.block)}
        if len(others) > 1:
            said["Label"] = near.label
        yield separator + orjson.dumps({**said, "Distance": near.distance})
        separator = b","
    yield b"[]" if separator == b"[" else b"]"
