"""Image blocks of every format there ever was stay readable. `make_golden_images.py` says how they are made."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from conftest import demand_sound
from old_data.make_golden import HERE
from old_data.make_golden_images import BLOCK, FIRST, SECOND, at, instances, make, voxels

from dvidpy.config import default_settings
from dvidpy.datatypes.imageblk.pyramid import block_above
from dvidpy.datatypes.imageblk.volumes import read_box
from dvidpy.datatypes.registry import load_types
from dvidpy.geometry import Box
from dvidpy.versioning.datastore import Datastore
from dvidpy.versioning.metadata import FORMAT

STORES = sorted(HERE.glob("images-*.tar.gz"))


@pytest.fixture(params=STORES, ids=lambda path: path.name)
def golden(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Datastore]:
    load_types()
    with tarfile.open(request.param) as packed:
        packed.extractall(tmp_path, filter="data")
    with closing(Datastore(default_settings(tmp_path))) as opened:
        yield opened
        demand_sound(opened)


def test_this_format_has_its_store() -> None:
    assert HERE / f"images-{FORMAT}.tar.gz" in STORES
    assert all(path.stat().st_size < 200_000 for path in STORES)


def test_every_block_at_every_version(golden: Datastore) -> None:
    for name, typename, settings in instances():
        for version, index in ((1, FIRST), (2, FIRST), (2, SECOND)):
            data = at(golden, name, golden.catalogue.node(version))
            found = read_box(data, Box(index, (1, 1, 1)).voxels(BLOCK))
            off = np.abs(found.astype(float) - voxels(typename, index).astype(float)).max()
            assert off <= (12 if settings.get("Compression") == "jpeg" else 0), name
        unwritten = at(golden, name, golden.catalogue.node(1))
        assert not read_box(unwritten, Box(SECOND, (1, 1, 1)).voxels(BLOCK)).any()


def test_lower_resolutions(golden: Datastore) -> None:
    for name, _, settings in instances():
        for version in (1, 2) if settings.get("Pyramid") else ():
            upper = at(golden, f"{name}_1", golden.catalogue.node(version))
            lower = upper.below()
            assert lower is not None
            expected = block_above(lower, lower.view, (-1, 0, 1))
            assert expected is not None
            assert (read_box(upper, Box((-1, 0, 1), (1, 1, 1)).voxels(BLOCK)) == expected).all()


def test_what_this_program_makes_is_read_the_same(tmp_path: Path) -> None:
    load_types()
    make(default_settings(tmp_path))
    with closing(Datastore(default_settings(tmp_path))) as again:
        test_every_block_at_every_version(again)
        test_lower_resolutions(again)
        demand_sound(again)
