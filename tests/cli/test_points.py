"""`dvidpy points`: a volume goes in, its clouds come out."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pyarrow.csv
import pyarrow.feather
import pyarrow.parquet
import pytest
from typer.testing import CliRunner

from dvidpy.cli.commands import app

runner = CliRunner()
LABELS = np.random.default_rng(0).integers(0, 4, (10, 70, 66), np.uint32)


@pytest.fixture
def store(tmp_path: Path) -> str:
    np.savez(tmp_path / "volume.npz", labels=LABELS, voxel_size=np.ones(3))
    run("ingest", str(tmp_path / "store"), str(tmp_path / "volume.npz"), "--offset=-5,0,7")
    return str(tmp_path / "store")


def run(*words: str) -> str:
    said = runner.invoke(app, ["points", *words])
    assert said.exit_code == 0, said.output
    return said.stdout


def refused(*words: str) -> str:
    said = runner.invoke(app, ["points", *words])
    assert said.exit_code == 1
    assert len(said.stderr.splitlines()) == 1
    return said.stderr


def expected(label: int) -> list[list[int]]:
    found: list[list[int]] = (np.argwhere(label == LABELS) + np.array([-5, 0, 7])).tolist()
    return found


def test_labels_and_points_are_listed(store: str) -> None:
    counts = {label: len(expected(label)) for label in (1, 2, 3)}
    assert run("query", store) == "".join(f"{label}\t{count}\n" for label, count in counts.items())
    lines = run("query", store, "2").splitlines()
    assert [list(map(int, line.split())) for line in lines] == expected(2)
    assert run("query", store, "2", "--blocks").splitlines() == sorted(f"-5_{y}_{x}" for y in (0, 64) for x in (7, 71))
    near = run("query", store, "2", "--box", "-5,0:0,3").splitlines()
    assert run("query", store, "2", "--box", "-5.5,-0.5:-0.5,2.5").splitlines() == near
    assert len(near) == sum(z < 0 and y < 3 for z, y, _ in expected(2))


def test_what_is_ingested_again_replaces_what_was(store: str, tmp_path: Path) -> None:
    np.save(tmp_path / "volume.npy", np.full_like(LABELS, 9))
    run("ingest", store, str(tmp_path / "volume.npy"), "--offset=-5,0,7", "--worker", "other")
    assert run("query", store) == f"9\t{LABELS.size}\n"


def test_the_background_is_taken_where_it_is_wanted(tmp_path: Path) -> None:
    np.save(tmp_path / "volume.npy", LABELS)
    run("ingest", str(tmp_path / "store"), str(tmp_path / "volume.npy"), "--background")
    assert run("query", str(tmp_path / "store")).startswith(f"0\t{(LABELS == 0).sum()}\n")


def test_optimised_in_parts_it_says_the_same(store: str) -> None:
    before = run("query", store, "3")
    for number in (1, 2):
        run("optimize", store, "--shard", f"{number}/2")
    assert len(list(Path(store).glob("optimized/*/*.parquet"))) == 2
    assert run("query", store, "3") == before


def test_a_cloud_is_written_into_a_file(store: str, tmp_path: Path) -> None:
    for name in ("a.parquet", "a.arrow", "a.csv", "a.npy"):
        run("export", store, "1", str(tmp_path / name))
    assert np.load(tmp_path / "a.npy").tolist() == expected(1)
    tables = (
        pyarrow.parquet.read_table(tmp_path / "a.parquet"),
        pyarrow.feather.read_table(tmp_path / "a.arrow"),
        pyarrow.csv.read_csv(tmp_path / "a.csv"),
    )
    for table in tables:
        assert np.stack([table.column(f"c{axis}").to_numpy() for axis in range(3)], 1).tolist() == expected(1)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("query", "STORE", "x"), "no label"),
        (("query", "STORE", "1", "--box", "1,2"), "numbers with commas"),
        (("query", "STORE", "1", "--box", "1,2,3,4:5,6,7,8"), "box"),
        (("query", "nowhere"), "no index"),
        (("query", "s3://bucket/store"), "s3_region"),
        (("optimize", "STORE", "--shard", "3/2"), "no part"),
        (("optimize", "STORE", "--shard", "3"), "whole numbers"),
        (("export", "STORE", "1", "cloud.txt"), "ends with"),
        (("ingest", "STORE", "nothing.npy"), "nothing.npy"),
        (("ingest", "STORE", "VOLUME", "--worker", "a/b"), "worker's name"),
        (("ingest", "STORE", "VOLUME", "--offset", "1"), "whole numbers"),
    ],
)
def test_what_makes_no_sense_is_told_in_one_line(
    store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], said: str
) -> None:
    monkeypatch.delenv("AWS_REGION", raising=False)
    places = {"STORE": store, "VOLUME": str(tmp_path / "volume.npz")}
    assert said in refused(*(places.get(word, word) for word in words))


@pytest.mark.parametrize("arrays", [{"a": np.zeros(3, int)}, {"a": LABELS, "b": LABELS}, {"a": np.zeros((1, 1, 1))}])
def test_one_volume_is_ingested(
    tmp_path: Path, arrays: dict[str, np.ndarray[tuple[int, ...], np.dtype[np.int64]]]
) -> None:
    np.savez(tmp_path / "volume.npz", **arrays)  # type: ignore[arg-type]
    assert "one volume" in refused("ingest", str(tmp_path / "store"), str(tmp_path / "volume.npz"))


def test_without_the_libraries_it_says_how_to_get_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "dvidpy.pointclouds", None)
    assert "pip install 'dvidpy[pointclouds]'" in refused("query", "store")
