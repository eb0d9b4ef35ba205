"""Records <-> bytes, and the format number of a store.

| META key | value (JSON) |
|---|---|
| 00 00 | `{"format": 2, "store": uuid}` |
| 00 01 | counters: next repo, version and instance number |
| 00 02 | mutation ids below this number may be in use |
| 00 03 | mutations up to this number stand, synced, in the JSON-lines files |
| 00 04 | folders of the JSON-lines files |
| 00 05 | uuid of the main store this store belongs to |
| 00 06 name | in the main store: uuid of the store of that name |
| 00 10 repo:u32 | RepoRecord |
| 00 11 repo:u32 version:u32 | Node |
| 00 12 repo:u32 instance:u32 | Instance |
| 00 13 instance:u32 | Deleted |
"""

from __future__ import annotations

import struct
import uuid
from typing import Any

import msgspec
from msgspec import Struct

from dvidpy.errors import StoreError
from dvidpy.storage.keys import META, after
from dvidpy.storage.kv import KeyValueStore
from dvidpy.versioning.records import Deleted, Instance, Node, Repo, RepoRecord

FORMAT = 2
"""Raised when stored bytes change their meaning; a program refuses stores of a format it does not know."""
OLDER = (1,)
"""Formats that are read too, and become the newest as they are opened. 1: no long values stand beside LevelDB."""
FORMAT_KEY, COUNTERS_KEY, MUTATION_MARK, LOG_MARK, LOG_PLACES, HOME, _KNOWN = (
    META + bytes([kind]) for kind in range(7)
)
_REPO, _NODE, _INSTANCE, _DELETED = META + b"\x10", META + b"\x11", META + b"\x12", META + b"\x13"
_ONE, _TWO = struct.Struct(">I"), struct.Struct(">II")

encode = msgspec.json.encode


class Counters(Struct, frozen=True):
    """Numbers handed out next."""

    repo: int = 1
    version: int = 1
    instance: int = 1


def repo_key(repo: int) -> bytes:
    """Key of a RepoRecord."""
    return _REPO + _ONE.pack(repo)


def node_key(repo: int, version: int) -> bytes:
    """Key of a Node."""
    return _NODE + _TWO.pack(repo, version)


def instance_key(repo: int, instance: int) -> bytes:
    """Key of an Instance."""
    return _INSTANCE + _TWO.pack(repo, instance)


def deleted_key(instance: int) -> bytes:
    """Key of a Deleted."""
    return _DELETED + _ONE.pack(instance)


def known_key(name: str) -> bytes:
    """Key of the uuid of the store of a name."""
    return _KNOWN + name.encode()


def read_text(store: KeyValueStore, key: bytes) -> str:
    """A stored text, empty where there is none."""
    return (store.get(key) or b"").decode()


def store_uuid(store: KeyValueStore) -> str:
    """Identity of a prepared store."""
    record: dict[str, Any] = msgspec.json.decode(store.get(FORMAT_KEY) or b"{}")
    return str(record.get("store", ""))


def read_number(store: KeyValueStore, key: bytes) -> int:
    """A stored number, 0 where there is none."""
    value = store.get(key)
    return int(value) if value else 0


def write_number(value: int) -> bytes:
    """What `read_number` reads."""
    return b"%d" % value


def prepare(store: KeyValueStore) -> None:
    """Mark an empty store as ours; StoreError for a foreign store or a format of another time."""
    found = store.get(FORMAT_KEY)
    if found is None:
        if next(iter(store.scan_keys(b"", b"\xff" * 8, 1)), None) is not None:
            raise StoreError(f"{store.description} holds data of another program")
        store.batch([(FORMAT_KEY, encode({"format": FORMAT, "store": uuid.uuid4().hex}))], sync=True)
        return
    try:
        record = msgspec.json.decode(found, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise StoreError(f"{store.description} holds data of another program") from None
    number = record.get("format")
    if type(number) is int and number in OLDER:
        store.batch([(FORMAT_KEY, encode(record | {"format": FORMAT}))], sync=True)
    elif number != FORMAT:
        raise StoreError(f"{store.description} has format {number}, this program knows format {FORMAT}")


def load(store: KeyValueStore) -> tuple[Counters, list[Repo]]:
    """All records of a store."""
    found = store.get(COUNTERS_KEY)
    counters = msgspec.json.decode(found, type=Counters) if found else Counters()
    repos = {}
    for key, value in store.scan(_REPO, after(_REPO)):
        repos[key[2:]] = Repo(msgspec.json.decode(value, type=RepoRecord), {}, {})
    for key, value in store.scan(_NODE, after(_NODE)):
        node = msgspec.json.decode(value, type=Node)
        repos[key[2:6]].nodes[node.version] = node
    for key, value in store.scan(_INSTANCE, after(_INSTANCE)):
        instance = msgspec.json.decode(value, type=Instance)
        repos[key[2:6]].instances[instance.name] = instance
    return counters, list(repos.values())


def load_deleted(store: KeyValueStore) -> dict[int, Deleted]:
    """Instances of which something may still be stored, by number."""
    found = (msgspec.json.decode(value, type=Deleted) for _, value in store.scan(_DELETED, after(_DELETED)))
    return {deleted.number: deleted for deleted in found}
