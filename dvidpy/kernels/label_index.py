"""The protobuf of a label index, to columns, without an object per entry; `label_columns` writes it.

    message SVCount    { map<uint64, uint32> counts = 1; uint64 surface_mutid = 2; }
    message LabelIndex { map<uint64, SVCount> blocks = 1; uint64 label = 2; uint64 last_mutid = 3;
                         string last_mod_time = 4; string last_mod_user = 5; string last_mod_app = 6; }

Fields stand in any order, also inside the entries of maps; others are skipped. A map's entry is a message of a key
(field 1) and a value (field 2). Format: https://protobuf.dev/programming-guides/encoding.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate, pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dvidpy.errors import BadRequest
from dvidpy.kernels.jit import kernel
from dvidpy.kernels.label_blocks import Bytes

Numbers = NDArray[np.uint64]
FIELDS = 9
"""label, last_mutid; start, end of last_mod_time, _user, _app (offsets; 0, 0 for none); and one to spare."""
_TWO, _THREE, _SEVEN, _LOW, _MORE = np.uint64(2), np.uint64(3), np.uint64(7), np.uint64(127), np.uint64(128)


class Columns(NamedTuple):
    """Entries in the order they were sent."""

    blocks: Numbers
    supervoxels: Numbers
    counts: NDArray[np.uint32]
    fields: Numbers


def read(data: bytes | memoryview) -> Columns:
    """A LabelIndex message -> columns; BadRequest where it is none."""
    found, _ = _read_all(data, np.array([0, len(data)], np.int64))
    # Copied: the room was made for the worst case.
    return Columns(found.blocks.copy(), found.supervoxels.copy(), found.counts.copy(), found.fields[0])


def place(blocks: Numbers) -> NDArray[np.int64]:
    """Blocks as numbers of the wire -> keys that sort as blocks do; see `datatypes.labels.block_keys`."""
    keys = np.empty(blocks.size, np.int64)
    _place(blocks, keys)
    return keys


def in_order(
    keys: NDArray[np.int64], supervoxels: Numbers, voxels: NDArray[np.int64], sizes: NDArray[np.int64]
) -> bool:
    """Whether of each list each block and supervoxel stands behind the one before, and none is without voxels.

    The lists stand one behind the other; `sizes` are their lengths.
    """
    return bool(_in_order(keys, supervoxels, voxels, sizes))


def read_many(messages: Sequence[bytes]) -> tuple[Columns, NDArray[np.int64]]:
    """Several messages -> (their columns one behind the other, fields a row each; entries of each)."""
    bounds = np.array([*accumulate(map(len, messages), initial=0)], np.int64)
    return _read_all(b"".join(messages), bounds)


def _read_all(data: bytes | memoryview, bounds: NDArray[np.int64]) -> tuple[Columns, NDArray[np.int64]]:
    # An entry takes two bytes at least; what is not written to costs no memory.
    room, messages = len(data) // 2, bounds.size - 1
    blocks, supervoxels, counts = np.empty(room, np.uint64), np.empty(room, np.uint64), np.empty(room, np.uint32)
    fields, numbers = np.zeros((messages, FIELDS), np.uint64), np.zeros(messages, np.int64)
    done = _read(np.frombuffer(data, np.uint8), bounds, blocks, supervoxels, counts, fields, numbers)
    if done < 0:
        raise BadRequest("the bytes are no LabelIndex message")
    return Columns(blocks[:done], supervoxels[:done], counts[:done], fields), numbers


def varint(number: int) -> bytes:
    """A number of up to 64 bits, seven bits a byte, lowest first."""
    out = bytearray()
    while number >= 128:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)


# One loop reads a field; `depth` tells of what: 0 the index, 1 an entry of blocks, 2 its SVCount, 3 an entry of counts.
# An entry of blocks writes its key to all its counts when it ends, as the key may come last.
@kernel(
    "int64(Array(uint8, 1, 'C', readonly=True), Array(int64, 1, 'C', readonly=True), uint64[::1], uint64[::1],"
    "uint32[::1], uint64[:, ::1], int64[::1])"
)
def _read(data: Any, bounds: Any, blocks: Any, supervoxels: Any, counts: Any, fields: Any, numbers: Any) -> Any:
    """Number of entries of all messages, those of each in `numbers`; -1 where the bytes between two bounds are none."""
    ends, done = np.zeros(4, np.int64), 0
    for one in range(numbers.size):
        start, before = bounds[one], done
        at, depth, first = start, 0, done
        ends[0] = bounds[one + 1]
        key = supervoxel = number = np.uint64(0)
        while True:
            while at == ends[depth] and depth:
                if depth == 3:
                    supervoxels[done], counts[done] = supervoxel, np.uint32(number & np.uint64(0xFFFFFFFF))
                    done += 1
                elif depth == 1:
                    for i in range(first, done):
                        blocks[i] = key
                depth -= 1
            if at == ends[depth]:
                break
            tag, value = np.uint64(0), np.uint64(0)
            for turn in range(2):  # the tag, then a number or a length
                shift, found = np.uint64(0), np.uint64(0)
                while True:
                    if at >= ends[depth] or shift > np.uint64(63):
                        return -1
                    byte = np.uint64(data[at])
                    at += 1
                    found |= (byte & _LOW) << shift
                    shift += _SEVEN
                    if byte < _MORE:
                        break
                if turn == 0:
                    tag = found
                    if (tag & _SEVEN) != 0 and (tag & _SEVEN) != _TWO:
                        break
                else:
                    value = found
            field, wire = np.int64(tag >> _THREE) if tag < np.uint64(1 << 32) else 0, np.int64(tag & _SEVEN)
            if field == 0:
                return -1
            if wire == 0:
                if depth == 0 and 2 <= field <= 3:
                    fields[one, field - 2] = value
                elif depth == 1 and field == 1:
                    key = value
                elif depth == 3 and field == 1:
                    supervoxel = value
                elif depth == 3 and field == 2:
                    number = value
                continue
            size = 8 if wire == 1 else 4 if wire == 5 else data.size + 1
            if wire == 2:
                if value > np.uint64(ends[depth] - at):
                    return -1
                size = np.int64(value)
            if at + size > ends[depth]:
                return -1
            if wire == 2 and depth == 0 and 4 <= field <= 6:
                fields[one, 2 * field - 6], fields[one, 2 * field - 5] = at - start, at + size - start
            if wire == 2 and depth < 3 and field == (2 if depth == 1 else 1):
                depth += 1
                ends[depth] = at + size
                if depth == 1:
                    key, first = np.uint64(0), done
                elif depth == 3:
                    supervoxel = number = np.uint64(0)
            else:
                at += size
        numbers[one] = done - before
    return done


@kernel("void(Array(uint64, 1, 'C', readonly=True), int64[::1])")
def _place(blocks: Any, keys: Any) -> None:
    for i in range(blocks.size):
        number, key = np.int64(blocks[i] & np.uint64(0x7FFFFFFFFFFFFFFF)), np.int64(0)
        for shift in (42, 21, 0):
            part = number >> shift
            size = part & 0xFFFFF
            key = key << 21 | ((-size if part & 0x100000 else size) + 0x100000)
        keys[i] = key


def place_plain(blocks: Numbers, keys: NDArray[np.int64]) -> None:
    """The plain twin."""
    keys[...] = 0
    for shift in (42, 21, 0):
        part = (blocks >> np.uint64(shift)).astype(np.int64)
        size = part & 0xFFFFF
        keys[...] = keys << 21 | np.where(part & 0x100000, -size, size) + 0x100000


@kernel(
    "int64(Array(int64, 1, 'C', readonly=True), Array(uint64, 1, 'C', readonly=True),"
    "Array(int64, 1, 'C', readonly=True), Array(int64, 1, 'C', readonly=True))"
)
def _in_order(keys: Any, supervoxels: Any, voxels: Any, sizes: Any) -> Any:
    stop = 0
    for one in range(sizes.size):
        first, stop = stop, stop + sizes[one]
        for i in range(first, stop):
            if voxels[i] <= 0:
                return 0
            same = i > first and keys[i] == keys[i - 1]
            if i > first and (keys[i] < keys[i - 1] or (same and supervoxels[i] <= supervoxels[i - 1])):
                return 0
    return 1


def in_order_plain(
    keys: NDArray[np.int64], supervoxels: Numbers, voxels: NDArray[np.int64], sizes: NDArray[np.int64]
) -> int:
    """The plain twin."""
    lists = np.repeat(np.arange(sizes.size), sizes).tolist()
    rows = list(zip(lists, keys.tolist(), supervoxels.tolist(), strict=True))
    return int(bool((voxels > 0).all()) and all(a < b for a, b in pairwise(rows)))


def read_plain(
    data: Bytes,
    bounds: NDArray[np.int64],
    blocks: Numbers,
    supervoxels: Numbers,
    counts: NDArray[np.uint32],
    fields: Numbers,
    numbers: NDArray[np.int64],
) -> int:
    """The plain twin, message by message."""
    done = 0
    for one, (start, stop) in enumerate(pairwise(bounds.tolist())):
        room = blocks[done:], supervoxels[done:], counts[done:]
        number = _read_one_plain(data[start:stop], *room, fields[one])
        if number < 0:
            return -1
        numbers[one] = number
        done += number
    return done


def _read_one_plain(
    data: Bytes, blocks: Numbers, supervoxels: Numbers, counts: NDArray[np.uint32], fields: Numbers
) -> int:
    done = 0
    try:
        for field, value, start in _fields_of(data.tobytes(), 0):
            if field in (2, 3) and isinstance(value, int):
                fields[field - 2] = value
            elif field in (4, 5, 6) and isinstance(value, bytes):
                fields[2 * field - 6 : 2 * field - 4] = start, start + len(value)
            elif field == 1 and isinstance(value, bytes):
                key, entries = 0, []
                for inner, content, _ in _fields_of(value, 0):
                    if inner == 1 and isinstance(content, int):
                        key = content
                    elif inner == 2 and isinstance(content, bytes):
                        entries += [
                            _pair(pair) for at, pair, _ in _fields_of(content, 0) if at == 1 and isinstance(pair, bytes)
                        ]
                for supervoxel, count in entries:
                    blocks[done], supervoxels[done], counts[done] = key, supervoxel, count & 0xFFFFFFFF
                    done += 1
    except (ValueError, IndexError):
        return -1
    return done


def _pair(entry: bytes) -> tuple[int, int]:
    """Key and value of an entry of counts."""
    found = {field: value for field, value, _ in _fields_of(entry, 0) if isinstance(value, int)}
    return found.get(1, 0), found.get(2, 0)


def _fields_of(data: bytes, at: int) -> Iterator[tuple[int, int | bytes | None, int]]:
    """(number, value, where it begins) of every field; a fixed one has no value. ValueError for what is none."""
    while at < len(data):
        tag, at = _varint(data, at)
        if not 8 <= tag < 1 << 32:
            raise ValueError
        if tag & 7 == 0:
            value, at = _varint(data, at)
            yield tag >> 3, value, at
            continue
        size = {1: 8, 5: 4}.get(tag & 7, -1)
        if tag & 7 == 2:
            size, at = _varint(data, at)
        if size < 0 or at + size > len(data):
            raise ValueError
        yield tag >> 3, data[at : at + size] if tag & 7 == 2 else None, at
        at += size


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        value |= (data[at + shift // 7] & 127) << shift
        if data[at + shift // 7] < 128:
            return value & (1 << 64) - 1, at + shift // 7 + 1
    raise ValueError
