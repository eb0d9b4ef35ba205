"""Every distinct key and value of many annotations, once, with a number. Equal texts have equal numbers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from dvidpy.kernels.json_members import SMALLEST, Arrays, Numbers, find, place, shred

CHUNK = 1 << 19
"""Bytes of annotations that are taken apart together."""
Members = tuple[npt.NDArray[np.int64], Numbers, Numbers]
"""Rows, keys and values of members of annotations."""


class Pool:
    """Texts by number, from 1; 0 is nothing. See `kernels.json_members`."""

    def __init__(self, room: int = 1024) -> None:
        self.arrays = Arrays(
            np.empty(32 * room, np.uint8),
            np.zeros(room, np.int64),
            np.zeros(room, np.int32),
            np.zeros(room, np.uint64),
            np.zeros(2 << room.bit_length(), np.int32),
            np.zeros((2, room), np.int32),
            np.array([1, 0], np.int64),
        )

    def __len__(self) -> int:
        """Numbers that are taken, 0 among them."""
        return int(self.arrays.state[0])

    def copy(self) -> Pool:
        """Another one with the same texts."""
        other = Pool.__new__(Pool)
        other.arrays = Arrays._make(each.copy() for each in self.arrays)
        return other

    @property
    def nbytes(self) -> int:
        """Bytes of memory."""
        return sum(each.nbytes for each in self.arrays)

    def text(self, number: int) -> bytes:
        """JSON of a value or key."""
        begin = self.arrays.begins[number]
        return self.arrays.arena[begin : begin + self.arrays.sizes[number]].tobytes()

    def find(self, text: bytes) -> int:
        """Number of a JSON text; 0 where there is none."""
        return find(np.frombuffer(text, np.uint8), self.arrays)

    def members(self, annotations: Iterable[tuple[int, bytes]]) -> Iterator[Members]:
        """Members of annotations, given as rows and stored forms, in pieces; what is new gets a number."""
        rows: list[int] = []
        texts: list[bytes] = []
        size = 0
        for row, stored in annotations:
            rows.append(row)
            texts.append(stored)
            size += len(stored)
            if size >= CHUNK:
                yield from self._shred(rows, texts)
                rows, texts, size = [], [], 0
        if rows:
            yield from self._shred(rows, texts)

    def _shred(self, rows: Sequence[int], texts: Sequence[bytes]) -> Iterator[Members]:
        text, numbers = np.frombuffer(b"".join(texts), np.uint8), np.array(rows, np.int64)
        starts = np.zeros(len(texts) + 1, np.int64)
        np.cumsum([len(each) for each in texts], out=starts[1:])
        keys, values = np.empty((2, len(text) // SMALLEST + 1), np.int32)
        done = 0
        while done < len(texts):
            past, count, begins = shred(text, starts, done, self.arrays, keys, values)
            yield np.repeat(numbers[done:past], np.diff(begins[done : past + 1])), keys[:count], values[:count]
            if past < len(texts):
                self._grow(int(starts[past + 1] - starts[past]))
            done = past

    def _grow(self, size: int) -> None:
        """Room for the members of one more annotation of that many bytes, and at least twice as much as now."""
        old, taken, used = self.arrays, len(self), int(self.arrays.state[1])
        room = 2 * max(len(old.begins), taken + size)
        arena = np.empty(2 * max(len(old.arena), used + size), np.uint8)
        arena[:used] = old.arena[:used]
        slots = np.zeros(2 << room.bit_length(), np.int32)
        place(old.hashes[:taken], slots)
        guesses = np.zeros((2, room), np.int32)
        guesses[:, :taken] = old.guesses[:, :taken]
        begins, sizes, hashes = (_longer(each, room) for each in (old.begins, old.sizes, old.hashes))
        self.arrays = Arrays(arena, begins, sizes, hashes, slots, guesses, old.state)


def _longer(array: Any, size: int) -> Any:
    longer = np.zeros(size, array.dtype)
    longer[: len(array)] = array
    return longer
