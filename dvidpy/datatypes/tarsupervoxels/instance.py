"""The files of an instance: one a supervoxel, the same in all versions; and those of a body, as a tar file."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import Any, ClassVar

import numpy as np

from dvidpy.datatypes import tars
from dvidpy.datatypes.base import Data
from dvidpy.datatypes.bodies import find_bodies
from dvidpy.datatypes.labels.numbers import parse_label
from dvidpy.datatypes.settings import Given
from dvidpy.datatypes.tarsupervoxels.keys import PAST, file_key
from dvidpy.errors import BadRequest, NotFound
from dvidpy.versioning.found import Found
from dvidpy.versioning.records import Instance

MODE = 0o755
"""Of members of a tar file, as the reference gives them."""
LONGEST_EXTENSION = 200
NEAR = 8
"""Files that are passed over on the way to one that is asked for; a longer way is jumped."""
EMPTY = 64
"""Stored bytes that may be those of an empty file, however it is packed."""
_NAME = re.compile(r"([0-9]{1,40})\.(\S+)\Z", re.ASCII)


class TarSupervoxels(Data):
    """Files by supervoxel."""

    __slots__ = ()

    @property
    def version(self) -> int:
        """The root's: all versions share the files."""
        return self.instance.root_version

    @property
    def version_uuid(self) -> str:
        """Uuid of the root."""
        return self.repo.record.root

    @property
    def is_settled(self) -> bool:
        """Never: files come and go whatever is committed."""
        return False

    @property
    def extension(self) -> str:
        """What names of files end with, without the dot."""
        return str(self.instance.settings["Extension"])

    def key(self, supervoxel: int) -> bytes:
        """Type key of a supervoxel's file."""
        return file_key(supervoxel, self.extension)

    def need(self, supervoxel: int) -> Found:
        """A supervoxel's file; NotFound where there is none, or an empty one (the reference's way)."""
        key = self.key(supervoxel)
        found = self.view.find(key)
        if found is not None and found.manifest is not None:
            found = self.view.frozen().find(key)  # its parts must stay while they are sent
        if found is None or (len(found.stored) <= EMPTY and not found.plain_size()):
            raise NotFound(f"Supervoxel {supervoxel} not found")
        return found

    def existing(self, supervoxels: Collection[int]) -> list[bool]:
        """Which supervoxels have a file, in the order asked; an empty file counts. No file is read."""
        asked = [self.key(supervoxel) for supervoxel in supervoxels]
        view = self.view.frozen()
        found: set[bytes] = set()
        files, at = iter(asked), b""
        for key in sorted(set(asked)):
            for _ in range(NEAR if at else 0):
                if at >= key:
                    break
                at = next(files, PAST)
            if at < key:  # far ahead, or the first: go there at once
                files = view.keys(key, PAST)
                at = next(files, PAST)
            if at == key:
                found.add(key)
        return [key in found for key in asked]

    # ------------------------------------------------------------------ as files (`views.companions`)
    by_supervoxel: ClassVar[bool] = True

    def has_file(self, name: str) -> bool:
        """Whether a supervoxel has a file of that name."""
        return _is_name(name, self.extension) and self.view.exists(self.key(parse_name(name, self.extension)))

    def file(self, name: str) -> bytes | None:
        """The file of a supervoxel; None where there is none, or an empty one."""
        if not _is_name(name, self.extension):
            return None
        return self.view.get(self.key(parse_name(name, self.extension))) or None

    def set_extension(self, given: Given) -> None:
        """Change the extension, where one is given."""
        extension = given.text("extension")
        if extension is None:
            return
        demand_extension(extension)

        def update(instance: Instance) -> dict[str, Any]:
            return {"settings": {**instance.settings, "Extension": extension}}

        self.datastore.repos.update_instance(self.instance, update)

    def extended(self) -> dict[str, Any]:
        """The extension, in the reference's words."""
        return {"Extension": self.extension}

    # ------------------------------------------------------------------ bodies
    def supervoxels_of(self, label: int) -> list[int]:
        """Supervoxels of a body at the version asked for, ascending; BadRequest where there is no such body."""
        found: list[int] = np.unique(find_bodies(self).supervoxels_of(label)).tolist()
        if not found:
            raise BadRequest(f"label {label} has no supervoxels")
        return found

    def missing(self, label: int) -> list[int]:
        """Supervoxels of a body that have no file, ascending."""
        supervoxels = self.supervoxels_of(label)
        existing = self.existing(supervoxels)
        return [supervoxel for supervoxel, there in zip(supervoxels, existing, strict=True) if not there]

    def tar(self, label: int) -> Iterator[bytes]:
        """A tar file of a body's files. A supervoxel without one, or with an empty one, is an empty N.missing."""
        return self._tar(self.supervoxels_of(label))

    def _tar(self, supervoxels: list[int]) -> Iterator[bytes]:
        frozen = self.view.frozen()
        for supervoxel in supervoxels:
            found = frozen.find(self.key(supervoxel))
            size = 0 if found is None else found.plain_size()
            yield tars.head(f"{supervoxel}.{self.extension if size else 'missing'}", size, MODE)
            if found is not None:
                yield from found.pieces(0, size)
            yield tars.padding(size)
        yield tars.END


# ---------------------------------------------------------------------- names and settings
def parse_name(name: str, extension: str) -> int:
    """The supervoxel of a file's name, such as 18491823.dat; BadRequest for a name of another form."""
    found = _NAME.match(name)
    if found is None or found[2] != extension:
        raise BadRequest(f"the file {name[:80]!a} is not named after a supervoxel, such as 18491823.{extension}")
    return parse_label(found[1])


def _is_name(name: str, extension: str) -> bool:
    try:
        parse_name(name, extension)
    except BadRequest:
        return False
    return True


def settings_of(given: Given) -> dict[str, Any]:
    """What an instance keeps; BadRequest where no extension is given."""
    return {"Extension": demand_extension(given.need("extension"))}


def demand_extension(text: str) -> str:
    """The extension; BadRequest where no name of a file can end with it."""
    if not re.fullmatch(r"[^\s/\0]+", text) or len(text) > LONGEST_EXTENSION or not text.isprintable():
        raise BadRequest(f"Extension {text[:40]!r}: an extension is a word, such as drc")
    return text
