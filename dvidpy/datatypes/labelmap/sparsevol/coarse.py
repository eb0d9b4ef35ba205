"""Runs of blocks, from indices alone."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from dvidpy.datatypes.exchange import Reply, octets
from dvidpy.datatypes.labelmap.bodies import Body
from dvidpy.datatypes.labelmap.instance import LabelMap
from dvidpy.datatypes.labelmap.keys import label_key, number_of
from dvidpy.datatypes.labelmap.sparsevol.regions import within
from dvidpy.datatypes.labels import index as indices
from dvidpy.datatypes.labels import sparsevol
from dvidpy.datatypes.labels.runs import runs_of_blocks
from dvidpy.geometry import Box, Zyx
from dvidpy.storage.keys import PAST

_HEAD = struct.Struct("<Qi")


def coarse_of(body: Body, bounds: Box, block: Zyx) -> Reply:
    """Blocks of a body that bounds touch, as runs behind their head."""
    return octets(sparsevol.rles([runs_of_blocks(within(body.blocks, bounds, block))]))


def coarse_of_many(data: LabelMap, first: int, last: int, bounds: Box) -> Iterator[bytes]:
    """Of each body from one label to another: label, number of runs, runs."""
    for key, found in data.view.range(label_key(first), label_key(last) + PAST):
        runs = runs_of_blocks(within(indices.decode(found.read()).blocks, bounds, data.block))
        yield _HEAD.pack(number_of(key), len(runs)) + runs.tobytes()
