from __future__ import annotations

from collections import Counter
from contextlib import suppress
from functools import cache
from typing import Any

import numpy as np
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from hypothesis import given, settings
from hypothesis import strategies as st

from dvidpy.datatypes.labels import index, messages
from dvidpy.datatypes.labels.block_keys import blocks_of, from_wire, keys_of
from dvidpy.datatypes.labels.index import LabelIndex, entries_of
from dvidpy.errors import BadRequest
from dvidpy.geometry import Box, Zyx

FAR = (1 << 20) - 1
COORDINATES = st.integers(-FAR, FAR) | st.integers(-3, 3)
BLOCKS = st.tuples(COORDINATES, COORDINATES, COORDINATES)
SUPERVOXELS = st.integers(1, 5) | st.integers(1, 2**64 - 1)
TABLES = st.dictionaries(st.tuples(BLOCKS, SUPERVOXELS), st.integers(1, 2**32 - 1), max_size=30)
Table = dict[tuple[Zyx, int], int]


def made(table: Table, label: int = 7) -> LabelIndex:
    entries = entries_of((block for block, _ in table), (sv for _, sv in table), table.values())
    return index.added(LabelIndex(label), entries)


def table_of(some: LabelIndex) -> Table:
    blocks = map(tuple, blocks_of(some.entries.blocks).tolist())
    return dict(
        zip(zip(blocks, some.entries.supervoxels.tolist(), strict=True), some.entries.voxels.tolist(), strict=True)
    )


def same(one: LabelIndex, other: LabelIndex) -> bool:
    return one._replace(entries=other.entries) == other and table_of(one) == table_of(other)


@cache
def message_class() -> Any:
    """LabelIndex as protobuf's own compiler would make it."""
    file = descriptor_pb2.FileDescriptorProto(name="label.proto", package="test", syntax="proto3")
    for name, value in (("SVCount", 13), ("LabelIndex", 11)):
        message = file.message_type.add(name=name)
        field, entry = ("counts", "CountsEntry") if name == "SVCount" else ("blocks", "BlocksEntry")
        nested = message.nested_type.add(name=entry)
        nested.options.map_entry = True
        nested.field.add(name="key", number=1, type=4, label=1)
        of_message = {"type_name": ".test.SVCount"} if value == 11 else {}
        nested.field.add(name="value", number=2, type=value, label=1, **of_message)
        message.field.add(name=field, number=1, type=11, label=3, type_name=f".test.{name}.{entry}")
    file.message_type[0].field.add(name="surface_mutid", number=2, type=4, label=1)
    for number, (name, kind) in enumerate(
        [("label", 4), ("last_mutid", 4), ("last_mod_time", 9), ("last_mod_user", 9), ("last_mod_app", 9)], 2
    ):
        file.message_type[1].field.add(name=name, number=number, type=kind, label=1)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("test.LabelIndex"))


# ---------------------------------------------------------------------- blocks as numbers
@given(st.lists(BLOCKS))
def test_keys_sort_as_blocks_do(blocks: list[Zyx]) -> None:
    keys = keys_of(blocks)
    assert blocks_of(keys).tolist() == [[*block] for block in blocks]
    assert blocks_of(np.sort(keys)).tolist() == [[*block] for block in sorted(blocks)]


def test_the_number_on_the_wire() -> None:
    written = message_class().FromString(made({((-1, 2, -3), 5): 1}).encode())
    assert [*written.blocks] == [(0x100001 << 42) | (2 << 21) | 0x100003]
    assert blocks_of(from_wire(np.array([1 << 63 | 0x100000], np.uint64))).tolist() == [[0, 0, 0]]


@pytest.mark.parametrize("block", [(0, 0, 1 << 20), (-(1 << 20), 0, 0)])
def test_blocks_too_far_away_are_refused(block: Zyx) -> None:
    with pytest.raises(BadRequest, match="20 bits"):
        keys_of([block])


# ---------------------------------------------------------------------- bytes
@settings(max_examples=60)
@given(TABLES, st.integers(0, 2**64 - 1), st.text(max_size=5), st.text(max_size=5), st.text(max_size=5))
def test_bytes_are_those_of_protobuf(table: Table, mutid: int, time: str, user: str, app: str) -> None:
    ours = made(table).stamped(mutid, time, user, app)
    message = message_class().FromString(ours.encode())
    theirs: Table = {}
    for key, counts in message.blocks.items():
        block = tuple(blocks_of(from_wire(np.array([key], np.uint64)))[0].tolist())
        theirs |= {(block, supervoxel): number for supervoxel, number in counts.counts.items()}
        counts.surface_mutid = 99
    assert theirs == table
    assert (message.label, message.last_mutid) == (7, mutid)
    assert (message.last_mod_time, message.last_mod_user, message.last_mod_app) == (time, user, app)
    assert len(message_class().FromString(ours.encode()).SerializeToString()) == len(ours.encode())
    assert same(index.decode(message.SerializeToString()), ours)
    assert same(index.decode(ours.encode()), ours)


def test_entries_sent_twice_and_empty_ones() -> None:
    pair = bytes.fromhex("0a 04 0803 1005")
    twice = bytes.fromhex("0a 12 0807 12 0e 0a0408031009") + bytes.fromhex("0a 02 0803") + bytes.fromhex("0a 02 0804")
    assert index.decode(twice).is_empty
    assert table_of(index.decode(b"\x0a\x08\x12\x06" + pair)) == {((0, 0, 0), 3): 5}
    assert table_of(index.decode(b"\x0a\x0e\x12\x0c" + bytes.fromhex("0a 04 0803 1006") + pair)) == {((0, 0, 0), 3): 5}


@pytest.mark.parametrize("body", [b"\x0a\x05abc", b"\x0b", b"\x22\x01\xff"])
def test_what_is_no_index_is_refused(body: bytes) -> None:
    with pytest.raises(BadRequest, match="LabelIndex"):
        index.decode(body)


@given(st.binary(max_size=60))
def test_made_up_bytes(body: bytes) -> None:
    with suppress(BadRequest):
        index.decode(index.decode(body).encode())


def test_many_indices() -> None:
    some = [made({((1, 2, 3), 4): 5}), made({}, 9).stamped(1, "t", "u", "a")]
    found = messages.parse_indices(messages.encode_indices(some))
    assert all(same(one, other) for one, other in zip(found, some, strict=True))
    with pytest.raises(BadRequest, match="LabelIndices"):
        messages.parse_indices(b"\x0a\x05abc")


def test_mappings() -> None:
    ops = [
        messages.MappingOp(1, 2, np.array([3, 2**64 - 1], np.uint64)),
        messages.MappingOp(0, 0, np.array([], np.uint64)),
    ]
    body = messages.encode_mappings(ops)
    assert body == bytes.fromhex("0a11 0801 1002 1a0b 03 ffffffffffffffffff01 0a00".replace(" ", ""))
    found = messages.parse_mappings(body)
    assert [(op.mutid, op.mapped, op.original.tolist()) for op in found] == [(1, 2, [3, 2**64 - 1]), (0, 0, [])]
    # Numbers that were not packed into one field are read too.
    assert messages.parse_mappings(bytes.fromhex("0a04 1803 1804"))[0].original.tolist() == [3, 4]
    with pytest.raises(BadRequest, match="MappingOps"):
        messages.parse_mappings(b"\x0a\x05abc")


# ---------------------------------------------------------------------- what an index tells
@given(TABLES)
def test_what_it_tells(table: Table) -> None:
    some = made(table)
    assert some.voxels == sum(table.values())
    assert some.is_empty == (not table)
    assert some.blocks.tolist() == [[*block] for block in sorted({block for block, _ in table})]
    assert some.supervoxels.tolist() == sorted({sv for _, sv in table})
    sizes: Counter[int] = Counter()
    for (_, supervoxel), voxels in table.items():
        sizes[supervoxel] += voxels
    assert dict(zip(*(column.tolist() for column in some.sizes()), strict=True)) == sizes
    wanted = some.supervoxels[::2]
    assert table_of(some.only(wanted)) == {at: voxels for at, voxels in table.items() if at[1] in wanted.tolist()}
    if table:
        assert table_of(some.within(some.box())) == table
        box = Box(some.box().start, (1, 2, 2**21))
        inside = {
            at: n
            for at, n in table.items()
            if all(a <= b < c for a, b, c in zip(box.start, at[0], box.stop, strict=True))
        }
        assert table_of(some.within(box)) == inside


# ---------------------------------------------------------------------- operations
@given(TABLES, TABLES)
def test_voxels_come_and_go(one: Table, other: Table) -> None:
    total = Counter(one) + Counter(other)
    whole = index.joined([made(one).entries, made(other).entries])
    if total and max(total.values()) >= 2**32:
        with pytest.raises(BadRequest, match="impossible"):
            index.added(LabelIndex(7), whole)
        return
    both = index.merged(made(one), [made(other), made({})])
    assert table_of(both) == dict(total)
    away = made(other).entries
    assert table_of(index.added(both, away._replace(voxels=-away.voxels))) == one
    if other:
        with pytest.raises(BadRequest, match="impossible"):
            index.added(made({}), away._replace(voxels=-away.voxels))


@given(TABLES)
def test_an_index_is_parted_by_supervoxels(table: Table) -> None:
    some = made(table)
    wanted = some.supervoxels[: some.supervoxels.size // 2]
    gone, remain = index.parted(some, wanted[::-1])
    assert same(index.merged(remain, [gone]), some)
    assert np.array_equal(gone.supervoxels, wanted)
    assert not np.isin(remain.supervoxels, wanted).any()
    assert index.parted(remain, wanted)[0].is_empty


def test_a_supervoxel_is_split() -> None:
    some = made({((0, 0, 0), 1): 10, ((0, 0, 1), 1): 20, ((0, 0, 1), 2): 5})
    inside = entries_of([(0, 0, 0), (0, 0, 1)], [1, 1], [10, 3])
    found = index.split_supervoxel(some, 1, 50, 51, inside)
    assert table_of(found) == {((0, 0, 0), 50): 10, ((0, 0, 1), 50): 3, ((0, 0, 1), 51): 17, ((0, 0, 1), 2): 5}
    for wrong in (entries_of([(0, 0, 0)], [1], [11]), entries_of([(5, 0, 0)], [1], [1])):
        with pytest.raises(BadRequest, match="impossible"):
            index.split_supervoxel(some, 1, 50, 51, wrong)


def test_supervoxels_get_other_names() -> None:
    some = made({((0, 0, 0), 1): 10, ((0, 0, 0), 2): 20, ((0, 0, 1), 3): 5})
    found = index.relabelled(some, np.array([2, 3], np.uint64), np.array([1, 9], np.uint64))
    assert table_of(found) == {((0, 0, 0), 1): 30, ((0, 0, 1), 9): 5}
