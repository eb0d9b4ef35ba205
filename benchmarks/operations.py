"""What is measured: operations of a server that speaks DVID's HTTP API, each on data loaded before."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from typing import NamedTuple
from urllib.parse import urlsplit

import numpy as np

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
        self.url = url.rstrip("/")
        address = urlsplit(self.url)
        self._http = HTTPConnection(address.hostname or "", address.port or 80, timeout=120)
        query = f"?admintoken={token}" if token else ""
        self.root = json.loads(self._post(f"/api/repos{query}", b'{"alias": "benchmark"}'))["root"]
        instance = f"/api/repo/{self.root}/instance"
        self._post(instance, b'{"typename": "keyvalue", "dataname": "kv"}')
        self._post(instance, b'{"typename": "uint8blk", "dataname": "gray", "BlockSize": "64,64,64"}')
        self.volume = np.random.default_rng(0).integers(0, 64, (SIDE, SIDE, SIDE), np.uint8).tobytes()

    def load(self) -> None:
        """What the operations read."""
        for start in range(0, KEYS, BATCH):
            self._post(self._kv("keyvalues"), _keyvalues(range(start, start + BATCH)))
        self._post(self._gray(f"raw/0_1_2/{SIDE}_{SIDE}_{SIDE}/0_0_0"), self.volume)

    def operations(self) -> Iterator[Operation]:
        """All of them."""
        keys = json.dumps([_key(number) for number in range(BATCH)]).encode()
        batch = _keyvalues(range(BATCH))
        whole = len(self.volume)
        yield Operation("server info", lambda _: self._get("/api/server/info"))
        yield Operation("repos info", lambda _: self._get("/api/repos/info"))
        yield Operation("keyvalue get", lambda n: self._get(self._kv(f"key/{_key(n % KEYS)}")))
        yield Operation("keyvalue post", lambda n: self._post(self._kv(f"key/new{n}"), VALUE))
        yield Operation("keyvalue keys", lambda _: self._get(self._kv("keys")))
        yield Operation("keyvalue keyrange", lambda _: self._get(self._kv(f"keyrange/{_key(500)}/{_key(600)}")))
        yield Operation("keyvalue keyvalues json", lambda _: self._get(self._kv("keyvalues?json=true"), keys))
        yield Operation("keyvalue post keyvalues", lambda _: self._post(self._kv("keyvalues"), batch))
        yield Operation("uint8blk raw 256^3", lambda _: self._get(self._gray("raw/0_1_2/256_256_256/0_0_0")), whole)
        yield Operation("uint8blk raw 64^3 unaligned", lambda _: self._get(self._gray("raw/0_1_2/64_64_64/30_50_70")))
        yield Operation("uint8blk slice png", lambda n: self._get(self._gray(f"raw/xy/256_256/0_0_{n % SIDE}/png")))
        yield Operation("uint8blk slice jpg", lambda n: self._get(self._gray(f"raw/xy/256_256/0_0_{n % SIDE}/jpg:80")))
        post = self._gray(f"raw/0_1_2/{SIDE}_{SIDE}_{SIDE}/0_0_0?mutate=true")
        yield Operation("uint8blk post raw 256^3", lambda _: self._post(post, self.volume), whole)

    def _kv(self, rest: str) -> str:
        return f"/api/node/{self.root}/kv/{rest}"

    def _gray(self, rest: str) -> str:
        return f"/api/node/{self.root}/gray/{rest}"

    def _get(self, path: str, body: bytes | None = None) -> bytes:
        return self._ask("GET", path, body)

    def _post(self, path: str, body: bytes) -> bytes:
        return self._ask("POST", path, body)

    def _ask(self, method: str, path: str, body: bytes | None) -> bytes:
        """Body of the answer. A refusal ends the program: nothing is measured of it."""
        self._http.request(method, path, body)
        answer = self._http.getresponse()
        said = answer.read()
        if answer.status >= 400:
            raise SystemExit(f"{self.url}: {method} {path}: {answer.status} {said[:200].decode(errors='replace')}")
        return said


def _key(number: int) -> str:
    return f"body{number:06}"


def _keyvalues(numbers: range) -> bytes:
    """A KeyValues message; each length fits two bytes."""
    message = b""
    for number in numbers:
        key = _key(number).encode()
        pair = b"\x0a" + _length(key) + key + b"\x12" + _length(VALUE) + VALUE
        message += b"\x0a" + _length(pair) + pair
    return message


def _length(text: bytes) -> bytes:
    size = len(text)
    return bytes((size & 0x7F | 0x80, size >> 7)) if size > 0x7F else bytes((size,))
