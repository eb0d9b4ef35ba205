from __future__ import annotations

import struct
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dvidpy.datatypes.labels import sparsevol
from dvidpy.datatypes.labels.masks import Mask, Masks
from dvidpy.errors import BadRequest
from dvidpy.geometry import Zyx
from dvidpy.kernels.label_runs import Runs, bits_of

RUNS = np.array([[1, -2, 3, 4], [10, 20, 30, 1]], np.int32)
HEAD = struct.pack("<4B2I", 0, 3, 0, 0, 0, 2)
SIZE = (8, 16, 16)


def mask(seed: int, share: float) -> Mask:
    voxels = np.random.default_rng(seed).random(SIZE) < share
    bits = bits_of(voxels)
    flags = np.where((bits == 255).all(1), 1, 2 * bits.any(1)).astype(np.uint8)
    return Mask(SIZE, flags, bits)


def masked(*found: tuple[Zyx, Mask]) -> bytes:
    flags, bits = (np.stack([mask[part] for _, mask in found]) for part in (1, 2))
    return sparsevol.masked(Masks(SIZE, [place for place, _ in found], flags, bits))


def test_the_legacy_format() -> None:
    body = sparsevol.rles([RUNS[:1], RUNS[1:]])
    assert body == HEAD + struct.pack("<8i", *RUNS.ravel().tolist())
    assert np.array_equal(sparsevol.parse_rles(body), RUNS)
    assert sparsevol.parse_rles(sparsevol.rles([])).shape == (0, 4)


def test_runs_without_a_head() -> None:
    assert np.array_equal(sparsevol.parse_srles(RUNS.tobytes()), RUNS)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (HEAD[:11], "begins with"),
        (HEAD, "cannot hold 2 runs"),
        (struct.pack("<4B2I", 0, 3, 0, 0, 0, 0xFFFFFFFF) + RUNS.tobytes(), "cannot hold 4294967295"),
        (b"\1" + HEAD[1:] + RUNS.tobytes(), "payload"),
        (b"\0\2" + HEAD[2:] + RUNS.tobytes(), "3 dimensions"),
        (HEAD + struct.pack("<8i", 1, 2, 3, 4, 1, 2, 3, 0), "no voxel"),
        (HEAD + struct.pack("<8i", 1, 2, 3, 4, 1, 2, 3, -5), "no voxel"),
        (HEAD + struct.pack("<8i", 1, 2, 3, 4, 2**31 - 2, 2, 3, 3), "32-bit"),
    ],
)
def test_what_is_no_sparse_volume_is_refused(body: bytes, message: str) -> None:
    with pytest.raises(BadRequest, match=message):
        sparsevol.parse_rles(body)


def test_half_a_run_is_refused() -> None:
    with pytest.raises(BadRequest, match="no whole runs"):
        sparsevol.parse_srles(bytes(17))


@given(st.binary(max_size=80))
@example(HEAD + RUNS.tobytes())
def test_made_up_runs_are_refused_or_read(body: bytes) -> None:
    for parse in (sparsevol.parse_rles, sparsevol.parse_srles):
        with suppress(BadRequest):
            found: Runs = parse(body)
            assert len(found) * 16 <= len(body)


def test_runs_that_do_not_lie_well() -> None:
    assert np.array_equal(sparsevol.parse_rles(memoryview(b"\0" + HEAD + RUNS.tobytes())[1:]), RUNS)


# ---------------------------------------------------------------------- binary blocks
def test_binary_blocks() -> None:
    given_masks: list[tuple[Zyx, Mask]] = [
        ((0, 0, 0), mask(1, 0.5)),
        ((0, -1, 2), mask(2, 1.0)),
        ((1, 1, 1), mask(3, 0.0)),
        ((-2, 3, 4), mask(4, 0.001)),
    ]
    body = b"".join(sparsevol.binary_blocks(2**63, SIZE, [masked(*given_masks[:1]), masked(*given_masks[1:])]))
    assert body[:20] == struct.pack("<3IQ", 2, 2, 1, 2**63)
    assert body[20:33] == struct.pack("<3iB", 0, 0, 0, 2)
    found = list(sparsevol.read_binary_blocks(body, SIZE))
    for (block, one), (other, two) in zip(found, (given_masks[0], given_masks[1], given_masks[3]), strict=True):
        assert block == other
        assert np.array_equal(one.flags, two.flags)
        assert np.array_equal(one.bits, two.bits)
    assert list(sparsevol.binary_blocks(1, SIZE, [masked(given_masks[2])])) == []


WHOLE = b"".join(sparsevol.binary_blocks(9, SIZE, [masked(((0, 0, 0), mask(1, 0.5)), ((5, 0, 0), mask(1, 1.0)))]))


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (WHOLE[:19], "begin with"),
        (WHOLE[:21], "middle of a block"),
        (WHOLE[:100], "middle of a block"),
        (WHOLE[:32] + b"\3" + WHOLE[33:], "content 3"),
        (WHOLE[:33] + b"\3" + WHOLE[34:], "middle of a block"),
        (b"\3" + WHOLE[1:], "sub-blocks"),
        (WHOLE[:20] + b"\1" + WHOLE[21:], "at \\[1, 0, 0\\]"),
    ],
)
def test_what_are_no_binary_blocks_is_refused(body: bytes, message: str) -> None:
    with pytest.raises(BadRequest, match=message):
        list(sparsevol.read_binary_blocks(body, SIZE))


@settings(max_examples=100)
@given(st.data())
def test_changed_binary_blocks_are_refused_or_read(data: st.DataObject) -> None:
    forged = bytearray(WHOLE[: data.draw(st.integers(20, len(WHOLE)))])
    forged[data.draw(st.integers(0, len(forged) - 1))] = data.draw(st.integers(0, 255))
    with suppress(BadRequest):
        for _, found in sparsevol.read_binary_blocks(bytes(forged), SIZE):
            assert found.voxels <= SIZE[0] * SIZE[1] * SIZE[2]
