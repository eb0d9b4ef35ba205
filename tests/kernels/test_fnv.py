from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dvidpy.kernels.fnv import SMALL, fnv128, fnv128_plain

# Numbers wrap around on purpose; numpy says so where the kernel runs as plain Python.
pytestmark = pytest.mark.filterwarnings("ignore:overflow encountered:RuntimeWarning")


@pytest.mark.parametrize(
    ("text", "digest"),
    [
        (b"", "6c62272e07bb014262b821756295c58d"),
        (b"a", "d228cb69101a8caf78912b704e4a141e"),
        (b"abc", "a68bb2a4348b5822836dbc78c6aee73b"),
    ],
)
def test_digests_of_known_texts(text: bytes, digest: str) -> None:
    assert fnv128(text).hex() == digest


@pytest.fixture(scope="module", autouse=True)
def _compiled() -> None:
    fnv128(bytes(SMALL + 1))


@example(b"\xff" * (SMALL + 1))
@given(st.binary(min_size=1, max_size=64).map(lambda piece: piece * (SMALL // len(piece) + 2)))
def test_the_kernel_agrees_with_its_plain_twin(data: bytes) -> None:
    assert len(data) > SMALL
    assert fnv128(data) == fnv128_plain(data)
