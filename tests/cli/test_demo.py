from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import requests
from PIL import Image
from servers import TRIES, free_port
from typer.testing import CliRunner

from dvidpy.cli import demo as demo_command
from dvidpy.cli.commands import app
from dvidpy.cli.demo import SHAPE_ZYX
from dvidpy.cli.neuropil import neuropil
from dvidpy.config import default_settings
from dvidpy.datatypes.registry import load_types
from dvidpy.versioning.check import check_datastore
from dvidpy.versioning.datastore import Datastore

runner = CliRunner()


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder that a demo has filled."""
    folder = tmp_path_factory.mktemp("demo") / "new"
    said = runner.invoke(app, ["demo", "--once", "--data", str(folder), "--port", str(free_port())])
    assert said.exit_code == 0, said.output
    assert str(folder) in said.stdout
    return folder


@pytest.fixture
def demo(data: Path) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Address of a demo that goes on serving."""
    port, process = serving(data)
    yield f"http://127.0.0.1:{port}", process
    process.terminate()  # not killed: it has a server to end
    process.communicate(timeout=30)


def serving(data: Path) -> tuple[int, subprocess.Popen[str]]:
    """Somebody else may take the free port first; then another one is tried."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # where it is ignored, as in a background job, it would be
    for _ in range(TRIES):
        port = free_port()
        command = [sys.executable, "-m", "dvidpy", "demo", "--data", str(data), "--port", str(port)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        if any(line.startswith("Ctrl-C") for line in process.stdout):
            return port, process
        process.communicate(timeout=30)
    raise RuntimeError("the demo does not start")


def test_what_it_loads_is_sound_and_there_once(data: Path) -> None:
    load_types()
    runner.invoke(app, ["demo", "--once", "--data", str(data), "--port", str(free_port())])
    with closing(Datastore(default_settings(data))) as datastore:
        assert check_datastore(datastore).faults == []
        assert [repo.record.alias for repo in datastore.catalogue.repos.values()] == ["demo"]


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_until_it_is_told_to_end(
    demo: tuple[str, subprocess.Popen[str]], session: requests.Session, end: signal.Signals
) -> None:
    url, process = demo
    repos = session.get(f"{url}/api/repos/info", timeout=20, headers={"Origin": "https://example.org"})
    assert repos.headers["access-control-allow-origin"] == "*"
    root = next(iter(repos.json()))
    picture = session.get(f"{url}/api/node/{root}/grayscale/raw/xy/256_256/0_0_60/png", timeout=20)
    volume = neuropil(SHAPE_ZYX).gray
    with Image.open(BytesIO(picture.content)) as found:
        assert np.array_equal(np.asarray(found), volume[60])
    extended = session.get(f"{url}/api/node/{root}/grayscale/info", timeout=20).json()["Extended"]
    assert extended["MaxPoint"] == [255, 255, 127]
    (most, *_) = session.get(f"{url}/api/node/{root}/synapses_labelsz/top/1/PreSyn", timeout=20).json()
    synapses = session.get(f"{url}/api/node/{root}/synapses/label/{most['Label']}", timeout=20).json()
    assert sum(one["Kind"] == "PreSyn" for one in synapses) == most["Size"] > 0
    bodies = session.get(f"{url}/api/node/{root}/segmentation_annotations/keys", timeout=20).json()
    assert len(bodies) == 40
    inside = session.post(f"{url}/api/node/{root}/core/ptquery", json=[[40, 40, 40], [0, 0, 0]], timeout=20)
    assert inside.json() == [True, False]
    edited = session.get(f"{url}/api/node/{root}:edited/grayscale/raw/0_1_2/4_4_4/10_10_10", timeout=20).content
    assert edited == (volume[10:14, 10:14, 10:14] // 4).tobytes()
    process.send_signal(end)
    assert process.wait(30) == 0
    with pytest.raises(requests.ConnectionError):
        session.get(url, timeout=5)


# ---------------------------------------------------------------------- one's own stack
def save(folder: Path, name: str, pixels: object) -> None:
    Image.fromarray(np.asarray(pixels)).save(folder / name)


def test_own_slices_in_the_order_of_their_names(tmp_path: Path) -> None:
    load_types()
    stack = np.random.default_rng(1).integers(0, 256, (70, 30, 50), np.uint8)
    for z, pixels in enumerate(stack):
        save(tmp_path, f"{z:03}.png", pixels)
    data, pattern = tmp_path / "data", f"{tmp_path}/*.png"
    said = runner.invoke(app, ["demo", "--once", "--images", pattern, "--data", str(data), "--port", str(free_port())])
    assert said.exit_code == 0, said.output
    with closing(Datastore(default_settings(data))) as datastore:
        repo = next(iter(datastore.catalogue.repos.values()))
        assert repo.record.alias == f"demo of {pattern}"
        values = datastore.values(repo.instances["grayscale"]).at(repo.root.version)
        blocks = sum(1 for _ in values.keys(b"\x01", b"\x02"))
        assert blocks == 2


@pytest.mark.parametrize(
    ("slices", "complaint"),
    [
        ([], "no file matches"),
        ([np.zeros((4, 4), np.uint8), np.zeros((4, 5), np.uint8)], "is not as large as the slices before it"),
        ([np.zeros((4, 4), np.uint16)], "has more than 8 bits a voxel"),
        ([None], "is no picture"),
    ],
)
def test_what_is_no_stack_is_refused(tmp_path: Path, slices: list[object], complaint: str) -> None:
    for z, pixels in enumerate(slices):
        if pixels is None:
            (tmp_path / f"{z}.png").write_text("no picture")
        else:
            save(tmp_path, f"{z}.png", pixels)
    given = ["demo", "--once", "--images", f"{tmp_path}/*.png", "--data", str(tmp_path / "data")]
    said = runner.invoke(app, [*given, "--port", str(free_port())])
    assert said.exit_code == 1
    assert complaint in said.stderr


def test_a_port_that_is_taken(demo: tuple[str, subprocess.Popen[str]], tmp_path: Path) -> None:
    port = demo[0].rpartition(":")[2]
    said = runner.invoke(app, ["demo", "--once", "--data", str(tmp_path / "data"), "--port", port])
    assert said.exit_code == 1
    assert f"port {port} is taken" in said.stderr


@pytest.mark.parametrize("built", [True, False])
def test_it_says_whether_neuroglancer_is_there(monkeypatch: pytest.MonkeyPatch, built: bool) -> None:
    monkeypatch.setattr(demo_command, "is_built", lambda _: built)
    guide = demo_command._guide(8000, Path("data"), "a" * 32, "b" * 32, made_up=True)
    assert ("not built yet: `dvidpy neuroglancer`" in guide) is not built
