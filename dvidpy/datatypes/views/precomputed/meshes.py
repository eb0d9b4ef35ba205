"""Meshes of bodies in the legacy format: a manifest that names files of triangles, `N.ngmesh`."""

from __future__ import annotations

from typing import Any

from dvidpy.datatypes.base import Data
from dvidpy.datatypes.bodies import Bodies
from dvidpy.datatypes.views.companions import Files

INFO: dict[str, Any] = {"@type": "neuroglancer_legacy_mesh"}
MANIFEST = ":0"
"""What the name of a manifest ends with: the only level of detail."""
MADE = ".made"
"""What the name of a mesh ends with that is made on request."""


def kept_names(bodies: Bodies, files: Files, body: int) -> list[str]:
    """The files of a body, or of its supervoxels."""
    parts = bodies.supervoxels_of(body).tolist() if files.by_supervoxel else [body]
    return [name for name in (f"{part}.ngmesh" for part in parts) if files.has_file(name)]


def sources_of(data: Data, files: Files) -> list[Data]:
    """The instances that say which files a body has."""
    assert isinstance(files, Data)
    return [files, data] if files.by_supervoxel else [files]
