"""Clouds for tests: a small labelled volume, and stores of its voxels."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dvidpy.pointclouds import Ingestor, Query, StorageConfig

SIDE, BLOCK = 24, 8
Volume = npt.NDArray[np.uint64]


def volume(seed: int = 0) -> Volume:
    """Labels over the whole range of 64 bits, in clumps."""
    rng = np.random.default_rng(seed)
    names = np.array([0, 1, 7, (1 << 63) - 1, 1 << 63, (1 << 64) - 1], np.uint64)
    coarse = names[rng.integers(0, len(names), (SIDE // 4,) * 3)]
    return np.asarray(coarse.repeat(4, 0).repeat(4, 1).repeat(4, 2), np.uint64)


def blocks_of(labels_zyx: Volume, dtype: Any = np.int64) -> Iterator[tuple[str, Volume, npt.NDArray[Any]]]:
    """(name, labels, points z, y, x) of each block."""
    for z, y, x in np.ndindex(*(side // BLOCK for side in labels_zyx.shape)):
        corner = np.array([z, y, x]) * BLOCK
        block = labels_zyx[tuple(slice(first, first + BLOCK) for first in corner)]
        yield f"{z}_{y}_{x}", block.reshape(-1), (np.indices(block.shape).reshape(3, -1).T + corner).astype(dtype)


def store_of(folder: Path | str, labels_zyx: Volume, workers: int = 2, **options: Any) -> StorageConfig:
    """A store of all voxels, consolidated."""
    config = StorageConfig(str(folder))
    ingestors = [Ingestor(config, worker, **options) for worker in range(workers)]
    for number, (name, labels, points) in enumerate(blocks_of(labels_zyx)):
        ingestors[number % workers].write_many(labels, name, points)
    for ingestor in ingestors:
        ingestor.finalize()
    Ingestor.consolidate_indexes(config)
    return config


def demand_clouds(config: StorageConfig, labels_zyx: Volume) -> None:
    """Every label's points are numpy's."""
    with Query(config) as query:
        assert query.get_labels().tolist() == np.unique(labels_zyx).tolist()
        for label in np.unique(labels_zyx):
            expected = np.argwhere(labels_zyx == label)
            points = query.get_points(label)
            assert points.dtype == np.int64
            assert np.array_equal(points, expected)
            assert query.get_point_count(label) == len(expected)
