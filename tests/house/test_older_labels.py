"""The older label types are compositions: each is small beside labelmap.

Counted are all lines of Python. Labelmap's are its folder and the libraries that only types of labels use, `labelled`
and `labels`; what all types use (`voxels`, `views`, storage, kernels) is nobody's.
"""

from __future__ import annotations

import pytest
from house.tree import sources

LIBRARIES = ("labelled", "labels")
OLDER = ("labelarray", "labelblk", "labelvol", "labelgraph")
SHARE = 0.15


def lines(*folders: str) -> int:
    return sum(len(path.read_text().splitlines()) for one in folders for path in sources(f"dvidpy/datatypes/{one}"))


@pytest.mark.parametrize("name", OLDER)
def test_each_is_small_beside_labelmap(name: str) -> None:
    assert 0 < lines(name) <= SHARE * lines("labelmap", *LIBRARIES)
