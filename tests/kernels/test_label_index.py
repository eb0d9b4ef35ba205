from __future__ import annotations

from itertools import chain

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dvidpy.errors import BadRequest
from dvidpy.kernels.label_index import (
    FIELDS,
    Columns,
    in_order,
    in_order_plain,
    place,
    place_plain,
    read,
    read_many,
    read_plain,
    varint,
)


@given(st.lists(st.integers(0, 2**64 - 1), max_size=20))
@example([0, 1 << 63 | 0x100000, 2**64 - 1])
def test_blocks_of_the_wire_get_keys(numbers: list[int]) -> None:
    blocks = np.array(numbers, np.uint64)
    twin = np.empty(blocks.size, np.int64)
    place_plain(blocks, twin)
    assert np.array_equal(place(blocks), twin)


SMALL = st.integers(0, 2)


@given(st.lists(st.lists(st.tuples(SMALL, SMALL, SMALL), max_size=4), max_size=3))
@example([[(0, 1, 1), (0, 2, 1), (1, 0, 1)]])
@example([[(0, 2**64 - 1, 1), (1, 0, 1)]])
@example([[(0, 1, 1), (0, 1, 1)]])
@example([[(1, 1, 1)], [], [(1, 1, 1)], [(0, 1, 1), (0, 2, 1)]])
def test_entries_in_order_are_known(lists: list[list[tuple[int, int, int]]]) -> None:
    entries, sizes = list(chain.from_iterable(lists)), np.array([len(one) for one in lists], np.int64)
    keys, voxels = (np.array([entry[at] for entry in entries], np.int64) for at in (0, 2))
    supervoxels = np.array([entry[1] for entry in entries], np.uint64)
    assert in_order(keys, supervoxels, voxels, sizes) == bool(in_order_plain(keys, supervoxels, voxels, sizes))


def by_twin(data: bytes) -> Columns | None:
    room = len(data) // 2
    fields, numbers = np.zeros((1, FIELDS), np.uint64), np.zeros(1, np.int64)
    columns = np.empty(room, np.uint64), np.empty(room, np.uint64), np.empty(room, np.uint32)
    bounds = np.array([0, len(data)], np.int64)
    number = read_plain(np.frombuffer(data, np.uint8), bounds, *columns, fields, numbers)
    if number < 0:
        return None
    assert number == numbers[0]
    return Columns(columns[0][:number], columns[1][:number], columns[2][:number], fields[0])


def same(some: Columns, others: Columns) -> bool:
    return [np.asarray(column).tolist() for column in some] == [np.asarray(column).tolist() for column in others]


def tagged(field: int, wire: int, content: bytes) -> bytes:
    return varint(field << 3 | wire) + content


def number(field: int, value: int) -> bytes:
    return tagged(field, 0, varint(value))


def sized(field: int, content: bytes) -> bytes:
    return tagged(field, 2, varint(len(content)) + content)


UNKNOWN = st.sampled_from(
    [number(9, 300), sized(15, b"abc"), tagged(7, 5, b"abcd"), tagged(1000, 1, b"abcdefgh"), sized(9, b"")]
)
PAIRS = st.lists(st.builds(number, st.sampled_from([1, 2]), st.integers(0, 2**40)) | UNKNOWN, max_size=3).map(b"".join)
COUNTS = st.lists(PAIRS.map(lambda pair: sized(1, pair)) | st.just(number(2, 77)) | UNKNOWN, max_size=4).map(b"".join)
ENTRIES = st.lists(st.just(number(1, 123)) | COUNTS.map(lambda counts: sized(2, counts)) | UNKNOWN, max_size=3).map(
    b"".join
)
MESSAGES = st.lists(
    ENTRIES.map(lambda entry: sized(1, entry))
    | st.builds(number, st.sampled_from([2, 3]), st.integers(0, 2**64 - 1))
    | st.builds(sized, st.sampled_from([4, 5, 6]), st.binary(max_size=9))
    | UNKNOWN,
    max_size=6,
).map(b"".join)


@settings(max_examples=200)
@given(MESSAGES)
def test_messages_with_fields_in_any_order_agree_with_the_plain_twin(data: bytes) -> None:
    twin = by_twin(data)
    assert twin is not None
    assert same(read(data), twin)


@settings(max_examples=300)
@given(st.binary(max_size=40) | MESSAGES, st.data())
@example(bytes.fromhex("ffffffffffffffffffff01"), None)
@example(bytes.fromhex("0affffffffffffffffff01"), None)
@example(bytes.fromhex("0a0212050801"), None)
def test_changed_bytes_are_refused_or_read(message: bytes, data: st.DataObject | None) -> None:
    forged = bytearray(message)
    if forged and data is not None:
        forged[data.draw(st.integers(0, len(forged) - 1))] = data.draw(st.integers(0, 255))
        forged = forged[: data.draw(st.integers(0, len(forged)) | st.just(len(forged)))]
    twin = by_twin(bytes(forged))
    if twin is None:
        with pytest.raises(BadRequest, match="no LabelIndex"):
            read(bytes(forged))
    else:
        assert same(read(bytes(forged)), twin)


def test_the_key_of_a_block_may_come_last() -> None:
    entry = sized(2, sized(1, number(2, 5) + number(1, 7)) + sized(1, number(1, 8))) + number(1, 99)
    found = read(sized(1, entry) + number(2, 42) + sized(5, b"me"))
    assert (found.blocks.tolist(), found.supervoxels.tolist(), found.counts.tolist()) == ([99, 99], [7, 8], [5, 0])
    assert found.fields[0] == 42


def test_many_messages_are_read_at_once() -> None:
    messages = [bytes([10, 8, 8, block, 18, 4, 10, 2, 8, 1]) for block in (5, 6)]
    columns, number = read_many([messages[0], b"", messages[1]])
    assert number.tolist() == [1, 0, 1]
    assert columns.blocks.tolist() == [5, 6]
    data, bounds = np.frombuffer(b"".join(messages), np.uint8), np.array([0, 10, 10, 20], np.int64)
    blocks, supervoxels, counts = np.empty(10, np.uint64), np.empty(10, np.uint64), np.empty(10, np.uint32)
    fields, numbers = np.zeros((3, FIELDS), np.uint64), np.zeros(3, np.int64)
    assert read_plain(data, bounds, blocks, supervoxels, counts, fields, numbers) == 2
    assert (blocks[:2].tolist(), numbers.tolist()) == ([5, 6], [1, 0, 1])
    assert same(columns, Columns(blocks[:2], supervoxels[:2], counts[:2], fields))
    with pytest.raises(BadRequest):
        read_many([messages[0], b"\xff"])
