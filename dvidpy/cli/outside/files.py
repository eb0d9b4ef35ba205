"""Volumes of one file: HDF5, NRRD, TIFF."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from dvidpy.cli.outside.tensors import OFFSET
from dvidpy.cli.outside.volume import SIDE, InArray, Plan

DATASET = "volume"
"""Name of the dataset of an HDF5 file that is written, unless another one is asked for."""


class Hdf5(InArray):
    """A dataset of an HDF5 file."""

    def __init__(self, file: Any, dataset: Any) -> None:
        super().__init__(dataset)
        self._file = file
        z, y, x = map(int, dataset.attrs.get(OFFSET, (0, 0, 0)))
        self.offset = z, y, x
        self.resolution = _three(dataset.attrs.get("resolution"))
        self.grid = tuple(dataset.chunks) if dataset.chunks else (1, self.shape[1], self.shape[2])

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def open_hdf5(place: str, name: str) -> Hdf5:
    """The volume of a file; ValueError where there is none, or more than one and none is named."""
    import h5py

    file = h5py.File(place, "r")
    there: list[str] = []
    file.visititems(lambda path, one: there.append(path) if getattr(one, "ndim", 0) == 3 else None)
    wanted = [name.strip("/")] if name else there
    if len(wanted) != 1 or wanted[0] not in there:
        file.close()
        raise ValueError(f"the volumes of {place} are {', '.join(there) or 'none'}: name one with --dataset")
    return Hdf5(file, file[wanted[0]])


def make_hdf5(place: str, plan: Plan) -> Hdf5:
    """A new file, or one of which part is there."""
    import h5py

    name = plan.dataset or DATASET
    file = h5py.File(place, "a" if plan.again else "w")
    if name not in file:
        chunks = tuple(min(SIDE, side) for side in plan.shape)
        made = file.create_dataset(name, plan.shape, plan.dtype, chunks=chunks, compression="gzip", compression_opts=1)
        made.attrs[OFFSET] = plan.offset
        made.attrs["resolution"] = plan.resolution
    return Hdf5(file, file[name])


def _three(sides: Any) -> tuple[float, float, float] | None:
    """Sizes of voxels, as far as they are some."""
    found = [] if sides is None else [float(side) for side in sides]
    return (found[0], found[1], found[2]) if len(found) == 3 and min(found) > 0 else None


class Mapped(InArray):
    """Voxels in a file, mapped into memory."""

    def __init__(self, array: Any, offset: Any = (0, 0, 0)) -> None:
        super().__init__(array)
        z, y, x = map(int, offset)
        self.offset = z, y, x

    def close(self) -> None:
        """Write what was not yet written."""
        if isinstance(self._array, np.memmap):
            self._array.flush()


def open_nrrd(place: str, _: str) -> Mapped:
    """The volume of a NRRD file, whole in memory."""
    import nrrd

    data, header = nrrd.read(place, index_order="C")
    found = Mapped(data, header.get(OFFSET, "0 0 0").split())
    spacings = header.get("spacings")
    found.resolution = None if spacings is None else _three(spacings[::-1])
    return found


def make_nrrd(place: str, plan: Plan) -> Mapped:
    """A new file of plain numbers, or one of which part is there."""
    import nrrd

    if not plan.again:
        header = {"encoding": "raw", "spacings": plan.resolution[::-1], OFFSET: " ".join(map(str, plan.offset))}
        nrrd.write(place, np.zeros(plan.shape, plan.dtype), header, index_order="C")
    with Path(place).open("rb") as file:
        nrrd.read_header(file)
        begin = file.tell()
    return Mapped(np.memmap(place, plan.dtype, "r+", begin, plan.shape), plan.offset)


def open_tiff(place: str, _: str) -> Mapped:
    """The slices of a TIFF file; mapped where they lie there as they are, else in memory."""
    import tifffile

    try:
        found = tifffile.memmap(place, mode="r")
    except ValueError:  # it is packed
        found = tifffile.imread(place)
    return Mapped(found[None] if found.ndim == 2 else found)


def make_tiff(place: str, plan: Plan) -> Mapped:
    """A new file of plain slices, or one of which part is there."""
    import tifffile

    if plan.again:
        found = tifffile.memmap(place, mode="r+")
    else:
        found = tifffile.memmap(place, shape=plan.shape, dtype=plan.dtype, photometric="minisblack")
    return Mapped(found.reshape(plan.shape))
