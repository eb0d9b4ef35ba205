from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvidpy.datatypes.neuronjson.pool import Pool
from dvidpy.kernels.json_members import (
    find,
    find_plain,
    holding,
    holding_plain,
    place,
    place_plain,
    shred_plain,
    strings,
    strings_plain,
)

# Numbers wrap around on purpose; numpy says so where the kernel runs as plain Python.
pytestmark = pytest.mark.filterwarnings("ignore:overflow encountered:RuntimeWarning")

TEXTS = st.sampled_from(["", "a", "b", 'quo"te', "back\\", "new\nline", "é", "[{,:]}", "a,b"])
SCALARS = TEXTS | st.integers(-20, 20) | st.sampled_from([2.5, True, False, None])
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=2))
OBJECTS = st.dictionaries(TEXTS, VALUES, max_size=4)


def record(plain: dict[str, Any], meta: dict[str, Any]) -> bytes:
    text = orjson.dumps(plain)
    return len(text).to_bytes(4, "little") + text + orjson.dumps(meta)


@given(st.lists(st.tuples(OBJECTS, OBJECTS), max_size=6))
def test_members_are_told_apart_by_their_texts(objects: list[tuple[dict[str, Any], dict[str, Any]]]) -> None:
    records = [record(*pair) for pair in objects]
    pool = Pool(room=4)
    found: list[list[tuple[bytes, bytes]]] = [[] for _ in records]
    for rows, keys, values in pool.members(list(enumerate(records))):
        for row, key, value in zip(rows.tolist(), keys.tolist(), values.tolist(), strict=True):
            found[row].append((pool.text(key), pool.text(value)))
    starts = np.cumsum([0, *map(len, records)])
    assert found == shred_plain(np.frombuffer(b"".join(records), np.uint8), starts, 0)
    for text in {text for some in found for pair in some for text in pair} | {b"1234", b'"nobody"'}:
        asked = np.frombuffer(text, np.uint8)
        assert find(asked, pool.arrays) == find_plain(asked, pool.arrays)
        assert pool.text(pool.find(text)) in (text, b"")
    hashes, slots = pool.arrays.hashes[: len(pool)], np.zeros(256, np.int32)
    plain = slots.copy()
    place(hashes, slots)
    place_plain(hashes, plain)
    assert np.array_equal(slots, plain)


def spread(values: list[Any]) -> tuple[Any, Any, Any]:
    texts = [orjson.dumps(value) for value in values]
    sizes = np.array([len(text) for text in texts], np.int32)
    return np.frombuffer(bytearray(b"".join(texts)), np.uint8), np.cumsum(sizes, dtype=np.int64) - sizes, sizes


@given(st.lists(st.lists(VALUES, max_size=4), max_size=6), st.lists(SCALARS, min_size=1, max_size=5))
def test_lists_with_a_wanted_member_are_found(lists: list[list[Any]], wanted: list[Any]) -> None:
    texts = list(dict.fromkeys(map(orjson.dumps, wanted)))
    text, bounds = np.frombuffer(b"".join(texts), np.uint8), np.cumsum([0, *map(len, texts)])
    assert np.array_equal(holding(*spread(lists), text, bounds), holding_plain(*spread(lists), text, bounds))


@given(st.lists(VALUES, max_size=6))
def test_texts_are_taken_out_of_values_and_lists(values: list[Any]) -> None:
    found, ends, owners, escaped = strings(*spread(values))
    texts = [found[begin:end].tobytes().decode() for begin, end in pairwise(ends)]
    assert (list(zip(texts, owners.tolist(), strict=True)), escaped.tolist()) == strings_plain(*spread(values))
