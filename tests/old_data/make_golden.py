"""Makes `format-<N>.tar.gz`, a store as this format writes it: `python tests/old_data/make_golden.py`.

Run it when `metadata.FORMAT` is raised, and keep the old files: a program reads every format it ever wrote, or says
that it does not. What the store holds is said here once more, as plain values, for the test. Two runs give the same
values at other times and uuids; the archive itself has no times, owners or order of its own.
"""

from __future__ import annotations

import gzip
import io
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

from msgspec import Raw

from dvidpy.config import Settings, default_settings
from dvidpy.storage.codecs import parse_codec
from dvidpy.storage.keys import escape
from dvidpy.versioning.datastore import Datastore
from dvidpy.versioning.metadata import FORMAT
from dvidpy.versioning.mutations import Mutation
from dvidpy.versioning.records import Instance, Node, Repo

HERE = Path(__file__).parent
ALIAS = "golden"
PACKINGS = ("none", "snappy", "lz4", "gzip", "blosc")
LARGE = b"large " * 400_000
"""Three parts, which pack to little."""
VALUES: dict[str, dict[str, bytes]] = {
    "root": {"a": b"root", "empty": b"", "odd \x00\U0001f9e0": bytes(range(256)), "gone": b"root", "big": LARGE},
    "main": {"a": b"main", "empty": b"", "odd \x00\U0001f9e0": bytes(range(256)), "big": b"small now"},
    "side": {"a": b"root", "empty": b"", "odd \x00\U0001f9e0": b"side", "gone": b"root", "big": LARGE, "new": LARGE},
    "merged": {"a": b"main", "empty": b"", "odd \x00\U0001f9e0": b"side", "big": b"small now", "new": LARGE},
    "child": {"a": b"child", "empty": b"", "odd \x00\U0001f9e0": b"side", "big": b"small now"},
}
"""Note of a version -> what it sees, in each of the instances."""
EDITS: dict[str, dict[str, bytes | None]] = {
    "root": dict(VALUES["root"]),
    "main": {"a": b"main", "gone": None, "big": b"small now"},
    "side": {"odd \x00\U0001f9e0": b"side", "new": LARGE},
    "child": {"a": b"child", "new": None},
}
BLOB = b"a blob of its own"


class Maker:
    """Writes the values into a new store."""

    def __init__(self, settings: Settings) -> None:
        self.datastore = Datastore(settings)
        self.repo = self.datastore.repos.create(ALIAS, "every kind of value at every kind of version")
        self.instances = [self._instance(packing) for packing in PACKINGS]

    def _instance(self, packing: str) -> Instance:
        codec = parse_codec(packing, "crc32" if packing == "gzip" else "none", itemsize=4)
        record: dict[str, Any] = {"type": "keyvalue", "repo": self.repo.record.root, "root_version": 1, "store": "main"}
        return self.datastore.repos.add_instance(
            self.repo,
            packing,
            lambda number, data: Instance(
                name=packing, number=number, uuid=data, codec=codec, tags={"a": "b"}, **record
            ),
        )

    def make(self) -> None:
        repos = self.datastore.repos
        root = self._edited(self.repo.root, "root")
        main = self._edited(repos.new_version(root), "main")
        side = self._edited(repos.branch(root, "side"), "side")
        repos.tag(side, "release-1")
        merged = self._edited(repos.merge([main, side]), "merged")
        self._edited(repos.new_version(merged), "child", lock=False)
        repos.add_repo_log(self._repo(), ["a line"])
        self.datastore.blobs().put(BLOB)
        self.datastore.close()

    def _repo(self) -> Repo:
        return self.datastore.catalogue.repos[self.repo.record.root]

    def _edited(self, node: Node, note: str, *, lock: bool = True) -> Node:
        for instance in self.instances:
            self._edit(instance, node, EDITS.get(note, {}))
        self.datastore.repos.set_note(node, note)
        if lock:
            self.datastore.repos.commit(node, log=[f"log of {note}"])
        return self.datastore.catalogue.node(node.version)

    def _edit(self, instance: Instance, node: Node, values: dict[str, bytes | None]) -> None:
        view = self.datastore.values(instance).at(node.version)
        for name, value in values.items():
            change = view.change()
            change.mutation = Mutation(
                instance.number, node.version, instance.uuid, node.uuid, [Raw(b'{"Action":"golden"}')]
            )
            if value is None:
                view.delete(change, typekey(name))
            else:
                view.put(change, typekey(name), value)
            view.commit(change)


def typekey(name: str) -> bytes:
    return b"\x01" + escape(name.encode())


def pack(folder: Path) -> bytes:
    """The files of a folder as tar.gz, the same for the same files."""
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for file in sorted(path for path in folder.rglob("*") if path.is_file() and path.name not in ("LOCK", "LOG")):
            member = tarfile.TarInfo(str(file.relative_to(folder)))
            member.size = file.stat().st_size
            with file.open("rb") as content:
                archive.addfile(member, content)
    return gzip.compress(tar.getvalue(), 9, mtime=0)


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        Maker(default_settings(Path(name))).make()
        packed = pack(Path(name))
    place = HERE / f"format-{FORMAT}.tar.gz"
    place.write_bytes(packed)
    sys.stdout.write(f"{place.name}: {len(packed)} bytes\n")


if __name__ == "__main__":
    main()
