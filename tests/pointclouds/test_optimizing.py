from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
from pointclouds.clouds import blocks_of, demand_clouds, store_of, volume

from dvidpy.pointclouds import (
    Ingestor,
    Query,
    StorageConfig,
    consolidate_optimized_indices,
    optimize_point_clouds,
    optimizing,
    shard_labels,
)

LABELS = [0, 1, 7, (1 << 63) - 1, 1 << 63, (1 << 64) - 1]


@pytest.fixture
def config(tmp_path: Path) -> StorageConfig:
    return store_of(tmp_path / "store", volume(), max_points_per_file=2000)


def source(config: StorageConfig) -> str:
    return f"{config.base_path}/unified_index.db"


def uses(config: StorageConfig) -> bool:
    with Query(config) as query:
        return query.using_optimized_data


@pytest.mark.parametrize("size", [1, 100_000, 1 << 30])
def test_optimised_clouds_are_numpys(config: StorageConfig, size: int) -> None:
    path = optimize_point_clouds(config, source(config), target_file_size=size, batch_size=2, verbose=False)
    said = json.loads(Path(path).read_text())
    assert said["stats"] == {"total_labels": 6, "total_points": volume().size}
    assert len(said["files"]) == {1: 6, 1 << 30: 1}.get(size, len(said["files"]))
    assert not uses(config)
    consolidate_optimized_indices(config, verbose=False)
    assert uses(config)
    demand_clouds(config, volume())


def test_shards_divide_the_labels(config: StorageConfig, tmp_path: Path) -> None:
    files = shard_labels(config, source(config), 4, str(tmp_path / "shards"), verbose=False)
    assert [Path(file).name for file in files] == [f"labels_shard_{number}.txt" for number in (1, 2, 3)]
    assert [int(line) for file in files for line in Path(file).read_text().split()] == LABELS
    with pytest.raises(ValueError, match="num_shards"):
        shard_labels(config, source(config), 0)


def test_workers_share_the_work_and_may_do_it_twice(config: StorageConfig) -> None:
    for worker, labels in (("a", LABELS[:4]), ("b", LABELS[2:])):
        optimize_point_clouds(config, source(config), worker_id=worker, labels_to_process=labels, verbose=False)
    consolidate_optimized_indices(config, verbose=False)
    demand_clouds(config, volume())


def test_labels_without_optimised_files_are_read_as_they_were_written(config: StorageConfig) -> None:
    optimize_point_clouds(config, source(config), labels_to_process=LABELS[:2], verbose=False)
    consolidate_optimized_indices(config, verbose=False)
    assert uses(config)
    demand_clouds(config, volume())


def test_an_interrupted_worker_goes_on(config: StorageConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    clouds = optimizing._clouds
    read: list[list[int]] = []

    def interrupted(index: object, files: object, labels: list[int]) -> object:
        read.append(labels)
        if len(read) == 4:
            raise KeyboardInterrupt
        return clouds(index, files, labels)  # type: ignore[arg-type]

    monkeypatch.setattr(optimizing, "_clouds", interrupted)
    for _ in range(2):
        try:
            optimize_point_clouds(config, source(config), target_file_size=1, batch_size=1, verbose=False)
        except KeyboardInterrupt:
            continue
    assert read == [[label] for label in [*LABELS[:4], *LABELS[3:]]]
    consolidate_optimized_indices(config, verbose=False)
    demand_clouds(config, volume())


def test_files_of_a_store_that_has_changed_are_not_used(config: StorageConfig) -> None:
    optimize_point_clouds(config, source(config), verbose=False)
    consolidate_optimized_indices(config, verbose=False)
    new = volume(3)
    with Ingestor(config, "later") as ingestor:
        for name, labels, points in blocks_of(new):
            ingestor.replace_block(name, labels, points)
    assert uses(config)  # what is indexed has not changed yet
    Ingestor.consolidate_indexes(config)
    assert not uses(config)
    demand_clouds(config, new)
    consolidate_optimized_indices(config, verbose=False)
    assert not uses(config)
    optimize_point_clouds(config, source(config), verbose=False)
    consolidate_optimized_indices(config, verbose=False)
    assert uses(config)
    demand_clouds(config, new)
    assert len(list(Path(config.base_path).glob("optimized/*/*.parquet"))) == 1


def test_optimised_files_do_without_what_the_workers_wrote(config: StorageConfig) -> None:
    optimize_point_clouds(config, source(config), verbose=False)
    Path(source(config)).unlink()
    consolidate_optimized_indices(config, verbose=False)
    demand_clouds(config, volume())
    with Query(config) as query:
        assert query.get_blocks_for_label(1) == []
        with pytest.raises(ValueError, match="no longer known"):
            query.get_points(1, blocks=["0_0_0"])


def test_the_target_may_lie_elsewhere(config: StorageConfig, tmp_path: Path) -> None:
    target = str(tmp_path / "elsewhere")
    optimize_point_clouds(config, source(config), target, verbose=False)
    consolidate_optimized_indices(config, target, verbose=False)
    with Query(config, index_path=f"{target}/optimized_index.db") as query:
        assert np.array_equal(query.get_points(7), np.argwhere(volume() == 7))


def test_nothing_optimised_is_no_error(config: StorageConfig, capsys: pytest.CaptureFixture[str]) -> None:
    consolidate_optimized_indices(config)
    assert "no optimised files" in capsys.readouterr().out
    with pytest.raises(ValueError, match="batch_size"):
        optimize_point_clouds(config, source(config), batch_size=0)


def test_the_program_does_all_three(config: StorageConfig, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    base = ["--base-path", config.base_path]
    optimizing.main(["--action", "shard", *base, "--num-shards", "2", "--shard-output-dir", str(tmp_path)])
    for shard in (1, 2):
        labels = str(tmp_path / f"labels_shard_{shard}.txt")
        optimizing.main(["--action", "optimize", *base, "--labels-file", labels, "--worker-id", str(shard)])
    optimizing.main(["--action", "optimize", *base, "--labels", "1,7", "--worker-id", "3", "--quiet"])
    optimizing.main(["--action", "consolidate", *base])
    demand_clouds(config, volume())
    assert "optimised clouds" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        optimizing.main(["--action", "shard", *base])


# ---------------------------------------------------------------------- by the name of PoCADuck
def test_programs_for_pocaduck_find_its_names(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    alias = Path(__file__).parent / "alias"
    monkeypatch.syspath_prepend(alias)
    program = tmp_path / "program.py"
    program.write_text(
        "import optimize_point_cloud\n"
        "from pocaduck import Ingestor, Query, StorageConfig\n"
        "from pocaduck.query import Query as same\n"
        "import pocaduck.ingestor, pocaduck.storage_config\n"
    )
    found = runpy.run_path(str(program))
    assert found["Query"] is found["same"] is Query
    assert found["Ingestor"] is found["pocaduck"].ingestor.Ingestor is Ingestor
    assert found["optimize_point_cloud"] is optimizing
    for name in [name for name in sys.modules if name.split(".")[0] in ("pocaduck", "optimize_point_cloud")]:
        del sys.modules[name]
