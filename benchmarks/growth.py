"""What grows in `python -m benchmarks.scaling`: data of each size, and what is asked of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import count, islice
from typing import NamedTuple

import numpy as np

from benchmarks.asking import Asking, keyvalues

Ask = Callable[[], object]


class Growth(NamedTuple):
    """One dimension: how data of a size are made, and the requests that are measured on them."""

    name: str
    sizes: tuple[int, ...]
    make: Callable[[Asking, int], dict[str, Ask]]
    """Loads data of a size into a repo of its own; name of a request -> a function that sends it once."""
    expected: dict[str, float] = {}  # noqa: RUF012  # never changed
    """Exponents that are not 0."""


def volume(ask: Asking, side: int) -> dict[str, Ask]:
    """A gray volume of side^3 voxels."""
    ask.instance("uint8blk", "gray", BlockSize="64,64,64")
    rng, piece = np.random.default_rng(side), min(side, 256)
    for corner in np.ndindex(*[side // piece] * 3):
        z, y, x = (at * piece for at in corner)
        voxels = rng.integers(0, 256, piece**3, np.uint8).tobytes()
        ask.post(ask.of("gray", f"raw/0_1_2/{piece}_{piece}_{piece}/{x}_{y}_{z}"), voxels)
    middle = side // 2
    block = ask.of("gray", f"raw/0_1_2/64_64_64/{middle}_{middle}_{middle}")
    info = ask.of("gray", "info")
    return {"block 64^3": lambda: ask.get(block), "info": lambda: ask.get(info)}


def bodies(ask: Asking, number: int) -> dict[str, Ask]:
    """A labelmap of that many bodies of 4^3 voxels, in slabs of 64 x 256 x 256."""
    ask.instance("labelmap", "seg", BlockSize="64,64,64", MaxDownresLevel="1")
    for slab in range(-(-number // _SLAB)):
        labels = 1 + slab * _SLAB + np.arange(_SLAB, dtype=np.uint64).reshape(16, 64, 64)
        labels[labels > number] = 0
        voxels = labels.repeat(4, 0).repeat(4, 1).repeat(4, 2)
        ask.post(ask.of("seg", f"raw/0_1_2/256_256_64/0_0_{64 * slab}"), voxels.tobytes())
    pairs = np.random.default_rng(1).permutation(np.arange(1, number + 1))[: number // 2 * 2].reshape(-1, 2)
    body, others = number // 2, iter(pairs)
    for label in (body, number, *pairs[:_MERGES].ravel().tolist()):
        ask.settled(ask.of("seg", f"size/{label}"))
    return {
        "label": lambda: ask.get(ask.of("seg", "label/1_2_3")),
        "size": lambda: ask.get(ask.of("seg", f"size/{body}")),
        "sparsevol": lambda: ask.get(ask.of("seg", f"sparsevol/{body}")),
        "merge of two": lambda: ask.post(ask.of("seg", "merge"), json.dumps(next(others).tolist()).encode()),
    }


_SLAB = 16 * 64 * 64
"""Bodies of a slab."""
_MERGES = 50
"""More than are measured."""


def depth(ask: Asking, versions: int) -> dict[str, Ask]:
    """A key and a block stored in the first of many versions, and a key that each of them changed."""
    ask.instance("keyvalue", "kv")
    ask.instance("uint8blk", "gray", BlockSize="64,64,64")
    ask.post(ask.of("kv", "key/old"), b"old value")
    ask.post(ask.of("gray", "raw/0_1_2/64_64_64/0_0_0"), np.random.default_rng(0).bytes(64**3))
    uuid = ask.root
    for number in range(versions):
        uuid = ask.commit_and_go_on(uuid) if number else uuid
        ask.post(ask.of("kv", "key/often", uuid), b"value %d" % number)
    return {
        "key of the first version": lambda: ask.get(ask.of("kv", "key/old", uuid)),
        "key of every version": lambda: ask.get(ask.of("kv", "key/often", uuid)),
        "block of the first version": lambda: ask.get(ask.of("gray", "raw/0_1_2/64_64_64/0_0_0", uuid)),
        "post of a key": lambda: ask.post(ask.of("kv", "key/new", uuid), b"x"),
    }


def neurons(ask: Asking, number: int) -> dict[str, Ask]:
    """Annotations of that many bodies."""
    ask.instance("neuronjson", "nj")
    for first in range(1, number + 1, 1000):
        some = range(first, min(first + 1000, number + 1))
        ask.post(ask.of("nj", "keyvalues?u=bench"), keyvalues((str(n), _neuron(n)) for n in some))
    key, query = ask.of("nj", f"key/{number // 2 or 1}"), json.dumps({"type": "T7", "instance": "n7"}).encode()
    ask.post(ask.of("nj", "query"), query)
    return {
        "key": lambda: ask.get(key),
        "post of a key": lambda: ask.post(key + "?u=bench", _neuron(number // 2 or 1)),
        "query of one": lambda: ask.post(ask.of("nj", "query"), query),
    }


def _neuron(number: int) -> bytes:
    return b'{"bodyid":%d,"type":"T%d","instance":"n%d","status":"traced"}' % (number, number % 977, number)


def synapses(ask: Asking, number: int) -> dict[str, Ask]:
    """That many point annotations, as dense everywhere: 100 in a block of 64^3."""
    ask.instance("annotation", "ann")
    side = max(64, int((number / 100) ** (1 / 3)) * 64)
    rng = np.random.default_rng(number)
    for first in range(0, number, 50_000):
        some = min(50_000, number - first)
        places = rng.integers(0, side, (some, 3))
        places[:, 2] = (side * first + places[:, 2] * some) // number  # a slab: as detectors go through a volume
        ask.post(ask.of("ann", "elements"), json.dumps([_synapse(place) for place in _once(places)]).encode())
    box = ask.of("ann", "elements/64_64_64/0_0_0")
    points = count(1)
    return {
        "elements of a block": lambda: ask.get(box),
        "tag": lambda: ask.get(ask.of("ann", "tag/none")),
        "post of an element": lambda: ask.post(
            ask.of("ann", "elements"), json.dumps([_synapse([next(points), 7, 7])]).encode()
        ),
    }


def _once(places: np.ndarray) -> list[list[int]]:
    return [list(place) for place in dict.fromkeys(map(tuple, places.tolist()))]


def _synapse(place: list[int]) -> dict[str, object]:
    return {"Pos": place, "Kind": "PreSyn", "Tags": [], "Prop": {"conf": "0.9"}}


def smaller(ask: Asking, number: int) -> dict[str, Ask]:
    """Bodies of that many supervoxels, and a large one of 30,000 that each is merged into."""
    return _merges(ask, large=30_000, small=number)


def larger(ask: Asking, number: int) -> dict[str, Ask]:
    """Bodies of ten supervoxels, and one of many that each is merged into."""
    return _merges(ask, large=number, small=10)


def _merges(ask: Asking, *, large: int, small: int, times: int = 14) -> dict[str, Ask]:
    """Supervoxels are cubes of 4^3 voxels; each body has neighbouring ones."""
    ask.instance("labelmap", "seg", BlockSize="64,64,64", MaxDownresLevel="0")
    total = large + times * small
    for slab in range(-(-total // _SLAB)):
        labels = 1 + slab * _SLAB + np.arange(_SLAB, dtype=np.uint64).reshape(16, 64, 64)
        voxels = labels.repeat(4, 0).repeat(4, 1).repeat(4, 2)
        ask.post(ask.of("seg", f"raw/0_1_2/256_256_64/0_0_{64 * slab}"), voxels.tobytes())
    merge = ask.of("seg", "merge")
    starts = [1, *range(1 + large, 1 + total, small)]
    for start, size in zip(starts, [large] + [small] * times, strict=True):
        if size > 1:
            ask.settled(merge, json.dumps([*range(start, start + size)]).encode())
    others = iter(starts[1:])
    return {"merge": lambda: ask.post(merge, json.dumps([1, next(others)]).encode())}


GROWTHS = (
    Growth("side of a volume", (128, 256, 512, 1024), volume),
    Growth("bodies", (1_000, 10_000, 100_000, 1_000_000), bodies),
    Growth("versions", (1, 10, 100, 1_000), depth),
    Growth("neurons", (10, 100, 1_000, 10_000, 100_000), neurons),
    Growth("synapses", (10_000, 100_000, 1_000_000, 10_000_000), synapses),
    Growth("supervoxels of the smaller body", (10, 100, 1_000, 10_000), smaller, {"merge": 1.0}),
    Growth("supervoxels of the larger body", (100, 1_000, 10_000, 100_000), larger),
)


def sizes_up_to(growth: Growth, steps: int) -> tuple[int, ...]:
    """The first sizes of a dimension."""
    return tuple(islice(growth.sizes, steps))
