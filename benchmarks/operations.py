"""What is measured: operations of a server that speaks DVID's HTTP API, each on data loaded before."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from benchmarks.asking import Asking, keyvalues

KEYS = 2000
"""Values in the keyvalue instance."""
VALUE = b'{"status": "traced", "soma": [10, 20, 30], "note": "' + b"x" * 140 + b'"}'
SIDE = 256
"""Voxels along each side of the volume."""
BATCH = 100


class Operation(NamedTuple):
    """One request, asked again and again; `number` tells how often before."""

    name: str
    ask: Callable[[int], bytes]
    bytes: int = 0
    """Plain bytes that go over the wire, where they are what matters."""


class Target:
    """One server, with a repo of its own for the benchmark."""

    def __init__(self, url: str, token: str = "") -> None:
        self._server = Asking(url, token)
        self._server.instance("keyvalue", "kv")
        self._server.instance("uint8blk", "gray", BlockSize="64,64,64")
        self.volume = np.random.default_rng(0).integers(0, 64, (SIDE, SIDE, SIDE), np.uint8).tobytes()

    def load(self) -> None:
        """What the operations read."""
        for start in range(0, KEYS, BATCH):
            self._server.post(self._kv("keyvalues"), _values(range(start, start + BATCH)))
        self._server.post(self._gray(f"raw/0_1_2/{SIDE}_{SIDE}_{SIDE}/0_0_0"), self.volume)

    def operations(self) -> Iterator[Operation]:
        """All of them."""
        ask = self._server
        keys = json.dumps([_key(number) for number in range(BATCH)]).encode()
        batch = _values(range(BATCH))
        whole = len(self.volume)
        yield Operation("server info", lambda _: ask.get("/api/server/info"))
        yield Operation("repos info", lambda _: ask.get("/api/repos/info"))
        yield Operation("keyvalue get", lambda n: ask.get(self._kv(f"key/{_key(n % KEYS)}")))
        yield Operation("keyvalue post", lambda n: ask.post(self._kv(f"key/new{n}"), VALUE))
        yield Operation("keyvalue keys", lambda _: ask.get(self._kv("keys")))
        yield Operation("keyvalue keyrange", lambda _: ask.get(self._kv(f"keyrange/{_key(500)}/{_key(600)}")))
        yield Operation("keyvalue keyvalues json", lambda _: ask.get(self._kv("keyvalues?json=true"), keys))
        yield Operation("keyvalue post keyvalues", lambda _: ask.post(self._kv("keyvalues"), batch))
        yield Operation("uint8blk raw 256^3", lambda _: ask.get(self._gray("raw/0_1_2/256_256_256/0_0_0")), whole)
        yield Operation("uint8blk raw 64^3 unaligned", lambda _: ask.get(self._gray("raw/0_1_2/64_64_64/30_50_70")))
        yield Operation("uint8blk slice png", lambda n: ask.get(self._gray(f"raw/xy/256_256/0_0_{n % SIDE}/png")))
        yield Operation("uint8blk slice jpg", lambda n: ask.get(self._gray(f"raw/xy/256_256/0_0_{n % SIDE}/jpg:80")))
        post = self._gray(f"raw/0_1_2/{SIDE}_{SIDE}_{SIDE}/0_0_0?mutate=true")
        yield Operation("uint8blk post raw 256^3", lambda _: ask.post(post, self.volume), whole)

    def _kv(self, rest: str) -> str:
        return self._server.of("kv", rest)

    def _gray(self, rest: str) -> str:
        return self._server.of("gray", rest)


def _key(number: int) -> str:
    return f"body{number:06}"


def _values(numbers: range) -> bytes:
    return keyvalues((_key(number), VALUE) for number in numbers)
