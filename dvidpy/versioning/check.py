"""The stated invariants, walked: what `dvidpy check` and the end of every test run.

1. Every stored key parses, and its instance and version exist.
2. Versions form one acyclic graph per repo, children newer than parents; only locked versions have children.
3. A row holds one cell a version; every manifest has all its parts, of the right size.
4. A value is what its datatype says it is, and so is an instance as a whole (`duties`).
5. Mutation ids strictly increase, and each is in its JSON-lines file once (`repair_logs` rewrites files).
6. What is left of deleted instances, parked work, and orphaned parts (a crash leaves them; `sweep` removes them) are
   counted; they are no fault. An instance is deleted or there, not both.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial

from dvidpy.errors import StoreError
from dvidpy.storage import codecs, keys
from dvidpy.storage.keys import CELL, DATA, LARGE, TOMBSTONE, split_cell
from dvidpy.versioning import dag
from dvidpy.versioning.datastore import Datastore, Stack
from dvidpy.versioning.duties import Kept, Note, duties_of
from dvidpy.versioning.large import Manifest, decode_manifest, orphans, read_parts
from dvidpy.versioning.records import Instance, Repo


@dataclass
class Report:
    """What a check found."""

    faults: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    """Keys by space, orphans, what is left of deleted instances."""
    notes: list[str] = field(default_factory=list)
    """What an operator should know, and is no fault."""

    def summary(self) -> str:
        """One line."""
        counted = ", ".join(f"{count} {name}" for name, count in sorted(self.counts.items()))
        return f"{len(self.faults)} faults; {counted or 'nothing stored'}"


def check_datastore(datastore: Datastore) -> Report:
    """Walk everything. Nothing may be written meanwhile."""
    report = Report()
    for repo in datastore.catalogue.repos.values():
        report.faults += [f"repo {repo.record.root}: {fault}" for fault in _repo_faults(repo)]
    for stack in datastore.stacks.values():
        report.faults += [f"store {stack.name}: {fault}" for fault in _store_faults(datastore, stack, report.counts)]
        report.notes += [f"store {stack.name}: {note}" for note in _notes(stack)]
    numbers = set(datastore.catalogue.instances())
    report.faults += [f"instance {number} is deleted, and there" for number in numbers & set(datastore.repos.deleted)]
    for instance in datastore.catalogue.instances().values():
        for found in duties_of(instance).faults(datastore, instance):
            (report.notes if isinstance(found, Note) else report.faults).append(f"{instance.name}: {found}")
    return report


def _notes(stack: Stack) -> Iterator[str]:
    for _, task in stack.queue.pending():
        if task.failed:
            yield f"background work {task.kind!r} of instance {task.instance} failed: {task.failed}"


def sweep_orphans(datastore: Datastore) -> int:
    """Remove parts that no manifest names; how many there were."""
    removed = 0
    for stack in datastore.stacks.values():
        doomed = list(orphans(stack.store, _manifests(stack)))
        stack.store.batch((), doomed, sync=True)
        stack.store.compact(keys.PARTS, keys.after(keys.PARTS))
        removed += len(doomed)
    return removed


def repair_logs(datastore: Datastore) -> list[str]:
    """Write damaged JSON-lines files of the mutation log anew from the records; which."""
    mended = []
    for stack in datastore.stacks.values():
        spared = {one.data for one in datastore.repos.deleted.values()}
        names = {name for name, _ in stack.log.damaged(spared)}
        if names:
            stack.log.mend(names)
        mended += sorted(names)
    return mended


def _repo_faults(repo: Repo) -> Iterator[str]:
    nodes = repo.nodes
    if any(parent not in nodes for node in nodes.values() for parent in node.parents):
        yield "a parent is missing"
        return
    yield from dag.faults(dag.graph({version: node.parents for version, node in nodes.items()}))
    for node in nodes.values():
        if not all(nodes[parent].locked for parent in node.parents):
            yield f"version {node.uuid} has an open parent"


def _store_faults(datastore: Datastore, stack: Stack, counts: Counter[str]) -> Iterator[str]:
    if damage := list(dict.fromkeys(stack.store.damaged())):
        yield from damage
        return  # what follows reads all of it
    for key in stack.store.scan_keys(b"", b"\xff" * 8):
        try:
            counts[keys.parse(key)] += 1
        except ValueError as error:
            yield str(error)
    yield from _data_faults(datastore, stack, counts)
    yield from _log_faults(datastore, stack)
    counts["orphaned parts"] += sum(
        1
        for key in orphans(stack.store, _manifests(stack))
        if int.from_bytes(key[1:5], "big") not in datastore.repos.deleted
    )


def _data_faults(datastore: Datastore, stack: Stack, counts: Counter[str]) -> Iterator[str]:
    instances = datastore.catalogue.instances()
    deleted = datastore.repos.deleted
    last = (b"", -1)
    for key, stored in stack.store.scan(DATA, keys.after(DATA)):
        number, (version, kind) = int.from_bytes(key[1:5], "big"), split_cell(key)
        if number in deleted and deleted[number].store == stack.name:
            counts["data of deleted instances"] += 1
            continue
        instance = instances.get(number)
        if instance is None or instance.store != stack.name:
            yield f"key {key.hex()} belongs to no instance"
        elif not datastore.catalogue.knows_version(version):
            yield f"key {key.hex()} belongs to no version"
        if last == (key[:-CELL], version):
            yield f"row {key[:-CELL].hex()} has two cells in version {version}"
        last = (key[:-CELL], version)
        yield from _value_faults(stack, key, kind, stored, instance)


def _read(stack: Stack, number: int, manifest: Manifest) -> bytes:
    return b"".join(read_parts(stack.store, number, manifest, 0, manifest.size))


def _value_faults(stack: Stack, key: bytes, kind: int, stored: bytes, instance: Instance | None) -> Iterator[str]:
    try:
        if kind == TOMBSTONE:
            if stored:
                yield f"the deletion {key.hex()} has a value"
            return
        read: Callable[[], bytes]
        if kind == LARGE:
            manifest = decode_manifest(stored)
            missing = list(_part_faults(stack, key, manifest))
            yield from missing
            if missing:
                return
            read = partial(_read, stack, int.from_bytes(key[1:5], "big"), manifest)
        else:
            plain = codecs.decode(stored)
            read = lambda: plain  # noqa: E731  # looked at already, as every value is
        if instance is not None:
            kept = Kept(instance, split_cell(key)[0], key[keys.HEAD : -CELL], read)
            yield from (f"value of {key.hex()}: {fault}" for fault in duties_of(instance).judge(kept))
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


def _log_faults(datastore: Datastore, stack: Stack) -> Iterator[str]:
    last = 0
    for mutation in stack.log.records():
        if mutation.id <= last:
            yield f"mutation {mutation.id} comes after {last}"
        last = mutation.id
    spared = {one.data for one in datastore.repos.deleted.values()}
    for name, number in stack.log.damaged(spared):
        yield f"mutation {number} is not once in the log {name}" if number else f"the log {name} has a torn end"


def _manifests(stack: Stack) -> Iterator[bytes]:
    """(instance:u32 + upload) of every manifest."""
    for key in stack.store.scan_keys(DATA, keys.after(DATA)):
        if key[-1] == LARGE:
            yield key[1:5] + decode_manifest(stack.store.get(key) or b"").upload
