"""Files that `dvidpy points` reads and writes: volumes of labels, clouds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dvidpy.cli.client import CommandError


def opened(path: Path) -> npt.NDArray[Any]:
    """Labels z, y, x of an npy file, or of an npz file with one volume; an npy file stays on the disk."""
    try:
        loaded = np.load(path, mmap_mode="r")
    except (OSError, ValueError) as error:
        raise CommandError(f"{path}: {error}") from None
    if isinstance(loaded, np.ndarray):
        volumes = [loaded]
    else:
        with loaded:
            volumes = [loaded[name] for name in loaded.files]
    volumes = [volume for volume in volumes if volume.ndim == 3 and volume.dtype.kind in "iu"]
    if len(volumes) != 1:
        raise CommandError(f"{path}: one volume of labels is needed, not {len(volumes)}")
    return volumes[0]


def blocks_of(
    labels_zyx: npt.NDArray[Any], offset_zyx: list[int], side: int, *, background: bool
) -> Iterator[tuple[str, npt.NDArray[Any], npt.NDArray[np.int64]]]:
    """(name, labels, voxels z, y, x) of each block; the name is its first voxel, z_y_x."""
    for corner in np.ndindex(*(-(-length // side) for length in labels_zyx.shape)):
        inner = np.array(corner) * side
        block = labels_zyx[tuple(slice(start, start + side) for start in inner)]
        first = inner + np.array(offset_zyx)
        voxels = np.indices(block.shape).reshape(3, -1).T + first
        labels = block.reshape(-1)
        keep = slice(None) if background else labels != 0
        yield "_".join(map(str, first)), labels[keep], voxels[keep]


def save(points: npt.NDArray[Any], path: Path) -> None:
    """Write points (N, D) as the end of the file's name says."""
    from pyarrow import csv, feather, parquet

    from dvidpy.pointclouds.columns import arrow_of

    if path.suffix == ".npy":
        np.save(path, points)
        return
    writers = {".parquet": parquet.write_table, ".arrow": feather.write_feather, ".csv": csv.write_csv}
    if path.suffix not in writers:
        raise CommandError(f"{path}: the name ends with .parquet, .arrow, .npy or .csv")
    writers[path.suffix](arrow_of(points), path)
