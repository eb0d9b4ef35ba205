"""What a client did to a server, and what must therefore be there after the server was killed."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import orjson
import requests

from dvidpy.datatypes.keyvalues.messages import encode_keyvalues

LARGE = 3 << 20
CUBE = 64
"""Voxels on a side of what is posted to the image: eight blocks, all of them or none."""
CUBES = 4
"""Places along x."""
Values = dict[str, bytes | None]
TIMEOUT_S = 60


@dataclass
class Version:
    """One version as the client knows it."""

    uuid: str
    values: Values = field(default_factory=dict)
    """Acknowledged, the parents' included; None for a deleted key."""
    cubes: dict[int, int] = field(default_factory=dict)
    """Place along x -> gray value of all its voxels."""
    logged: list[str] = field(default_factory=list)
    """Keys of the acknowledged edits of this version, in order."""
    locked: bool = False


@dataclass
class Doubt:
    """The one edit that was under way when the server was killed: it is wholly there or not at all."""

    version: Version
    values: Values = field(default_factory=dict)
    """What it writes."""
    cube: tuple[int, int] | None = None
    """Place and gray value."""
    growth: bool = False
    """It makes a repo or a version, or commits one."""


class History:
    """A client that writes one thing after another, and remembers."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.session = requests.Session()
        self.url = ""
        self.versions: list[Version] = []
        self.open: list[Version] = []
        self.doubt: Doubt | None = None
        self.acknowledged = 0
        self._names = count()

    # ------------------------------------------------------------------ writing
    def write(self) -> None:
        """Go on until the server is gone."""
        try:
            while True:
                self._step()
                self.doubt = None
                self.acknowledged += 1
        except requests.RequestException:
            self.session.close()

    def _step(self) -> None:
        if not self.open:
            self._new_repo()
            return
        version = self.chance.choice(self.open)
        steps = (self._put, self._put_large, self._delete, self._batch, self._put_cube, self._grow, self._new_repo)
        step = self.chance.choices(steps, (40, 6, 10, 12, 12, 3, 1))[0]
        step() if step == self._new_repo else step(version)  # type: ignore[call-arg]

    def _put(self, version: Version) -> None:
        self._post_key(version, self.chance.randbytes(self.chance.randrange(1, 2000)))

    def _put_large(self, version: Version) -> None:
        self._post_key(version, self.chance.randbytes(LARGE // 64) * 64 + b"end")

    def _post_key(self, version: Version, value: bytes) -> None:
        name = self._name()
        self.doubt = Doubt(version, {name: value})
        self._ask("POST", f"node/{version.uuid}/notes/key/{name}", value)
        self._keep(version, {name: value})

    def _delete(self, version: Version) -> None:
        name = self._name()
        self.doubt = Doubt(version, {name: None})
        self._ask("DELETE", f"node/{version.uuid}/notes/key/{name}")
        self._keep(version, {name: None})

    def _batch(self, version: Version) -> None:
        value = b"batch-%d" % next(self._names)
        names = sorted({self._name() for _ in range(self.chance.randrange(2, 30))})
        values: Values = dict.fromkeys(names, value)
        if self.chance.random() < 0.2:
            values[names[0]] = value * (LARGE // len(value))
        self.doubt = Doubt(version, values)
        self._ask("POST", f"node/{version.uuid}/notes/keyvalues", encode_keyvalues(list(values.items())))  # type: ignore[arg-type]
        self._keep(version, values)

    def _put_cube(self, version: Version) -> None:
        place, gray = self.chance.randrange(CUBES), self.chance.randrange(1, 256)
        self.doubt = Doubt(version, cube=(place, gray))
        self._ask("POST", _cube_path(version, place), bytes([gray]) * CUBE**3)
        version.cubes[place] = gray

    def _grow(self, version: Version) -> None:
        """Commit, and go on in one or two children."""
        self.doubt = Doubt(version, growth=True)
        if not version.locked:
            self._ask("POST", f"node/{version.uuid}/commit", b'{"note": "crash test"}')
            version.locked = True
        self.open.remove(version)
        for route, body in (("newversion", {}), ("branch", {"branch": f"branch-{next(self._names)}"})):
            child = self._ask("POST", f"node/{version.uuid}/{route}", orjson.dumps(body))
            self._enter(Version(child["child"], dict(version.values), dict(version.cubes)))

    def _new_repo(self) -> None:
        self.doubt = Doubt(Version(""), growth=True)
        root = self._ask("POST", "repos", b"{}")["root"]
        self._ask("POST", f"repo/{root}/instance", b'{"typename": "keyvalue", "dataname": "notes"}')
        self._ask("POST", f"repo/{root}/instance", b'{"typename": "uint8blk", "dataname": "grays"}')
        self._enter(Version(root))

    def _enter(self, version: Version) -> None:
        self.versions.append(version)
        self.open = [*self.open, version][-4:]

    def _name(self) -> str:
        return f"key-{self.chance.randrange(25):02d}"

    def _keep(self, version: Version, values: Values) -> None:
        version.values.update(values)
        version.logged += values

    def _ask(self, method: str, path: str, body: bytes | None = None) -> Any:
        answer = self.session.request(method, f"{self.url}/api/{path}", data=body, timeout=TIMEOUT_S)
        assert answer.status_code == 200, answer.text
        return orjson.loads(answer.content) if answer.content else None

    # ------------------------------------------------------------------ proving
    def prove(self) -> None:
        """Everything acknowledged is there, the edit in doubt wholly or not at all; then it is settled."""
        self.session = requests.Session()
        doubt, self.doubt = self.doubt, None
        if doubt is not None and doubt.cube is not None:
            self._settle_cube(doubt.version, *doubt.cube)
        elif doubt is not None and not doubt.growth:
            self._settle(doubt)
        elif doubt is not None and doubt.version.uuid:
            self._settle_growth(doubt.version)
        for version in self.versions[-3:]:
            self.prove_version(version)

    def prove_all(self) -> None:
        for version in self.versions:
            self.prove_version(version)

    def _settle(self, doubt: Doubt) -> None:
        now = {name: self._value(doubt.version, name) for name in doubt.values}
        before = {name: doubt.version.values.get(name) for name in doubt.values}
        done = len(self._log(doubt.version)) > len(doubt.version.logged)
        assert now == (doubt.values if done else before)
        if done:
            self._keep(doubt.version, doubt.values)

    def _settle_cube(self, version: Version, place: int, gray: int) -> None:
        if self._grays(version, place) == {gray}:
            version.cubes[place] = gray

    def _settle_growth(self, version: Version) -> None:
        """A commit that was not answered may have happened; children it may have got are left alone."""
        locked = self._ask("GET", f"node/{version.uuid}/status")["Locked"]
        assert locked or not version.locked
        version.locked = locked
        if locked and version in self.open:
            self.open.remove(version)

    def prove_version(self, version: Version) -> None:
        expected = {name: value for name, value in version.values.items() if value is not None}
        keys = self._ask("GET", f"node/{version.uuid}/notes/keys")
        assert keys == sorted(expected)
        assert {name: self._value(version, name) for name in keys} == expected
        assert self._log(version) == version.logged
        assert self._ask("GET", f"node/{version.uuid}/status")["Locked"] == version.locked
        for place in range(CUBES):
            assert self._grays(version, place) == {version.cubes.get(place, 0)}

    def _grays(self, version: Version, place: int) -> set[int]:
        """Gray values of a cube: one, if it was posted wholly or not at all."""
        answer = self.session.get(f"{self.url}/api/{_cube_path(version, place)}", timeout=TIMEOUT_S)
        assert len(answer.content) == CUBE**3
        return set(answer.content)

    def _value(self, version: Version, name: str) -> bytes | None:
        answer = self.session.get(f"{self.url}/api/node/{version.uuid}/notes/key/{name}", timeout=TIMEOUT_S)
        return answer.content if answer.status_code == 200 else None

    def _log(self, version: Version) -> list[str]:
        """Keys of the edits in the log of a version."""
        return [said["Key"] for said in self._ask("GET", f"node/{version.uuid}/notes/mutations")]


def _cube_path(version: Version, place: int) -> str:
    return f"node/{version.uuid}/grays/raw/0_1_2/{CUBE}_{CUBE}_{CUBE}/{place * CUBE}_0_0"
