"""Runs of blocks, from indices alone."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from dvidpy.datatypes.exchange import Reply, octets
from dvidpy.datatypes.labelled.bodies import Body
from dvidpy.datatypes.labelled.instance import LabelMap
from dvidpy.datatypes.labelled.keys import label_key, number_of
from dvidpy.datatypes.labelled.sparsevol.regions import within
from dvidpy.datatypes.labels import sparsevol
from dvidpy.datatypes.labels.runs import EVERYWHERE, runs_of_blocks
from dvidpy.errors import NotFound
from dvidpy.geometry import Box
from dvidpy.storage.keys import PAST

_HEAD = struct.Struct("<Qi")


def coarse_of(data: LabelMap, body: Body, bounds: Box) -> Reply:
    """Blocks of a body that bounds touch, as runs behind their head; NotFound of a labelarray, where there are none."""
    runs = body.runs if bounds == EVERYWHERE else runs_of_blocks(within(body.blocks, bounds, data.block))
    if data.bounds_must_hold and not len(runs):
        raise NotFound("the label has no blocks there")
    return octets(sparsevol.rles([runs]))


def coarse_of_many(data: LabelMap, first: int, last: int, bounds: Box) -> Iterator[bytes]:
    """Of each body from one label to another: label, number of runs, runs."""
    for key, found in data.view.range(label_key(first), label_key(last) + PAST):
        runs = runs_of_blocks(within(data.read_index(found).blocks, bounds, data.block))
        yield _HEAD.pack(number_of(key), len(runs)) + runs.tobytes()
