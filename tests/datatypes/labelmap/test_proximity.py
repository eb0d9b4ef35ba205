from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from label_instances import Segments, volume_with_bodies
from served import Served

BLOCK = 16


@pytest.fixture
def volume() -> np.ndarray:
    return volume_with_bodies(4, (32, 32, 48), labels=4)


@pytest.fixture
def segments(served: Served, volume: np.ndarray) -> Segments:
    made = Segments(served, BLOCK)
    made.put(volume, (-16, 0, 16))
    return made


def near(volume: np.ndarray, one: int, other: int) -> dict[tuple[int, int, int], float]:
    """Block x, y, z -> least distance, by comparing all pairs of voxels."""
    found = {}
    for z, y, x in product(range(2), range(2), range(3)):
        part = volume[z * 16 : z * 16 + 16, y * 16 : y * 16 + 16, x * 16 : x * 16 + 16]
        here, there = np.argwhere(part == one), np.argwhere(part == other)
        if len(here) and len(there):
            squares = [((there - place) ** 2).sum(axis=1).min() for place in here]
            found[x + 1, y, z - 1] = float(np.sqrt(min(squares)))
    return found


def test_two_bodies(segments: Segments, volume: np.ndarray) -> None:
    answer = segments.ask("proximity/1/3").json()
    assert all([*one] == ["Block", "Distance"] for one in answer)
    found = {tuple(one["Block"]): one["Distance"] for one in answer}
    assert found == pytest.approx(near(volume, 1, 3))
    assert len(found) > 1
    places = [one["Block"][::-1] for one in answer]
    assert places == sorted(places)


def test_a_body_and_several(segments: Segments, volume: np.ndarray) -> None:
    for path in ("proximity/1,2,3", "proximity/1/2,3"):
        answer = segments.ask(path).json()
        for label in (2, 3):
            found = {tuple(one["Block"]): one["Distance"] for one in answer if one["Label"] == label}
            assert found == pytest.approx(near(volume, 1, label))


def test_bodies_that_share_no_block(served: Served) -> None:
    segments = Segments(served, BLOCK)
    segments.put(np.repeat(np.array([1, 2], np.uint64), 16) * np.ones((16, 16, 1), np.uint64))
    assert segments.ask("proximity/1/2").json() == []


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("10,11", 400),
        ("1/1", 400),
        ("1/99", 404),
        ("99/1", 404),
        ("0/1", 400),
        ("1/0", 400),
        ("x/1", 400),
        ("1/2,x", 400),
        ("1", 400),
        ("1,2,1", 400),
        (",".join(["7"] * 2000), 400),
    ],
)
def test_what_cannot_be_compared(segments: Segments, path: str, status: int) -> None:
    assert segments.status(f"proximity/{path}") == status
