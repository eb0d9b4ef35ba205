from __future__ import annotations

from pathlib import Path

import pytest
from house.tree import imports, module_of, sources

RANK = {"storage": 0, "versioning": 1, "datatypes": 2, "api": 3, "app": 4, "cli": 5, "__main__": 6}
"""Layers from below; a module may import its own and lower ones."""
BASE = ("", "config", "errors", "geometry", "kernels", "optional", "pointclouds", "client")
"""Usable by all, and importing none of the layers."""
SHARED_ROOMS = ("dvidpy.datatypes.every_volume",)
"""Modules beside the folders of types that stand on a library; no library imports them."""
LIBRARIES = ("voxels", "labels", "labelled", "keyvalues", "views")
"""Folders of datatypes/ that several types use."""


def layer(module: str) -> str:
    return [*module.split("."), ""][1]


def datatype(module: str) -> str:
    """Folder of datatypes/ a module belongs to; empty for the shared modules beside them."""
    parts = module.split(".")
    if len(parts) < 3 or parts[1] != "datatypes":
        return ""
    folder = Path(__file__).parents[2].joinpath(*parts[:3])
    return parts[2] if folder.is_dir() else ""


def faults(module: str, text: str) -> list[str]:
    found = []
    for imported in imports(text):
        own, other = layer(module), layer(imported)
        upward = other not in BASE and (own in BASE or RANK[other] > RANK[own])
        here, there = datatype(module), datatype(imported)
        composes = bool(here) or module in SHARED_ROOMS
        foreign = there not in ("", here) and own == "datatypes" and not (there in LIBRARIES and composes)
        if upward or foreign:
            found.append(f"{module} imports {imported}")
    return found


def test_imports_go_one_way() -> None:
    wrong = [fault for path in sources("dvidpy") for fault in faults(module_of(path), path.read_text())]
    assert wrong == []


def test_point_clouds_need_nothing_of_the_server() -> None:
    imported = {name for path in sources("dvidpy/pointclouds") for name in imports(path.read_text())}
    assert {layer(name) for name in imported} == {"pointclouds", "kernels"}


def test_the_client_needs_nothing_of_the_server() -> None:
    imported = {name for path in sources("dvidpy/client") for name in imports(path.read_text())}
    assert {layer(name) for name in imported} == {"client"}


@pytest.mark.parametrize(
    ("module", "text"),
    [
        ("dvidpy.storage.keys", "from dvidpy.versioning import dag"),
        ("dvidpy.storage.keys", "def later():\n    import dvidpy.api.front"),
        ("dvidpy.versioning.store", "from dvidpy.datatypes.base import Data"),
        ("dvidpy.config", "from dvidpy.storage.stores import ENGINES"),
        ("dvidpy.kernels.fnv", "from dvidpy import app"),
        ("dvidpy.datatypes.keyvalue.routes", "from dvidpy.datatypes.imageblk import DATATYPES"),
        ("dvidpy.datatypes.voxels.grid", "from dvidpy.datatypes.keyvalue.values import KeyValue"),
        ("dvidpy.datatypes.base", "from dvidpy.datatypes import keyvalue"),
    ],
)
def test_what_points_upward_or_sideways_is_found(module: str, text: str) -> None:
    assert len(faults(module, text)) == 1


@pytest.mark.parametrize(
    ("module", "text"),
    [
        ("dvidpy.storage.keys", "from dvidpy.errors import StoreError"),
        ("dvidpy.datatypes.keyvalue.routes", "from dvidpy.datatypes.keyvalue.values import Span"),
        ("dvidpy.datatypes.imageblk.instance", "from dvidpy.datatypes import voxels"),
        ("dvidpy.api.front", "import dvidpy.storage.keys"),
        ("dvidpy.kernels.fnv", "from dvidpy.kernels.jit import kernel"),
    ],
)
def test_what_points_down_is_allowed(module: str, text: str) -> None:
    assert faults(module, text) == []
