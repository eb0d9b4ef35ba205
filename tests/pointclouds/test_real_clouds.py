"""The cloud of every body of a real volume is numpy's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pointclouds.clouds import Volume

from dvidpy.pointclouds import (
    Ingestor,
    Query,
    StorageConfig,
    consolidate_optimized_indices,
    optimize_point_clouds,
)

BLOCK = 128


def ingest(config: StorageConfig, labels_zyx: Volume) -> None:
    corners = list(np.ndindex(*(side // BLOCK for side in labels_zyx.shape)))
    for worker in range(4):
        with Ingestor(config, worker) as ingestor:
            for corner in corners[worker::4]:
                first = np.array(corner, np.int16) * BLOCK
                block = labels_zyx[tuple(slice(start, start + BLOCK) for start in first)]
                points = np.indices(block.shape, np.int16).reshape(3, -1).T + first
                ingestor.write_many(block.reshape(-1), "_".join(map(str, corner)), points)
    Ingestor.consolidate_indexes(config)


def demand_clouds(config: StorageConfig, labels_zyx: Volume) -> None:
    flat = labels_zyx.reshape(-1)
    order = np.argsort(flat, kind="stable")
    names, firsts = np.unique(flat[order], return_index=True)
    with Query(config, cache_size=0) as query:
        assert np.array_equal(query.get_labels(), names)
        for label, voxels in zip(names, np.split(order, firsts[1:]), strict=True):
            points = query.get_points(label)
            assert points.dtype == np.int16
            assert query.get_point_count(label) == len(voxels)
            for axis, expected in enumerate(np.unravel_index(voxels, labels_zyx.shape)):
                assert np.array_equal(points[:, axis], expected)


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_the_cloud_of_every_body_is_numpys(shared: Path, tmp_path: Path) -> None:
    labels_zyx = np.load(shared / "data" / "connectomics512.npz")["labels"]
    config = StorageConfig(str(tmp_path))
    ingest(config, labels_zyx)
    demand_clouds(config, labels_zyx)
    optimize_point_clouds(config, f"{tmp_path}/unified_index.db", verbose=False)
    consolidate_optimized_indices(config, verbose=False)
    demand_clouds(config, labels_zyx)
