from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from pointclouds.clouds import BLOCK, demand_clouds, store_of, volume

from dvidpy.pointclouds import (
    Ingestor,
    Query,
    StorageConfig,
    consolidate_optimized_indices,
    optimize_point_clouds,
    reading,
    unified,
)
from dvidpy.pointclouds.columns import sorted_unique


@pytest.fixture(params=["as written", "optimised"])
def query(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    config = store_of(tmp_path, volume(), max_points_per_file=3000)
    if request.param == "optimised":
        optimize_point_clouds(config, f"{tmp_path}/unified_index.db", verbose=False)
        consolidate_optimized_indices(config, verbose=False)
    with Query(config, threads=2) as opened:
        assert opened.using_optimized_data == (request.param == "optimised")
        yield opened


LABEL = 1 << 63


def test_a_box_cuts_the_cloud(query: Query) -> None:
    expected = np.argwhere(volume() == LABEL)
    for low, high in (((3, 0, 5), (17, 24, 9)), ((8,), (16,)), ((0, 0, 0), (0, 24, 24)), ((-9, -9), (99.5, 3.5))):
        axes = slice(0, len(low))
        keep = ((expected[:, axes] >= low) & (expected[:, axes] < high)).all(1)
        assert np.array_equal(query.get_points(LABEL, box=(low, high)), expected[keep])
        pieces = list(query.iter_points(LABEL, box=(low, high)))
        assert sum(map(len, pieces)) == keep.sum()


@pytest.mark.parametrize("box", [5, ((1, 2), (3,)), ((), ()), ((1,) * 4, (2,) * 4), (("a",), ("b",)), ((1, 2, 3),)])
def test_a_box_that_is_none_is_refused(query: Query, box: Any) -> None:
    with pytest.raises(ValueError, match="box"):
        query.get_points(LABEL, box=box)
    with pytest.raises(ValueError, match="label"):
        query.get_points(-1)


def test_blocks_are_told_and_chosen(query: Query) -> None:
    expected = np.argwhere(volume() == LABEL)
    names = np.array(["_".join(map(str, corner)) for corner in expected // BLOCK])
    assert query.get_blocks_for_label(LABEL) == sorted(set(names))
    some = query.get_points(LABEL, blocks=["0_0_0", "1_2_0", "none"])
    assert np.array_equal(some, expected[np.isin(names, ["0_0_0", "1_2_0"])])
    assert query.get_points(LABEL, blocks=[]).shape == (0, 3)


def test_a_cloud_comes_as_arrow_and_in_pieces(query: Query) -> None:
    expected = np.argwhere(volume() == LABEL)
    table = query.to_arrow(LABEL)
    assert table.column_names == ["c0", "c1", "c2"]
    assert np.array_equal(np.stack([column.to_numpy() for column in table.columns], 1), expected)
    pieces = np.concatenate(list(query.iter_points(LABEL)))
    assert np.array_equal(sorted_unique(pieces), expected)
    assert list(query.iter_points(12345)) == []


def test_what_is_kept_is_not_what_the_caller_changes(query: Query) -> None:
    points = query.get_points(LABEL)
    before = points.copy()
    points[:] = 0
    again = query.get_points(LABEL)
    assert np.array_equal(again, before)
    again[:] = 0
    assert np.array_equal(query.get_points(LABEL), before)


def test_times_are_told(query: Query, capsys: pytest.CaptureFixture[str]) -> None:
    points, info = query.get_points(LABEL, timing=True)
    assert info["points_returned"] == len(points) > 0
    assert info["query_efficiency"]["total_points"] == len(points)
    assert info["query_efficiency"]["files_accessed"] == info["files_queried"] == len(info["file_details"])
    assert not info["cache_hit"]
    assert sum(detail["actual_points_in_file"] for detail in info["file_details"]) == len(points)
    steps = ("cache_lookup_time", "index_lookup_time", "data_read_time", "processing_time")
    assert 0 < sum(info[step] for step in steps) <= info["total_time"]
    _, again = query.get_points(LABEL, timing=True)
    assert again["cache_hit"]
    Query.print_timing_info(info)
    Query.print_timing_info(again)
    assert f"label {LABEL}" in capsys.readouterr().out
    count, info = query.get_point_count(LABEL, timing=True)
    assert (count, info["files_queried"] > 0) == (len(points), True)
    blocks, info = query.get_blocks_for_label(LABEL, timing=True)
    assert info["blocks_found"] == len(blocks) > 1


def test_the_least_recently_asked_is_forgotten(tmp_path: Path) -> None:
    with Query(store_of(tmp_path, volume()), cache_size=2) as query:
        for label, hit in ((0, False), (1, False), (0, True), (7, False), (0, True), (1, False)):
            assert query.get_points(label, timing=True)[1]["cache_hit"] == hit
        assert not query.get_points(1, use_cache=False, timing=True)[1]["cache_hit"]


def test_the_index_is_open_to_sql(query: Query) -> None:
    found = query.db_connection.execute("SELECT sum(point_count) FROM point_cloud_index").fetchone()
    assert found == (volume().size,)
    paths = query.db_connection.execute("SELECT DISTINCT file_path FROM point_cloud_index").fetchall()
    rows = query.db_connection.execute("SELECT count(data.c0) FROM read_parquet(?)", [[path for (path,) in paths]])
    assert rows.fetchone() == (volume().size,)


def test_a_box_reads_few_other_points(tmp_path: Path) -> None:
    config = store_of(tmp_path, volume())
    optimize_point_clouds(config, f"{tmp_path}/unified_index.db", labels_to_process=[LABEL], verbose=False)
    consolidate_optimized_indices(config, verbose=False)
    with Query(config) as query:
        for label in (LABEL, 7):  # optimised, and not
            expected = np.argwhere(volume() == label)
            found, info = query.get_points(label, box=((0, 0, 0), (8, 8, 8)), timing=True)
            assert np.array_equal(found, expected[(expected < 8).all(1)])
            assert info["query_efficiency"]["total_points"] < len(expected) / 9


@pytest.mark.parametrize("stretch", [1, 3, 1000])
def test_a_label_is_found_in_stretches_of_any_length(
    stretch: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unified, "STRETCH", stretch)
    config = store_of(tmp_path, volume(1))
    demand_clouds(config, volume(1))
    with Query(config) as query:
        assert query.get_points(2).shape == (0, 3)
        assert query.get_points(LABEL + 5).shape == (0, 3)


def test_a_database_that_was_moved_alone_says_the_same(tmp_path: Path) -> None:
    config = store_of(tmp_path / "store", volume())
    moved = shutil.copy(tmp_path / "store" / "unified_index.db", tmp_path / "moved.db")
    with Query(config, index_path=str(moved)) as query:
        assert query.get_labels().tolist() == np.unique(volume()).tolist()
        assert np.array_equal(query.get_points(LABEL), np.argwhere(volume() == LABEL))


def test_more_files_than_are_kept_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "OPEN", 2)
    monkeypatch.setattr(reading, "FOOTERS", 3)
    config = store_of(tmp_path, volume(), max_points_per_file=2000)
    with Query(config, threads=3, cache_size=0) as query:
        for label in np.unique(volume()).tolist() * 2:
            assert np.array_equal(query.get_points(label), np.argwhere(volume() == label))
        several = query.iter_points(1), query.iter_points(1)  # the same file, read by two at once
        assert [len(next(one)) for one in several] == [len(next(query.iter_points(1)))] * 2


def test_counts_agree_with_points_that_were_written_twice(tmp_path: Path) -> None:
    config = StorageConfig(str(tmp_path))
    clouds = {
        1: [[[1, 1, 1], [0, 5, 0], [1, 1, 1]]],  # within a block
        2: [[[1, 1, 1], [2, 2, 2]], [[2, 2, 2], [3, 3, 3]]],  # in two blocks
        3: [[[1, 1, 1], [2, 2, 2]], [[3, 3, 3]]],
    }
    with Ingestor(config, "one") as ingestor:
        for label, parts in clouds.items():
            for number, points in enumerate(parts):
                ingestor.write(label, str(number), np.array(points))
    Ingestor.consolidate_indexes(config)
    with Query(config) as query:
        assert [query.get_point_count(label) for label in (1, 2, 3)] == [2, 3, 3]
        assert [len(query.get_points(label)) for label in (1, 2, 3)] == [2, 3, 3]


def test_a_store_without_an_index_says_what_makes_it(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="consolidate_indexes"):
        Query(StorageConfig(str(tmp_path)))


def test_another_programs_database_is_refused(tmp_path: Path) -> None:
    duckdb.connect(str(tmp_path / "unified_index.db")).close()
    with pytest.raises(ValueError, match="not made by this program"):
        Query(StorageConfig(str(tmp_path)))


def test_a_base_path_may_be_relative(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    config = store_of("here", volume())
    with Query(config, index_path="here/unified_index.db") as query:
        assert query.get_point_count(LABEL) == (volume() == LABEL).sum()
    with pytest.raises(FileNotFoundError):
        Query(config, index_path="unified_index.db")


def test_an_index_may_lie_elsewhere(tmp_path: Path) -> None:
    config = store_of(tmp_path / "store", volume())
    path = Ingestor.consolidate_indexes(config, str(tmp_path / "other.db"))
    with Query(config, index_path=path) as query:
        assert query.index_path == path
        assert query.get_point_count(LABEL) == (volume() == LABEL).sum()


NUMBERS = st.sampled_from(["i1", "u2", "i4", "i8", "u8", "f4", "f8"])


@given(NUMBERS.flatmap(lambda dtype: arrays.arrays(dtype, st.tuples(st.integers(0, 30), st.integers(1, 4)))))
def test_order_is_numpys(points: Any) -> None:
    if points.dtype.kind == "f":
        points = np.nan_to_num(points) + 0.0  # numpy's own order knows no NaN, and takes -0 and 0 for two
    assert np.array_equal(sorted_unique(points), np.unique(points, axis=0))


@given(arrays.arrays("i8", (20, 3), elements=st.integers(-2, 2)))
def test_order_is_numpys_where_many_are_alike(points: Any) -> None:
    assert np.array_equal(sorted_unique(points), np.unique(points, axis=0))


def test_the_notebook_runs(tmp_path: Path) -> None:
    page = Path(__file__).parents[2] / "docs" / "pointclouds_notebook.py"
    volume_file = tmp_path / "volume.npz"
    np.savez(volume_file, volume())
    command = [sys.executable, str(page), str(volume_file)]
    environment = os.environ | {"TMPDIR": str(tmp_path), "PYTHONPATH": str(page.parents[1])}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert "points in" in done.stdout
