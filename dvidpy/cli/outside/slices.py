"""Stacks: a folder of pictures, a slice each, in the order of their names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from dvidpy.cli.outside.volume import Outside, Plan, Voxels
from dvidpy.client.boxes import Box

SUFFIXES = {"png": (".png",), "tiff": (".tif", ".tiff")}
PNG = ("uint8", "uint16")
"""What a PNG can hold."""


class Slices(Outside):
    """Pictures of a folder."""

    def __init__(self, form: str, files: list[Path], height: int, width: int, dtype: np.dtype[Any]) -> None:
        self._form, self._files = form, files
        self.shape = len(files), height, width
        self.dtype = dtype
        self.grid = 1, height, width

    def read(self, box: Box) -> Voxels:
        """Voxels of a box."""
        (z, y, x), (zz, yy, xx) = box
        out = np.empty(box.shape, self.dtype)
        for at, file in enumerate(self._files[z:zz]):
            found = _read(self._form, file)
            if found.shape != self.shape[1:]:
                raise ValueError(f"{file} is not as large as the slices before it")
            out[at] = found[y:yy, x:xx]
        return out

    def write(self, box: Box, voxels: Voxels) -> None:
        """Write whole slices."""
        for at, one in enumerate(voxels, box.start[0]):
            _write(self._form, self._files[at], np.ascontiguousarray(one))


def open_slices(form: str, place: str) -> Slices:
    """A folder of pictures; ValueError where it has none."""
    files = sorted(one for one in Path(place).iterdir() if one.suffix.lower() in SUFFIXES[form])
    if not files:
        raise ValueError(f"{place} has no {form} pictures")
    first = _read(form, files[0])
    if first.ndim != 2:
        raise ValueError(f"{files[0]} is no gray picture")
    return Slices(form, files, first.shape[0], first.shape[1], first.dtype)


def make_slices(form: str, place: str, plan: Plan) -> Slices:
    """A folder to write into; ValueError where pictures cannot hold such voxels. Files have numbers."""
    if form == "png" and plan.dtype.name not in PNG:
        raise ValueError(f"a PNG has 8 or 16 bits, and these are {plan.dtype.name}: take another format")
    folder = Path(place)
    folder.mkdir(parents=True, exist_ok=True)
    depth, height, width = plan.shape
    files = [folder / f"{at:06}{SUFFIXES[form][0]}" for at in range(depth)]
    return Slices(form, files, height, width, plan.dtype)


def _read(form: str, file: Path) -> Voxels:
    if form == "tiff":
        import tifffile

        return np.asarray(tifffile.imread(file))
    from PIL import Image

    with Image.open(file) as picture:
        return np.asarray(picture)


def _write(form: str, file: Path, voxels: Voxels) -> None:
    if form == "tiff":
        import tifffile

        tifffile.imwrite(file, voxels, photometric="minisblack")
        return
    from PIL import Image

    Image.fromarray(voxels).save(file)
