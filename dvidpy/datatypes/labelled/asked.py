"""What requests about bodies ask for: labels in paths and bodies of requests, and answers from an index alone."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

import numpy as np
from fastapi import Path, Query

from dvidpy.datatypes.exchange import OCTETS, Reply
from dvidpy.datatypes.labelled.bodies import Body
from dvidpy.datatypes.labelled.instance import LabelMap, is_large
from dvidpy.datatypes.labelled.state import Bodies
from dvidpy.datatypes.labels.numbers import parse_label
from dvidpy.datatypes.params import Flag, takes
from dvidpy.datatypes.rooms import Parse
from dvidpy.datatypes.settings import read_json
from dvidpy.errors import BadRequest, NotFound
from dvidpy.kernels.label_blocks import Labels

AT_ONCE = 1 << 14
"""Bytes of a stored index that is decoded in the event loop; a longer one goes to a worker thread."""


def parse_given_label(text: str) -> int | None:
    """A label; none for an empty text or 0, which ask for a new one."""
    return parse_label(text) if text.strip("0") else None


Label = Annotated[int, Path(description="Label of a body.", examples=["12"]), Parse(parse_label)]
OfSupervoxel = Annotated[
    bool, Query(alias="supervoxels", description="`true`: labels are supervoxels, not bodies."), Flag
]
Given = Parse(parse_given_label)
SplitLabel = Annotated[int | None, Query(description="Label of the new body; else a new one.", examples=["500"]), Given]
VOLUME: dict[str, Any] = takes("Runs of the voxels to be split off, in the format of `sparsevol`", OCTETS.decode())
TAKES_LABELS: dict[str, Any] = {
    "requestBody": {
        "description": "Labels, a JSON list",
        "content": {"application/json": {"schema": {}, "example": [12, 15, 99]}},
    }
}


def read_labels(body: bytes, most: int | None = None) -> Labels:
    """A JSON list of labels; BadRequest where it is none, or longer than `most`."""
    given = read_json(body)
    if not isinstance(given, list) or any(type(one) is not int for one in given):
        raise BadRequest("expected a JSON list of labels")
    if most is not None and len(given) > most:
        raise BadRequest(f"{len(given)} labels; at most {most} are answered at a time")
    try:
        return np.array(given, np.uint64)
    except OverflowError:
        raise BadRequest("a label is a whole number from 0 to 2^64 - 1") from None


def read_edited_labels(body: bytes) -> Labels:
    """A JSON list of labels, none of them 0; BadRequest for anything else."""
    labels = read_labels(body)
    if not labels.all():
        raise BadRequest("label 0 is background, which is not edited")
    return labels


# ---------------------------------------------------------------------- answers from an index
Answer = Callable[[Body], Reply]


def about_body(data: LabelMap, label: int, answer: Answer) -> Reply | Awaitable[Reply]:
    """Answer from the index of a body; NotFound where there is none."""
    return about_label(data, label, supervoxel=False, answer=answer)


def about_label(data: LabelMap, label: int, *, supervoxel: bool, answer: Answer) -> Reply | Awaitable[Reply]:
    """The same of a body, or of a supervoxel: its own part of the body it belongs to."""

    def demanding(body: Body | None) -> Reply:
        if body is None:
            raise NotFound(f"no {'supervoxel' if supervoxel else 'body'} {label}")
        return answer(body)

    return about_any(data, label, supervoxel=supervoxel, answer=demanding)


def about_any(
    data: LabelMap, label: int, *, supervoxel: bool, answer: Callable[[Body | None], Reply]
) -> Reply | Awaitable[Reply]:
    """Answer from the index of a body, or that there is none: at once where that is at hand, or short."""
    if supervoxel:
        return on_worker(data, lambda: answer(find_part(data, label)[1]))
    found = data.find_stored(label)
    if found is None:
        return answer(None)
    known = data.known_body(label, found)
    if known is None and len(found.stored) <= AT_ONCE and not is_large(found):
        known = data.decode_body(label, found)
    return on_worker(data, lambda: answer(data.find_body(label))) if known is None else answer(known)


def find_part(data: LabelMap, supervoxel: int) -> tuple[LabelMap, Body | None]:
    """(unchanging view, what the supervoxel has there or none); BadRequest where it was split or given up."""

    def part(still: LabelMap, bodies: Bodies) -> tuple[LabelMap, Body | None]:
        label = bodies.of(supervoxel)
        if not label:
            raise BadRequest(f"supervoxel {supervoxel} is no more")
        body = still.find_body(label)
        return still, None if body is None else body.part(supervoxel)

    return data.steady(part)


def on_worker(data: LabelMap, work: Callable[[], Reply]) -> Awaitable[Reply]:
    """Run it on a worker thread."""
    assert data.call is not None
    return data.call.on_worker(work)
