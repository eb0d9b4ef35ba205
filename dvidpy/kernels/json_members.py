"""Members of JSON objects as numbers: every distinct key and value is kept once, in a pool, by its text.

Texts are JSON as orjson writes it: without spaces, one text for one value. Number 0 stands for nothing.

A pool is arrays: `arena` the texts, one behind the other; `begins`, `sizes` and `hashes` of each number; `slots` a hash
table of numbers, twice as large as there is room for numbers; `guesses` what came last time: in row 0 the key that
followed a key, in row 1 the value it had; `state` how many numbers are taken, and how many bytes of the arena.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import orjson
from numpy.typing import NDArray

from dvidpy.kernels.jit import helper, kernel

HEAD = 4
"""Bytes in front of the two objects of a record, which give the size of the first."""
SMALLEST = 5
"""Bytes of a member of an object, at least."""
_FIRST, _PRIME = 0xCBF29CE484222325, 0x100000001B3
"""Of FNV-1a with 64 bits."""
_QUOTE, _ESCAPE, _COMMA, _COLON, _OPEN, _CLOSE, _LIST, _END = b'"\\,:{}[]'
Bytes = NDArray[np.uint8]
Numbers = NDArray[np.int32]
_POOL = "Tuple((uint8[::1], int64[::1], int32[::1], uint64[::1], int32[::1], int32[:, ::1], int64[::1]))"
"""`Arrays`."""
_READ, _HASHES = "Array(uint8, 1, 'C', readonly=True)", "Array(uint64, 1, 'C', readonly=True)"


class Arrays(NamedTuple):
    """A pool; see above."""

    arena: Bytes
    begins: NDArray[np.int64]
    sizes: NDArray[np.int32]
    hashes: NDArray[np.uint64]
    slots: Numbers
    guesses: Numbers
    state: NDArray[np.int64]


def shred(
    text: Bytes, starts: NDArray[np.int64], first: int, pool: Arrays, keys: Numbers, values: Numbers
) -> tuple[int, int, NDArray[np.int64]]:
    """Members of records from `first` on, as long as the pool has room: (the next record, how many members, where those
    of each record begin). Record i is `text[starts[i]:starts[i + 1]]`: HEAD bytes and two objects. Keys and values are
    written as numbers; there must be room for a member in each SMALLEST bytes.
    """
    begins = np.zeros(len(starts), np.int64)
    past = int(_shred(text, starts, first, tuple(pool), keys, values, begins))
    return past, int(begins[past]), begins


def find(text: Bytes, pool: Arrays) -> int:
    """Number of a text; 0 where the pool does not have it."""
    return int(_find(text, tuple(pool)))


def make_ready() -> None:
    """Load what a question needs, which takes a while, before there is one."""
    for each in (_find, _holding, _strings):
        each.ready()


def place(hashes: NDArray[np.uint64], slots: Numbers) -> None:
    """Fill an empty hash table with numbers 1 to n of `hashes`; that of number 0 does not count."""
    _place(hashes, slots)


def holding(
    arena: Bytes, begins: NDArray[np.int64], sizes: NDArray[np.int32], text: Bytes, bounds: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Which lists have one of the wanted values for a member: `text[bounds[i]:bounds[i + 1]]`, all different."""
    slots = np.zeros(2 << len(bounds).bit_length(), np.int32)
    found = np.zeros(len(begins), np.bool_)
    _holding(arena, begins, sizes, text, bounds, slots, found)
    return found


def strings(
    arena: Bytes, begins: NDArray[np.int64], sizes: NDArray[np.int32]
) -> tuple[Bytes, NDArray[np.int64], Numbers, NDArray[np.bool_]]:
    """Values that are texts, without their quotes, and texts in lists, one behind the other: (bytes, where each begins
    and the last ends, which value each belongs to, which values have a text with an escape: that is left out).
    """
    room = int(sizes.sum())
    out, ends, owners = np.empty(room, np.uint8), np.zeros(room // 2 + 1, np.int64), np.empty(room // 2, np.int32)
    escaped = np.zeros(len(begins), np.bool_)
    count = int(_strings(arena, begins, sizes, out, ends, owners, escaped))
    return out[: ends[count]], ends[: count + 1], owners[:count], escaped


@kernel(f"int64({_READ}, int64[::1], int64, {_POOL}, int32[::1], int32[::1], int64[::1])")
def _shred(text: Any, starts: Any, first: Any, pool: Any, keys: Any, values: Any, counts: Any) -> Any:
    arena, begins, sizes, hashes, slots, guesses, state = pool
    mask, members = slots.size - 1, 0
    for record in range(first, starts.size - 1):
        at, end, key = starts[record] + HEAD, starts[record + 1], np.int32(0)
        if state[0] + 2 * (end - at) // SMALLEST + 1 > begins.size or state[1] + end - at > arena.size:
            return record
        for _ in range(2):
            at += 1
            if at < end and text[at] == _CLOSE:
                at += 1
                continue
            while at < end:
                for side in range(2):
                    begin, number = at, guesses[side, key]
                    start, size, same = begins[number], np.int64(sizes[number]), 0
                    while same < size and at + same < end and text[at + same] == arena[start + same]:
                        same += 1
                    after = text[min(at + same, end - 1)]
                    if number and same == size and (after in (_COMMA, _CLOSE, _COLON)):
                        at += size
                    else:
                        depth, inside, code, byte = 0, False, np.uint64(_FIRST), text[at]
                        while inside or depth or byte not in (_COMMA, _CLOSE, _COLON):
                            code = (code ^ np.uint64(byte)) * np.uint64(_PRIME)
                            if inside and byte == _ESCAPE:
                                at += 1
                                code = (code ^ np.uint64(text[at])) * np.uint64(_PRIME)
                            elif byte == _QUOTE:
                                inside = not inside
                            elif not inside:
                                depth += int(byte in (_OPEN, _LIST)) - int(byte in (_CLOSE, _END))
                            at += 1
                            if at >= end:
                                break
                            byte = text[at]
                        slot, size = np.int64((code ^ (code >> np.uint64(32))) & np.uint64(mask)), at - begin
                        while slots[slot]:
                            number, same = slots[slot], 0
                            if hashes[number] == code and sizes[number] == size:
                                start = begins[number]
                                while same < size and text[begin + same] == arena[start + same]:
                                    same += 1
                                if same == size:
                                    break
                            slot = (slot + 1) & mask
                        if not slots[slot]:
                            number = slots[slot] = np.int32(state[0])
                            begins[number], sizes[number], hashes[number] = state[1], np.int32(size), code
                            arena[state[1] : state[1] + size] = text[begin:at]
                            state[0], state[1] = state[0] + 1, state[1] + size
                        guesses[side, key] = number
                    if side == 0:
                        key, at = number, at + 1
                    else:
                        keys[members], values[members], members = key, number, members + 1
                at += 1
                if text[at - 1] == _CLOSE:
                    break
        counts[record + 1] = members
    return starts.size - 1


def shred_plain(text: Bytes, starts: NDArray[np.int64], first: int) -> list[list[tuple[bytes, bytes]]]:
    """The plain twin: texts of keys and values, of each record."""
    whole, found = text.tobytes(), []
    for begin, end in zip(starts[first:-1].tolist(), starts[first + 1 :].tolist(), strict=True):
        middle = begin + HEAD + int.from_bytes(whole[begin : begin + HEAD], "little")
        parts = whole[begin + HEAD : middle], whole[middle:end]
        pairs = [pair for part in parts for pair in orjson.loads(part).items()]
        found.append([(orjson.dumps(key), orjson.dumps(value)) for key, value in pairs])
    return found


@helper
def _same(arena: Any, begin: Any, text: Any) -> Any:
    """Whether a text stands there; by itself, since numba's way needs much of it in memory (`kernels.loading`)."""
    place = 0
    while place < text.size and arena[begin + place] == text[place]:
        place += 1
    return place == text.size


@kernel(f"int64({_READ}, {_POOL})")
def _find(text: Any, pool: Any) -> Any:
    arena, begins, sizes, hashes, slots, _, _ = pool
    code = np.uint64(_FIRST)
    for byte in text:
        code = (code ^ np.uint64(byte)) * np.uint64(_PRIME)
    slot = np.int64((code ^ (code >> np.uint64(32))) & np.uint64(slots.size - 1))
    while slots[slot]:
        number = slots[slot]
        start, size = begins[number], np.int64(sizes[number])
        if hashes[number] == code and size == text.size and _same(arena, start, text):
            return np.int64(number)
        slot = (slot + 1) & (slots.size - 1)
    return np.int64(0)


def find_plain(text: Bytes, pool: Arrays) -> int:
    """The plain twin."""
    for number in range(1, int(pool.state[0])):
        begin = pool.begins[number]
        if pool.arena[begin : begin + pool.sizes[number]].tobytes() == text.tobytes():
            return number
    return 0


@kernel(f"void({_HASHES}, int32[::1])")
def _place(hashes: Any, slots: Any) -> None:
    mask = slots.size - 1
    for number in range(1, hashes.size):
        code = hashes[number]
        slot = np.int64((code ^ (code >> np.uint64(32))) & np.uint64(mask))
        while slots[slot]:
            slot = (slot + 1) & mask
        slots[slot] = number


def place_plain(hashes: NDArray[np.uint64], slots: Numbers) -> None:
    """The plain twin."""
    for number, code in enumerate(hashes.tolist()):
        slot = (code ^ (code >> 32)) % slots.size
        while number and slots[slot]:
            slot = (slot + 1) % slots.size
        slots[slot] = number or slots[slot]


@kernel(f"void(uint8[::1], int64[::1], int32[::1], {_READ}, int64[::1], int32[::1], bool_[::1])")
def _holding(arena: Any, begins: Any, sizes: Any, text: Any, bounds: Any, slots: Any, found: Any) -> None:
    mask = slots.size - 1
    for number in range(bounds.size - 1):
        code = np.uint64(_FIRST)
        for byte in text[bounds[number] : bounds[number + 1]]:
            code = (code ^ np.uint64(byte)) * np.uint64(_PRIME)
        slot = np.int64((code ^ (code >> np.uint64(32))) & np.uint64(mask))
        while slots[slot]:
            slot = (slot + 1) & mask
        slots[slot] = number + 1
    for one in range(begins.size):
        at, end = begins[one] + 1, begins[one] + sizes[one] - 1
        while at < end and not found[one]:
            begin, depth, inside, code = at, 0, False, np.uint64(_FIRST)
            while at < end and (inside or depth or arena[at] != _COMMA):
                byte = arena[at]
                code = (code ^ np.uint64(byte)) * np.uint64(_PRIME)
                if inside and byte == _ESCAPE:
                    at += 1
                    code = (code ^ np.uint64(arena[at])) * np.uint64(_PRIME)
                elif byte == _QUOTE:
                    inside = not inside
                elif not inside:
                    depth += int(byte in (_OPEN, _LIST)) - int(byte in (_CLOSE, _END))
                at += 1
            slot = np.int64((code ^ (code >> np.uint64(32))) & np.uint64(mask))
            while slots[slot] and not found[one]:
                start, past = bounds[slots[slot] - 1], bounds[slots[slot]]
                found[one] = past - start == at - begin and _same(arena, begin, text[start:past])
                slot = (slot + 1) & mask
            at += 1


def holding_plain(
    arena: Bytes, begins: NDArray[np.int64], sizes: NDArray[np.int32], text: Bytes, bounds: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """The plain twin."""
    whole = text.tobytes()
    wanted = {whole[begin:end] for begin, end in pairwise(bounds.tolist())}
    lists = (orjson.loads(arena[begin : begin + size].tobytes()) for begin, size in zip(begins, sizes, strict=True))
    return np.array([not wanted.isdisjoint(map(orjson.dumps, members)) for members in lists], np.bool_)


@kernel("int64(uint8[::1], int64[::1], int32[::1], uint8[::1], int64[::1], int32[::1], bool_[::1])")
def _strings(arena: Any, begins: Any, sizes: Any, out: Any, ends: Any, owners: Any, escaped: Any) -> Any:
    count, to = 0, 0
    for one in range(begins.size):
        at, end = begins[one], begins[one] + sizes[one]
        if arena[at] == _LIST:
            at, end = at + 1, end - 1
        elif arena[at] != _QUOTE:
            continue
        depth, inside, plain = 0, False, True
        while at < end:
            byte = arena[at]
            if inside and byte == _ESCAPE:
                at, plain = at + 1, False
            elif byte == _QUOTE:
                inside = not inside
                if depth == 0 and not inside and plain:
                    ends[count + 1], owners[count] = to, one
                    count += 1
                elif depth == 0 and not inside:
                    to, escaped[one] = ends[count], True
                plain = plain or not inside
            elif inside and depth == 0:
                out[to], to = byte, to + 1
            elif not inside:
                depth += int(byte in (_OPEN, _LIST)) - int(byte in (_CLOSE, _END))
            at += 1
    return count


def strings_plain(
    arena: Bytes, begins: NDArray[np.int64], sizes: NDArray[np.int32]
) -> tuple[list[tuple[str, int]], list[bool]]:
    """The plain twin: (texts without an escape and the values they belong to, which values have others)."""
    found, escaped = [], []
    for one, (begin, size) in enumerate(zip(begins, sizes, strict=True)):
        value = orjson.loads(arena[begin : begin + size].tobytes())
        texts = [text for text in (value if isinstance(value, list) else [value]) if isinstance(text, str)]
        plain = [b"\\" not in orjson.dumps(text) for text in texts]
        found += [(text, one) for text, as_it_is in zip(texts, plain, strict=True) if as_it_is]
        escaped.append(not all(plain))
    return found, escaped
