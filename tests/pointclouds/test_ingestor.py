from __future__ import annotations

import shutil
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pointclouds.clouds import blocks_of, demand_clouds, store_of, volume

from dvidpy.pointclouds import Ingestor, Query, StorageConfig, consolidate_optimized_indices, optimize_point_clouds
from dvidpy.pointclouds.datafiles import DataFile


@pytest.fixture
def config(tmp_path: Path) -> StorageConfig:
    return StorageConfig(str(tmp_path / "points"))


def written(config: StorageConfig, *clouds: tuple[Any, str, Any], **options: Any) -> Query:
    with Ingestor(config, "one", **options) as ingestor:
        for label, block, points in clouds:
            ingestor.write(label, block, points)
    Ingestor.consolidate_indexes(config)
    return Query(config)


@pytest.mark.parametrize("most", [17, 511, 512, 10_000_000])
def test_every_cloud_of_a_volume_is_numpys(tmp_path: Path, most: int) -> None:
    labels_zyx = volume() if most > 17 else volume()[:8, :8, :8]
    demand_clouds(store_of(tmp_path, labels_zyx, max_points_per_file=most), labels_zyx)


def test_files_have_at_most_as_many_points_as_allowed(config: StorageConfig) -> None:
    import pyarrow.parquet as pq

    with written(config, (1, "a", np.arange(21).reshape(7, 3)), max_points_per_file=3) as query:
        assert len(query.get_points(1)) == 7
    files = sorted(Path(config.base_path).glob("worker_one/data/*.parquet"))
    assert [file.name for file in files] == ["one-0.parquet", "one-1.parquet", "one-2.parquet"]
    assert [pq.read_metadata(file).num_rows for file in files] == [3, 3, 1]


@pytest.mark.parametrize(
    "dtype", ["i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f2", "f4", "f8", ">i4", ">u8", ">f8"]
)
def test_numbers_of_every_type_are_kept_exactly(config: StorageConfig, dtype: str) -> None:
    kind = np.dtype(dtype)
    low, high = (np.iinfo(kind).min, np.iinfo(kind).max) if kind.kind in "iu" else (-0.1, np.finfo(kind).max)
    points = np.array([[low, high], [high, low], [high, high]], kind)
    with written(config, (5, "b", points)) as query:
        found = query.get_points(5)
        assert found.dtype == kind.newbyteorder("=")
        assert np.array_equal(found, points)
        assert query.get_points(6).shape == (0, 2)
        assert query.get_points(6).dtype == kind.newbyteorder("=")


def test_types_that_go_together_are_given_as_one_that_holds_both(config: StorageConfig) -> None:
    small, large = np.array([[1, 2, 3]], np.int16), np.array([[1, 2, 1 << 40]], np.int64)
    with written(config, (1, "a", small), (1, "b", large), (1, "a", small + np.int16(1))) as query:
        assert query.get_points(1).tolist() == [[1, 2, 3], [1, 2, 1 << 40], [2, 3, 4]]
        assert query.get_points(1).dtype == np.int64


@pytest.mark.parametrize("dtype", ["u8", "u4", "u2", "i8"])
def test_small_and_large_numbers_of_a_type_in_several_files(config: StorageConfig, dtype: str) -> None:
    """Files keep small numbers in fewer bits; together they are of the type that was written."""
    large = np.iinfo(dtype).max
    small, wide = np.array([[1, 2], [3, 4]], dtype), np.array([[large, 2], [3, large]], dtype)
    written(config, (1, "a", small), (1, "b", wide), (2, "b", small), max_points_per_file=2).close()
    for optimized in (False, True):
        with Query(config) as query:
            assert query.using_optimized_data == optimized
            assert query.get_points(1).tolist() == [[1, 2], [3, 4], [3, large], [large, 2]]
            assert query.get_points(1).dtype == query.get_points(2).dtype == np.dtype(dtype)
            assert {one.dtype for one in query.iter_points(1)} == {np.dtype(dtype)}
            assert query.get_points(2).tolist() == small.tolist()
        optimize_point_clouds(config, f"{config.base_path}/unified_index.db", verbose=False)
        consolidate_optimized_indices(config, verbose=False)


@pytest.mark.parametrize(("one", "other"), [("i8", "u8"), ("i8", "f8"), ("u8", "i1")])
def test_types_that_do_not_go_together_are_refused(config: StorageConfig, one: str, other: str) -> None:
    with Ingestor(config, "one") as ingestor:
        ingestor.write(1, "a", np.zeros((1, 3), one))
        with pytest.raises(ValueError, match="no type holds both"):
            ingestor.write(1, "a", np.zeros((1, 3), other))
    with Ingestor(config, "two") as ingestor:
        ingestor.write(1, "b", np.zeros((1, 3), other))
    with pytest.raises(ValueError, match="no type holds both"):
        Ingestor.consolidate_indexes(config)


def test_workers_write_points_of_as_many_coordinates(config: StorageConfig) -> None:
    for worker, dimensions in (("one", 3), ("two", 4)):
        with Ingestor(config, worker) as ingestor:
            ingestor.write(1, "a", np.zeros((1, dimensions)))
    with pytest.raises(ValueError, match="3 and 4 coordinates"):
        Ingestor.consolidate_indexes(config)


@pytest.mark.parametrize(
    ("label", "block", "points"),
    [
        (-1, "a", np.zeros((1, 3))),
        (1 << 64, "a", np.zeros((1, 3))),
        (1.5, "a", np.zeros((1, 3))),
        (True, "a", np.zeros((1, 3))),
        (1, 7, np.zeros((1, 3))),
        (1, "a", np.zeros(3)),
        (1, "a", np.zeros((3, 0))),
        (1, "a", [[1, 2, 3]]),
        (1, "a", np.zeros((1, 3), bool)),
        (1, "a", np.zeros((1, 3), complex)),
        (1, "a", np.zeros((1, 3), object)),
    ],
)
def test_what_makes_no_sense_is_refused(config: StorageConfig, label: Any, block: Any, points: Any) -> None:
    with Ingestor(config, "one") as ingestor:
        with pytest.raises(ValueError, match=r"label|block|points"):
            ingestor.write(label, block, points)
        ingestor.write(1, "a", np.zeros((1, 3)))
        with pytest.raises(ValueError, match="3 coordinates here, not 2"):
            ingestor.write(1, "a", np.zeros((1, 2)))


@pytest.mark.parametrize("labels", [[1], [1, -2], [0.5, 1], [[1, 2]]])
def test_labels_that_do_not_fit_are_refused(config: StorageConfig, labels: Any) -> None:
    with Ingestor(config, "one") as ingestor, pytest.raises(ValueError, match="labels must"):
        ingestor.write_many(np.array(labels), "a", np.zeros((2, 3)))


@pytest.mark.parametrize("worker", ["", "a/b", "..\\x", "a b"])
def test_names_of_workers_are_names_of_folders(config: StorageConfig, worker: str) -> None:
    with pytest.raises(ValueError, match="worker's name"):
        Ingestor(config, worker)


def test_nothing_is_written_of_no_points(config: StorageConfig) -> None:
    with written(config, (1, "a", np.zeros((0, 3)))) as query:
        assert query.get_labels().tolist() == []
        assert query.get_points(1).shape == (0, 3)
        assert query.get_point_count(1) == 0


def test_a_finalized_worker_takes_no_more(config: StorageConfig) -> None:
    ingestor = Ingestor(config, "one")
    ingestor.finalize()
    ingestor.finalize()
    with pytest.raises(ValueError, match="finalized"):
        ingestor.write(1, "a", np.zeros((1, 3)))


# ---------------------------------------------------------------------- again and again
def test_consolidating_again_changes_nothing(tmp_path: Path) -> None:
    labels_zyx = volume()
    config = store_of(tmp_path, labels_zyx)
    Ingestor.consolidate_indexes(config)
    demand_clouds(config, labels_zyx)


def test_a_store_can_be_moved(tmp_path: Path) -> None:
    labels_zyx = volume()
    store_of(tmp_path / "here", labels_zyx)
    shutil.move(tmp_path / "here", tmp_path / "there")
    demand_clouds(StorageConfig(str(tmp_path / "there")), labels_zyx)


def test_a_worker_that_starts_again_goes_on_beside_its_files(tmp_path: Path) -> None:
    labels_zyx = volume()
    config = store_of(tmp_path, labels_zyx[:8])
    with Ingestor(config, 0) as ingestor:
        for name, labels, points in blocks_of(labels_zyx[8:]):
            ingestor.write_many(labels, f"more {name}", points + np.array([8, 0, 0]))
    Ingestor.consolidate_indexes(config)
    demand_clouds(config, labels_zyx)


def _work(folder: str, worker: int) -> None:
    with Ingestor(StorageConfig(folder), worker) as ingestor:
        for number, (name, labels, points) in enumerate(blocks_of(volume())):
            if number % 2 == worker:
                ingestor.write_many(labels, name, points)


def test_several_processes_write_at_once(tmp_path: Path) -> None:
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        list(pool.map(_work, [str(tmp_path)] * 2, range(2)))
    Ingestor.consolidate_indexes(StorageConfig(str(tmp_path)))
    demand_clouds(StorageConfig(str(tmp_path)), volume())


def test_what_a_crash_left_without_its_index_does_not_count(
    config: StorageConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    with written(config, (1, "a", np.ones((1, 3)))) as query:
        assert query.get_point_count(1) == 1

    def crash(file: DataFile, _: Any) -> None:
        file._open.close()
        raise OSError("gone")

    with monkeypatch.context() as patch:
        patch.setattr(DataFile, "close", crash)
        ingestor = Ingestor(config, "one")
        ingestor.write(1, "b", np.zeros((1, 3)))
        with pytest.raises(OSError, match="gone"):
            ingestor.finalize()
    with written(config, (1, "c", np.full((1, 3), 2.0))) as query:
        assert query.get_points(1)[:, 0].tolist() == [1.0, 2.0]
        assert query.get_blocks_for_label(1) == ["a", "c"]


def test_an_error_while_writing_is_told(config: StorageConfig) -> None:
    ingestor = Ingestor(config, "one", max_points_per_file=1)
    shutil.rmtree(config.base_path)
    Path(config.base_path).touch()
    with pytest.raises(OSError, match="points"):
        ingestor.write_many(np.ones(5, int), "a", np.zeros((5, 3)))
    with pytest.raises(OSError, match="points"):
        ingestor.write(1, "a", np.zeros((1, 3)))
    with pytest.raises(OSError, match="points"):
        ingestor.finalize()


def test_an_error_of_the_caller_leaves_nothing_half_written(config: StorageConfig) -> None:
    ingestor = Ingestor(config, "one")
    ingestor.write(1, "a", np.zeros((1, 3)))
    ingestor._flush()
    ingestor.__exit__(ZeroDivisionError)
    assert [path for path in Path(config.base_path).rglob("*") if path.is_file()] == []


# ---------------------------------------------------------------------- blocks
def test_a_deleted_block_is_gone_whoever_wrote_it(tmp_path: Path) -> None:
    labels_zyx = volume()
    config = store_of(tmp_path, labels_zyx)
    with Ingestor(config, "cleaner") as ingestor:
        ingestor.delete_block("0_0_0")
        ingestor.delete_block("no such block")
    Ingestor.consolidate_indexes(config)
    with Query(config) as query:
        whole = sum(query.get_point_count(label) for label in query.get_labels())
        assert whole == labels_zyx.size - 512
        assert not any("0_0_0" in query.get_blocks_for_label(label) for label in query.get_labels())


@pytest.mark.parametrize("most", [300, 600, 1 << 20])
def test_a_replaced_block_has_the_new_points_alone(tmp_path: Path, most: int) -> None:
    old, new = volume(), volume(1)
    config = store_of(tmp_path, old)
    with Ingestor(config, 1, max_points_per_file=most) as ingestor:
        for name, labels, points in blocks_of(old):
            ingestor.write_many(labels, name, points)
        for name, labels, points in blocks_of(new):
            ingestor.replace_block(name, labels, points)
    Ingestor.consolidate_indexes(config)
    demand_clouds(config, new)


def test_points_written_after_a_deletion_stay(config: StorageConfig) -> None:
    with Ingestor(config, "one") as ingestor:
        ingestor.write(1, "a", np.array([[1, 1, 1]]))
        ingestor._flush()
        ingestor.write(1, "a", np.array([[2, 2, 2]]))
        ingestor.delete_block("a")
        ingestor.write(1, "a", np.array([[3, 3, 3]]))
    with Ingestor(config, "one") as ingestor:
        ingestor.write(1, "a", np.array([[4, 4, 4]]))
    Ingestor.consolidate_indexes(config)
    with Query(config) as query:
        assert query.get_points(1).tolist() == [[3, 3, 3], [4, 4, 4]]


@pytest.mark.parametrize(
    ("labels", "points"),
    [([-1], np.zeros((1, 3))), ([1, 2], np.zeros((1, 3))), ([1], np.zeros((1, 2))), ([1], np.zeros((1, 3), complex))],
)
def test_a_block_that_cannot_be_replaced_stays(config: StorageConfig, labels: list[int], points: Any) -> None:
    with Ingestor(config, "one") as ingestor:
        ingestor.write(1, "a", np.array([[1.0, 1, 1]]))
        with pytest.raises(ValueError, match=r"labels|coordinates|points"):
            ingestor.replace_block("a", np.array(labels), points)
    Ingestor.consolidate_indexes(config)
    with Query(config) as query:
        assert query.get_points(1).tolist() == [[1, 1, 1]]
