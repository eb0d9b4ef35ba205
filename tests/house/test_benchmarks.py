from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from house.tree import REPOSITORY
from servers import ServerProcess

WRK = """
import sys, urllib.request
with urllib.request.urlopen(sys.argv[-1]) if "-s" not in sys.argv else open(sys.argv[-2]) as answer:
    assert answer.read()
print("Requests/sec:   1234.25")
"""


def bench(*options: str) -> str:
    command = [sys.executable, "-m", "benchmarks", "--seconds", "0.01", *options]
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=120, check=True).stdout


def test_every_operation_works_on_a_server_of_its_own(tmp_path: Path) -> None:
    out = tmp_path / "report.json"
    table = bench("--out", str(out)).splitlines()
    names = [row["name"] for row in json.loads(out.read_text())["operations"]]
    assert len(names) >= 10
    assert [line[: len(name)] for line, name in zip(table[1:], names, strict=False)] == names


def test_every_kernel_is_measured() -> None:
    command = [sys.executable, "-m", "benchmarks.kernels", "--side", "64"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=120, check=True)
    rows = done.stdout.splitlines()[1:]
    assert len(rows) >= 15
    assert all(float(row.split()[-2]) >= 0 for row in rows)


def test_point_clouds_are_measured() -> None:
    command = [sys.executable, "-m", "benchmarks.pointclouds", "--side", "32", "--rounds", "1"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=120, check=True)
    rows = done.stdout.splitlines()
    assert rows[0] == "32,768 points"
    assert len(rows) == 11
    assert all(" M/s" in row for row in rows[1:])


def test_two_servers_are_compared(server_process: ServerProcess) -> None:
    table = bench("--ops", "server*", server_process.url, server_process.url).splitlines()
    assert table[0].split()[-3:] == ["a", "/", "b"]
    assert float(table[1].split()[-1]) > 0


def test_many_annotations_are_measured(server_process: ServerProcess) -> None:
    command = [sys.executable, "-m", "benchmarks.neurons", server_process.url, "--count", "100", "--rounds", "1"]
    table = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=120, check=True).stdout
    assert table.count(" ms") >= 10
    assert "1 found" in table


def test_starts_with_many_mappings_and_neurons_are_measured() -> None:
    command = [sys.executable, "-m", "benchmarks.startup", "--count", "1000", "--edits", "10", "--rounds", "1"]
    command += ["--neurons", "50", "--fields", "9"]
    table = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=120, check=True).stdout
    assert [line.split()[-1] for line in table.splitlines()[2:]] == ["s", "s", "s", "s", "MB"]


def test_growth_is_measured(server_process: ServerProcess, tmp_path: Path) -> None:
    out = tmp_path / "report.json"
    command = [sys.executable, "-m", "benchmarks.scaling", *[server_process.url] * 2, "--steps", "2", "--out", str(out)]
    command += ["--only", "neurons"]
    subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=120, check=True)
    rows = json.loads(out.read_text())["rows"]
    requests = ["key", "post of a key", "query of one"]
    assert [(row["request"], row["server"]) for row in rows] == [(one, server) for one in requests for server in "ab"]
    assert all(row["ms"].keys() == {"10", "100"} and abs(row["exponent"]) < 5 for row in rows)


def test_what_the_machine_can_do_is_measured(tmp_path: Path) -> None:
    out = tmp_path / "report.json"
    command = [sys.executable, "-m", "benchmarks.limits", "--part", "64", "--out", str(out)]
    subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=120, check=True)
    limits = json.loads(out.read_text())["limits"]
    assert len(limits) == 14
    assert all(limit["ms"] > 0 for limit in limits)


def test_rates_are_those_that_wrk_tells(server_process: ServerProcess, tmp_path: Path) -> None:
    """The program `wrk` is a small one here, which asks once and says so in its words."""
    wrk = tmp_path / "wrk"
    wrk.write_text(f"#!{sys.executable}\n{WRK}")
    wrk.chmod(0o755)
    command = [sys.executable, "-m", "benchmarks.rates", server_process.url, server_process.url, "--seconds", "1"]
    path = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=120, check=True, env=path)
    rows = done.stdout.splitlines()[1:-1]
    assert [row.split()[-4:] for row in rows[:3]] == [[c, "1,234", "1,234", "1.00"] for c in ("1", "8", "32")]
    assert len(rows) == 15


def test_many_clients_get_right_answers() -> None:
    command = [sys.executable, "-m", "benchmarks.soak", "--clients", "10", "--seconds", "2", "--pid", str(os.getpid())]
    table = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=120, check=True).stdout
    assert "0 wrong answers or errors" in table
    assert len(table.partition("of mapped files:")[2].splitlines()[0].split(",")) >= 5
    assert table.count("p99") == 8
