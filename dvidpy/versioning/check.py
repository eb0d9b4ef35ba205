"""The stated invariants, walked: what `dvidpy check` and the end of every test run.

1. Every stored key parses, and its instance and version exist.
2. Versions form one acyclic graph per repo, children newer than parents; only locked versions have children.
3. A row holds one cell a version; every manifest has all its parts, of the right size.
4. Mutation ids strictly increase, and each is in its JSON-lines file once.
5. Orphaned parts are counted (a crash leaves them; `sweep` removes them); they are no fault.
6. What a datatype says of its own values, where it is asked (`Judge`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

from dvidpy.errors import StoreError
from dvidpy.storage import codecs, keys
from dvidpy.storage.keys import CELL, DATA, LARGE, TOMBSTONE, split_cell
from dvidpy.versioning import dag
from dvidpy.versioning.datastore import Datastore, Stack
from dvidpy.versioning.large import Manifest, decode_manifest, orphans, read_parts
from dvidpy.versioning.records import Instance, Repo


class Kept(NamedTuple):
    """A stored value."""

    instance: Instance
    version: int
    typekey: bytes
    read: Callable[[], bytes]


Judge = Callable[[Kept], Iterable[str]]
"""What is wrong with a stored value, as its datatype sees it."""


def _no_judge(kept: Kept) -> Iterable[str]:
    return ()


@dataclass
class Report:
    """What a check found."""

    faults: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    """Keys by space, and orphans."""

    def summary(self) -> str:
        """One line."""
        counted = ", ".join(f"{count} {name}" for name, count in sorted(self.counts.items()))
        return f"{len(self.faults)} faults; {counted or 'nothing stored'}"


def check_datastore(datastore: Datastore, judge: Judge = _no_judge) -> Report:
    """Walk everything. Nothing may be written meanwhile."""
    report = Report()
    for repo in datastore.catalogue.repos.values():
        report.faults += [f"repo {repo.record.root}: {fault}" for fault in _repo_faults(repo)]
    for stack in datastore.stacks.values():
        report.faults += [
            f"store {stack.name}: {fault}" for fault in _store_faults(datastore, stack, report.counts, judge)
        ]
    return report


def sweep_orphans(datastore: Datastore) -> int:
    """Remove parts that no manifest names; how many there were."""
    removed = 0
    for stack in datastore.stacks.values():
        doomed = list(orphans(stack.store, _manifests(stack)))
        stack.store.batch((), doomed, sync=True)
        stack.store.compact(keys.PARTS, keys.after(keys.PARTS))
        removed += len(doomed)
    return removed


def _repo_faults(repo: Repo) -> Iterator[str]:
    nodes = repo.nodes
    if any(parent not in nodes for node in nodes.values() for parent in node.parents):
        yield "a parent is missing"
        return
    yield from dag.faults(dag.graph({version: node.parents for version, node in nodes.items()}))
    for node in nodes.values():
        if not all(nodes[parent].locked for parent in node.parents):
            yield f"version {node.uuid} has an open parent"


def _store_faults(datastore: Datastore, stack: Stack, counts: Counter[str], judge: Judge) -> Iterator[str]:
    for key in stack.store.scan_keys(b"", b"\xff" * 8):
        try:
            counts[keys.parse(key)] += 1
        except ValueError as error:
            yield str(error)
    yield from _data_faults(datastore, stack, judge)
    yield from _log_faults(stack)
    counts["orphaned parts"] = sum(1 for _ in orphans(stack.store, _manifests(stack)))


def _data_faults(datastore: Datastore, stack: Stack, judge: Judge) -> Iterator[str]:
    instances = datastore.catalogue.instances()
    last = (b"", -1)
    for key, stored in stack.store.scan(DATA, keys.after(DATA)):
        number, (version, kind) = int.from_bytes(key[1:5], "big"), split_cell(key)
        instance = instances.get(number)
        if instance is None or instance.store != stack.name:
            yield f"key {key.hex()} belongs to no instance"
        elif not datastore.catalogue.knows_version(version):
            yield f"key {key.hex()} belongs to no version"
        if last == (key[:-CELL], version):
            yield f"row {key[:-CELL].hex()} has two cells in version {version}"
        last = (key[:-CELL], version)
        unreadable = list(_value_faults(stack, key, kind, stored))
        yield from unreadable
        if instance is not None and kind != TOMBSTONE and not unreadable:
            kept = Kept(instance, version, key[5:-CELL], partial(_read, stack, number, kind, stored))
            yield from (f"value of {key.hex()}: {fault}" for fault in judge(kept))


def _read(stack: Stack, number: int, kind: int, stored: bytes) -> bytes:
    if kind != LARGE:
        return codecs.decode(stored)
    manifest = decode_manifest(stored)
    return b"".join(read_parts(stack.store, number, manifest, 0, manifest.size))


def _value_faults(stack: Stack, key: bytes, kind: int, stored: bytes) -> Iterator[str]:
    try:
        if kind == TOMBSTONE:
            if stored:
                yield f"the deletion {key.hex()} has a value"
        elif kind == LARGE:
            yield from _part_faults(stack, key, decode_manifest(stored))
        else:
            codecs.decode(stored)
    except StoreError as error:
        yield f"value of {key.hex()}: {error}"


def _part_faults(stack: Stack, key: bytes, manifest: Manifest) -> Iterator[str]:
    size = 0
    for part in manifest.keys(int.from_bytes(key[1:5], "big")):
        stored = stack.store.get(part)
        if stored is None:
            yield f"part {part.hex()} of {key.hex()} is missing"
            return
        size += len(codecs.decode(stored))
    if size != manifest.size:
        yield f"the parts of {key.hex()} have {size} bytes, not {manifest.size}"


def _log_faults(stack: Stack) -> Iterator[str]:
    expected: Counter[tuple[str, int]] = Counter()
    last = 0
    for mutation in stack.log.records():
        if mutation.id <= last:
            yield f"mutation {mutation.id} comes after {last}"
        last = mutation.id
        expected[(mutation.file(), mutation.id)] += len(mutation.messages)
    found = Counter((name, line.id) for name in stack.log.lines.names() for line in stack.log.lines.read(name))
    for name, number in (expected - found) + (found - expected):
        yield f"mutation {number} is not once in the log {name}"


def _manifests(stack: Stack) -> Iterator[bytes]:
    """(instance:u32 + upload) of every manifest."""
    for key, stored in stack.store.scan(DATA, keys.after(DATA)):
        if key[-1] == LARGE:
            yield key[1:5] + decode_manifest(stored).upload
