from __future__ import annotations

from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvidpy.datatypes.labels.index import NO_ENTRIES, Entries, LabelIndex, decode, entries_of, joined
from dvidpy.datatypes.labels.index_batch import changed_many, decode_many
from dvidpy.errors import BadRequest

BLOCK = st.tuples(*[st.integers(-2, 2)] * 3)
Listed = list[tuple[tuple[int, int, int], int, int]]
"""Block, supervoxel, voxels."""
BEFORE = st.lists(st.tuples(BLOCK, st.integers(1, 4), st.integers(1, 50)), max_size=8)
CHANGES = st.lists(st.tuples(BLOCK, st.integers(1, 4), st.integers(-60, 60)), max_size=6)
BODIES = st.dictionaries(st.integers(1, 2**64 - 1), st.tuples(BEFORE, CHANGES), min_size=1, max_size=5)
STAMP = LabelIndex(0).stamped(9, "2026-01-02T03:04:05+00:00", "ana", "")
"""Of all that were there before."""


def columns(listed: Listed) -> Entries:
    return entries_of(*zip(*listed, strict=True)).netted() if listed else NO_ENTRIES


@given(BODIES)
def test_many_indices_change_as_one_by_one(bodies: dict[int, tuple[Listed, Listed]]) -> None:
    labels = np.array([*bodies], np.uint64)
    before, changes = ([columns(both[at]) for both in bodies.values()] for at in (0, 1))
    stored = [
        STAMP._replace(label=label, entries=some).encode() if some.blocks.size else b""
        for label, some in zip(bodies, before, strict=True)
    ]
    owners = np.repeat(np.arange(len(labels)), [one.blocks.size for one in changes])
    order = np.random.default_rng(owners.size).permutation(owners.size)
    found = changed_many(stored, labels, owners[order], joined(changes).where(order))
    for label, message, some, more in zip(bodies, found, before, changes, strict=True):
        sums = joined([some, more]).netted()
        sums = sums.where(sums.voxels > 0)
        if sums.blocks.size:
            stamp = STAMP if some.blocks.size else LabelIndex(0)
            assert message == stamp._replace(label=label, entries=sums).encode()
            assert decode(message).label == label
        else:
            assert message == b""


MESSAGES = st.lists(BEFORE, max_size=5)


@given(MESSAGES, st.randoms())
def test_many_are_decoded_as_one_by_one(listed: list[Listed], random: Random) -> None:
    """Those of other programs, in any order, too."""
    messages = [STAMP._replace(label=at, entries=columns(some)).encode() for at, some in enumerate(listed)]
    if messages and random.random() < 0.5:
        other = [(block, label, voxels) for block, label, voxels in listed[0][::-1]]
        messages[0] = LabelIndex(0, entries_of(*zip(*other, strict=True)) if other else NO_ENTRIES).encode()
    for found, message in zip(decode_many(messages), messages, strict=True):
        assert found.encode() == decode(message).encode()
        assert found.entries.blocks.size == decode(message).entries.blocks.size


def test_a_message_that_is_none() -> None:
    with pytest.raises(BadRequest):
        decode_many([STAMP.encode(), b"\xff"])
