"""Makes `images-<N>.tar.gz`, image blocks as this format writes them: `python tests/old_data/make_golden_images.py`.

One instance of each packing, and of each voxel type with a lower one; two versions. The rules of `make_golden` hold.
"""

from __future__ import annotations

import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
from old_data.make_golden import HERE, pack

from dvidpy.config import Settings, default_settings
from dvidpy.datatypes.imageblk.block_streams import pack_span
from dvidpy.datatypes.imageblk.instance import KIND_OF, ImageBlk
from dvidpy.datatypes.registry import load_types
from dvidpy.datatypes.settings import Given
from dvidpy.geometry import Zyx
from dvidpy.versioning.datastore import Datastore
from dvidpy.versioning.metadata import FORMAT
from dvidpy.versioning.records import Instance, Node

PACKINGS = ("none", "snappy", "lz4", "gzip", "gzip:9", "blosc", "zstd", "zstd:19", "jpeg")
BLOCK = (8, 12, 16)
"""Voxels along z, y, x."""
FIRST, SECOND = (-1, 0, 3), (0, 0, 0)
"""Blocks written in the root and in its child."""


def voxels(typename: str, index: Zyx) -> np.ndarray:
    """(z, y, x) voxels of a block, smooth enough for JPEG."""
    z, y, x = np.indices(BLOCK)
    gray = 2 * z + y + x + 40 * index[2] + 60
    if typename == "float32blk":
        gray = gray / 7
    elif typename != "uint8blk":
        gray = gray * 257
    return np.asarray(gray.astype(KIND_OF[typename].dtype))


def instances() -> list[tuple[str, str, dict[str, str]]]:
    """(name, type, settings) of each."""
    all_packings = [(name.replace(":", "-"), "uint8blk", {"Compression": name}) for name in PACKINGS]
    checked = [("checked", "uint8blk", {"Compression": "gzip", "Checksum": "crc32"})]
    return [*all_packings, *checked, *((name, name, {"Pyramid": "1", "Background": "3"}) for name in KIND_OF)]


def make(settings: Settings) -> None:
    """Write them into a new store."""
    with closing(Datastore(settings)) as datastore:
        repo = datastore.repos.create("images")
        for name, typename, given in instances():
            _add(datastore, name, typename, given)
        for index in (FIRST, SECOND):
            node = repo.root if index == FIRST else datastore.repos.new_version(datastore.catalogue.node(1))
            for name, typename, _ in instances():
                data = at(datastore, name, node)
                data.view.commit(pack_span(data, index, 1, voxels(typename, index).tobytes()))
            datastore.repos.commit(node)
        while any(queue.length() for queue in datastore.queues()):
            time.sleep(0.01)


def _add(datastore: Datastore, name: str, typename: str, settings: dict[str, str]) -> None:
    (repo,) = datastore.catalogue.repos.values()
    kind, given = load_types()[typename], Given({"BlockSize": "16,12,8", **settings})
    record: dict[str, Any] = {"repo": repo.record.root, "root_version": 1, "store": "main"}

    def made(number: int, data: str) -> Instance:
        return kind.make_instance(given, name=name, number=number, uuid=data, **record)

    datastore.repos.add_instance(repo, name, made, kind.companions)


def at(datastore: Datastore, name: str, node: Node) -> ImageBlk:
    """An instance at a version."""
    (repo,) = datastore.catalogue.repos.values()
    return ImageBlk(datastore, repo, node, repo.instances[name], None)


def main() -> None:
    load_types()
    with tempfile.TemporaryDirectory() as name:
        make(default_settings(Path(name)))
        packed = pack(Path(name))
    place = HERE / f"images-{FORMAT}.tar.gz"
    place.write_bytes(packed)
    sys.stdout.write(f"{place.name}: {len(packed)} bytes\n")


if __name__ == "__main__":
    main()
