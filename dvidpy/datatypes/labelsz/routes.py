"""Routes of counts: of one label, of many, of the largest."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from fastapi import Path, Query
from numpy.typing import NDArray

from dvidpy.datatypes.base import Here
from dvidpy.datatypes.exchange import DONE, Reply, json_reply
from dvidpy.datatypes.labels.numbers import parse_labels
from dvidpy.datatypes.labelsz import following
from dvidpy.datatypes.labelsz.counts import Labels, columns_of, ranked, sizes
from dvidpy.datatypes.labelsz.instance import LabelSizes
from dvidpy.datatypes.params import gives, takes
from dvidpy.datatypes.rooms import Parse, Room, WholeBody
from dvidpy.errors import BadRequest
from dvidpy.geometry import parse_integer

room = Room()

PAGE = 10_000
"""Labels of an answer where no number is asked for."""
RANKED = gives("Largest first, equal ones by label", "application/json", [{"Label": 103, "Size": 4}])


def _number(bits: int) -> Parse:
    def read(text: str) -> int:
        if not (text.isascii() and text.isdecimal() and len(text) <= 20 and int(text) < 1 << bits):
            raise BadRequest(f"{text[:40]!r} is no whole number of {bits} bits, 0 or more")
        return int(text)

    return Parse(read)


_page_size = Parse(lambda text: _number(32).read(text) if text else 0)


def _offset(text: str) -> int:
    """As in the reference: nothing, or a number below 0, is the beginning."""
    return max(parse_integer(text), 0) if text else 0


Index = Annotated[
    str, Path(description="PostSyn, PreSyn, Gap, Note, AllSyn (the first three) or Voxels.", examples=["PreSyn"])
]
Label = Annotated[int, Path(description="Label of the segmentation.", examples=["103"]), _number(64)]


@room.get(
    "/count/{label}/{index}",
    summary="Count of a label",
    responses=gives("Label and count", "application/json", {"Label": 103, "PreSyn": 4}),
)
def get_count(data: Annotated[LabelSizes, Here], label: Label, index: Index) -> Reply:
    """0 for a label that has none. Voxels are not counted here, and always 0: ask the segmentation for `size`."""
    columns_of(index)
    return json_reply({"Label": label, index: int(sizes(data.of([label]), index)[0])})


@room.get(
    "/counts/{index}",
    summary="Counts of many labels",
    openapi_extra=takes("Labels, in the body of a GET", "application/json", [103, 100]),
    responses=gives("In the order asked", "application/json", [{"Label": 103, "PreSyn": 4}]),
)
def get_counts(data: Annotated[LabelSizes, Here], body: Annotated[bytes, WholeBody], index: Index) -> Reply:
    """A label that is asked for twice is answered twice."""
    columns_of(index)
    labels = parse_labels(body)
    found = sizes(data.of(labels), index).tolist()
    return json_reply([{"Label": label, index: count} for label, count in zip(labels, found, strict=True)])


@room.get("/top/{n}/{index}", summary="Labels with the most", responses=RANKED)
def get_top(
    data: Annotated[LabelSizes, Here],
    n: Annotated[int, Path(description="How many labels.", examples=["3"]), _number(32)],
    index: Index,
) -> Reply:
    """Labels without any are not listed."""
    labels, found = ranked(data.everything(), index)
    return _listed(labels[:n], found[:n])


@room.get("/threshold/{least}/{index}", summary="Labels with at least so many", responses=RANKED)
def get_threshold(
    data: Annotated[LabelSizes, Here],
    least: Annotated[int, Path(description="The least count.", examples=["10"]), _number(32)],
    index: Index,
    offset: Annotated[
        int, Query(description="Labels to leave out at the beginning.", examples=["10000"]), Parse(_offset)
    ] = 0,
    n: Annotated[int, Query(description="Labels to give; 0 stands for 10000.", examples=["3"]), _page_size] = 0,
) -> Reply:
    """A page of them."""
    labels, found = ranked(data.everything(), index, least)
    page = slice(offset, offset + (n or PAGE))
    return _listed(labels[page], found[page])


def _listed(labels: Labels, found: NDArray[np.int64]) -> Reply:
    pairs = zip(labels.tolist(), found.tolist(), strict=True)
    return json_reply([{"Label": label, "Size": size} for label, size in pairs])


@room.post("/reload", summary="Count again", responses=gives("Begun", "text/plain", ""))
def post_reload(data: Annotated[LabelSizes, Here]) -> Reply:
    """In the background, from all elements of what it follows. `info?wait=true` tells when that is done."""
    following.ask(data)
    return DONE


@room.post("/info", summary="Nothing can be changed", responses=gives("As GET", "application/json", {}))
def post_info(data: Annotated[LabelSizes, Here]) -> Reply:
    """Answers as GET does: a labelsz instance has no settings that could change."""
    return json_reply(data.info())
