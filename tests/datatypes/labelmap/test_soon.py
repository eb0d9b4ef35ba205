"""Blocks that the event loop sends itself are those that a worker would send, and only as they lie."""

from __future__ import annotations

import numpy as np
import pytest
from labelmaps import SIDE, at, blocks_of, new_labelmap, post

from dvidpy.datatypes.labelled.instance import LabelMap
from dvidpy.datatypes.labelled.raw.reading import begin
from dvidpy.datatypes.labelled.streams import sending
from dvidpy.datatypes.labelled.streams.sending import BLOCKS, box_pieces, box_soon
from dvidpy.datatypes.labelmap.mutations.merge import merge
from dvidpy.geometry import Box
from dvidpy.versioning.datastore import Datastore

SIZE = (SIDE, 2 * SIDE, 2 * SIDE)
ALL = Box((0, 0, 0), (1, 2, 2))


@pytest.fixture
def data(datastore: Datastore) -> LabelMap:
    made = new_labelmap(datastore)
    volume = np.arange(np.prod(SIZE), dtype=np.uint64).reshape(SIZE) // np.uint64(7) + np.uint64(1)
    post(made, blocks_of(volume))
    made.bodies()
    return made


def _by_worker(data: LabelMap, blocks: Box, *, supervoxels: bool) -> bytes:
    reading = begin(data, scale=0, supervoxels=supervoxels)
    return b"".join(box_pieces(reading, blocks, BLOCKS))


@pytest.mark.parametrize("supervoxels", [True, False])
@pytest.mark.parametrize("blocks", [ALL, Box((0, 1, 0), (1, 1, 2)), Box((0, 0, 1), (1, 1, 1))])
def test_both_send_the_same(data: LabelMap, blocks: Box, supervoxels: bool) -> None:
    assert box_soon(data, blocks, 0, supervoxels=supervoxels) == _by_worker(data, blocks, supervoxels=supervoxels)


def test_coarser_blocks_too(data: LabelMap) -> None:
    reading = begin(data, scale=1)
    blocks = Box((0, 0, 0), (1, 1, 1))
    expected = b"".join(box_pieces(reading, blocks, BLOCKS))
    assert (box_soon(data, blocks, 1, supervoxels=False) or b"") == expected


def test_what_is_shown_with_other_labels_is_for_a_worker(data: LabelMap) -> None:
    merge(data, np.array([1, 2], np.uint64))
    assert box_soon(data, ALL, 0, supervoxels=False) is None
    assert box_soon(data, ALL, 0, supervoxels=True) == _by_worker(data, ALL, supervoxels=True)


def test_so_is_what_another_version_has_or_nobody(data: LabelMap) -> None:
    assert box_soon(data, Box((0, 0, 0), (1, 2, 3)), 0, supervoxels=True) is None
    data.datastore.repos.commit(data.node)
    child = at(data, data.datastore.repos.new_version(data.node))
    child.bodies()
    assert box_soon(child, ALL, 0, supervoxels=True) is None


def test_so_is_much_and_what_would_be_loaded(data: LabelMap, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "FEW_BYTES", 10)
    assert box_soon(data, ALL, 0, supervoxels=True) is None
    monkeypatch.undo()
    monkeypatch.setattr(sending, "FEW_BLOCKS", 3)
    assert box_soon(data, ALL, 0, supervoxels=True) is None
    monkeypatch.undo()
    assert box_soon(data, ALL, 0, supervoxels=True) is not None
    data.state.forget()
    assert box_soon(data, ALL, 0, supervoxels=True) is None
