"""Instances that belong to a segmentation, found as clients find them: by name, or by a tag of the segmentation.

NAME_meshes, NAME_skeletons and NAME_annotations; a tag {"meshes": "other"} names another one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol, runtime_checkable

from dvidpy.datatypes.base import Data, type_named
from dvidpy.errors import NotFound

MESHES, SKELETONS, ANNOTATIONS = "meshes", "skeletons", "annotations"


@runtime_checkable
class Files(Protocol):
    """A data instance that keeps files by name."""

    @property
    def by_supervoxel(self) -> bool:
        """Its files are those of supervoxels; else of bodies."""
        ...

    def has_file(self, name: str) -> bool:
        """Whether there is such a file; none is read."""
        ...

    def file(self, name: str) -> bytes | None:
        """A file; None where there is none, or an empty one."""
        ...


@runtime_checkable
class Notes(Protocol):
    """A data instance that has JSON fields of bodies."""

    def notes(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """(body, its fields) of all, by number, without who wrote them and when."""
        ...


def find_files(data: Data, kind: str) -> Files | None:
    """The companion of a kind that keeps files, at the same version; None where there is none."""
    found = _find(data, kind)
    return found if isinstance(found, Files) else None


def find_notes(data: Data) -> Notes | None:
    """The companion that has fields of bodies, at the same version; None where there is none."""
    found = _find(data, ANNOTATIONS)
    return found if isinstance(found, Notes) else None


def need_files(data: Data, kind: str) -> Files:
    """The companion of a kind that keeps files; NotFound where there is none."""
    found = find_files(data, kind)
    if found is None:
        raise NotFound(f"{data.instance.name!r} has no {kind}")
    return found


def _find(data: Data, kind: str) -> Data | None:
    name = (data.instance.tags or {}).get(kind) or f"{data.instance.name}_{kind}"
    instance = data.repo.instances.get(name)
    if instance is None:
        return None
    return type_named(instance.type).subject(data.datastore, data.repo, data.node, instance, data.call)
