"""Sparse volumes of a labelvol as files, one a cube of 512 voxels a side: subvols-X_Y_Z.dat."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import BinaryIO

from dvidpy.cli.client import Client, CommandError
from dvidpy.cli.targets import Point, each

SIDE = 512
OPEN = 64
"""Files that are open at a time."""
_HEAD = struct.Struct("<QI")
_RUN = struct.Struct("<4i")


class _Files:
    """Files that grow, in a folder that had none of them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._open: dict[Path, BinaryIO] = {}
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CommandError(f"{folder} cannot be made: {error.strerror}") from None
        if found := next(folder.glob("subvols-*"), None):
            raise CommandError(f"{found} is in the way")
        self.names: set[Path] = set()

    def write(self, cube: Point, record: bytes) -> None:
        """Add a record to the file of a cube."""
        path = self._folder / "subvols-{:03}_{:03}_{:03}.dat".format(*cube)
        if path not in self._open:
            if len(self._open) == OPEN:
                self.close()
            self._open[path] = path.open("ab")
            self.names.add(path)
        self._open[path].write(record)

    def close(self) -> None:
        """What was written is in the files."""
        for file in self._open.values():
            file.close()
        self._open.clear()


def dump_subvols(client: Client, path: str, folder: Path) -> int:
    """Write all; the number of files. Those of a dump that breaks off are taken away again."""
    block = tuple(client.json("GET", f"{path}/info")["Extended"]["BlockSize"])
    files = _Files(folder)
    try:
        with client.open("GET", f"{path}/runs") as answer:
            while head := answer.read(_HEAD.size):
                runs = answer.read(_RUN.size * _HEAD.unpack(head)[1])
                place = each(int.__floordiv__, _RUN.unpack_from(runs)[:3], block)
                files.write(
                    each(int.__floordiv__, place, each(lambda side, _: SIDE // side, block, block)), head + runs
                )
    except BaseException:
        files.close()
        for name in files.names:
            name.unlink()
        raise
    files.close()
    return len(files.names)
