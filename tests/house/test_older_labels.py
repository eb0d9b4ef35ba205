"""The older label types are compositions: each is small beside labelmap.

Counted are all lines of Python. Labelmap's are its folder, and what it imports of the libraries that only types of
labels use: `labelled`, `labels`, and the kernels of labels. An older type's are its folder, and what it imports of
these that labelmap does not. What other types use too (`voxels`, `views`, storage) is nobody's.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from house.tree import REPOSITORY, imports, sources

LIBRARIES = ("dvidpy/datatypes/labelled/", "dvidpy/datatypes/labels/", "dvidpy/kernels/label_")
OLDER = ("labelarray", "labelblk", "labelvol", "labelgraph")
SHARE = 0.15


def own(name: str) -> set[Path]:
    """Modules of a type, and all of the libraries that it imports."""
    found, waiting = set[Path](), sources(f"dvidpy/datatypes/{name}")
    folder = set(waiting)
    while waiting:
        if (path := waiting.pop()) not in found:
            found.add(path)
            waiting += map(place, imports(path.read_text()))
    return folder | {path for path in found if any(library in str(path) for library in LIBRARIES)}


def place(module: str) -> Path:
    """The file of a module."""
    path = REPOSITORY.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def lines(paths: set[Path]) -> int:
    return sum(len(path.read_text().splitlines()) for path in paths)


@pytest.mark.parametrize("name", OLDER)
def test_each_is_small_beside_labelmap(name: str) -> None:
    labelmap = own("labelmap")
    assert 0 < lines(own(name) - labelmap) <= SHARE * lines(labelmap)
