from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from served import TOKEN, Served
from typer.testing import CliRunner

from dvidpy.cli import client, loading
from dvidpy.cli.commands import app

Voxels = npt.NDArray[Any]
BLOCK = 16
MODES: dict[str, Callable[[Voxels], Image.Image]] = {
    "uint8": Image.fromarray,
    "uint16": Image.fromarray,
    "uint32": lambda voxels: Image.fromarray(voxels.view("<i4")),
    "float32": Image.fromarray,
    "rgba8": lambda voxels: Image.fromarray(voxels.view(np.uint8).reshape(*voxels.shape, 4), "RGBA"),
}
DTYPES = {"uint8": "u1", "uint16": "<u2", "uint32": "<u4", "float32": "<f4", "rgba8": "<u4"}


def noise(kind: str, shape: tuple[int, ...], seed: int = 0) -> Voxels:
    random = np.random.default_rng(seed)
    if kind == "float32":
        return random.standard_normal(shape, np.float32)
    return random.integers(1, 256 ** np.dtype(DTYPES[kind]).itemsize, shape, np.dtype(DTYPES[kind]))


class Stack:
    """An image instance and a folder of pictures."""

    def __init__(self, served: Served, folder: Path, kind: str = "uint8") -> None:
        self.served, self.folder, self.kind = served, folder, kind
        self.root = served.repo()
        self.path = served.instance(self.root, "image", f"{kind}blk", BlockSize=f"{BLOCK},{BLOCK},{BLOCK}")

    def save(self, slices: Voxels, suffix: str = "png") -> None:
        for number, one in enumerate(slices):
            MODES[self.kind](one).save(self.folder / f"s{number:03}.{suffix}")

    def run(self, *words: str, status: int = 0) -> Any:
        environment = {"DVIDPY_SERVER": f"127.0.0.1:{self.served.port}", "DVID_ADMIN_TOKEN": TOKEN}
        said = CliRunner().invoke(app, ["node", self.root, "image", *words], env=environment)
        assert said.exit_code == status, said.output
        return said

    def load(self, offset: str, *options: str) -> None:
        self.run("load", offset, str(self.folder / "*.*"), *options)

    def read(self, shape: tuple[int, ...], offset: tuple[int, int, int]) -> Voxels:
        words = "_".join(map(str, shape[::-1])), "_".join(map(str, offset))
        answer = self.served.http.get(f"{self.path}/raw/0_1_2/{'/'.join(words)}")
        assert answer.status_code == 200, answer.text
        return np.frombuffer(answer.content, DTYPES[self.kind]).reshape(shape)

    def extents(self) -> Any:
        shown = self.served.http.get(f"{self.path}/info").json()["Extended"]
        return shown["MinPoint"], shown["MaxPoint"]


@pytest.fixture
def stack(served: Served, tmp_path: Path) -> Stack:
    return Stack(served, tmp_path)


@pytest.mark.parametrize("offset", [(0, 0, 0), (5, 16, -3), (-40, 7, 33)])
@pytest.mark.parametrize("shape", [(16, 16, 32), (37, 21, 45), (1, 1, 1)])
def test_a_stack_of_any_size_lies_where_it_should(
    stack: Stack, offset: tuple[int, int, int], shape: tuple[int, int, int]
) -> None:
    gray = noise("uint8", shape)
    stack.save(gray)
    stack.load(",".join(map(str, offset)))
    assert np.array_equal(stack.read(shape, offset), gray)
    last = [o + s - 1 for o, s in zip(offset, shape[::-1], strict=True)]
    assert stack.extents() == (list(offset), last)


@pytest.mark.parametrize("kind", list(MODES))
def test_all_kinds_of_voxels(served: Served, tmp_path: Path, kind: str) -> None:
    stack = Stack(served, tmp_path, kind)
    voxels = noise(kind, (19, 18, 33))
    stack.save(voxels, "tif")
    stack.load("3,4,5")
    assert np.array_equal(stack.read(voxels.shape, (3, 4, 5)), voxels)


@pytest.mark.parametrize("kind", ["uint16", "uint32", "float32"])
def test_gray_of_fewer_bits_is_taken_as_it_is(served: Served, tmp_path: Path, kind: str) -> None:
    stack = Stack(served, tmp_path, kind)
    gray = noise("uint8", (2, 16, 16))
    for number, one in enumerate(gray):
        Image.fromarray(one).save(tmp_path / f"{number}.png")
    stack.load("0,0,0")
    assert np.array_equal(stack.read(gray.shape, (0, 0, 0)), gray)


def test_slices_that_a_server_gave_go_back_as_they_were(served: Served, tmp_path: Path) -> None:
    """Of 32 bits, shown as colours."""
    stack = Stack(served, tmp_path, "uint32")
    voxels = noise("uint32", (BLOCK, BLOCK, BLOCK))
    served.http.post(f"{stack.path}/raw/0_1_2/16_16_16/0_0_0", content=voxels.tobytes())
    for z in range(BLOCK):
        (tmp_path / f"{z:03}.png").write_bytes(served.http.get(f"{stack.path}/raw/xy/16_16/0_0_{z}").content)
    stack.load("0,0,32")
    assert np.array_equal(stack.read(voxels.shape, (0, 0, 32)), voxels)


def test_a_file_of_many_slices(stack: Stack) -> None:
    gray = noise("uint8", (20, 16, 16))
    first, *others = map(Image.fromarray, gray)
    first.save(stack.folder / "all.tif", save_all=True, append_images=others)
    stack.load("0,0,9")
    assert np.array_equal(stack.read(gray.shape, (0, 0, 9)), gray)


def test_what_was_there_stays_around_what_is_loaded(stack: Stack) -> None:
    before = noise("uint8", (32, 48, 48), seed=1)
    assert stack.served.http.post(f"{stack.path}/raw/0_1_2/48_48_32/0_0_0", content=before.tobytes()).is_success
    gray = noise("uint8", (7, 20, 21), seed=2)
    stack.save(gray)
    stack.load("10,11,12")
    expected = before.copy()
    expected[12:19, 11:31, 10:31] = gray
    assert np.array_equal(stack.read(before.shape, (0, 0, 0)), expected)
    assert stack.extents() == ([0, 0, 0], [47, 47, 31])


@pytest.mark.parametrize(("plane", "order"), [("xy", (0, 1, 2)), ("xz", (1, 0, 2)), ("yz", (2, 0, 1))])
@pytest.mark.parametrize("spelled", [(), ("local",), ("remote",)])
def test_pictures_of_any_plane(stack: Stack, plane: str, order: tuple[int, ...], spelled: tuple[str, ...]) -> None:
    gray = noise("uint8", (18, 20, 23))
    stack.save(np.ascontiguousarray(gray.transpose(order)))
    stack.run("put", *spelled, plane, "-1,2,3", str(stack.folder / "*.png"))
    assert np.array_equal(stack.read(gray.shape, (-1, 2, 3)), gray)


@pytest.mark.parametrize("posted", [1, 5000, 20_000, 1 << 26])
def test_pieces_and_slabs_are_bounded(stack: Stack, posted: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "POSTED", posted)
    monkeypatch.setattr(loading, "IN_MEMORY", 100)  # in a file
    sizes: list[int] = []
    ask = client.Client.ask

    def watched(asking: Any, method: str, path: str, body: Any = None, query: Any = None) -> bytes:
        sizes.append(len(body) if isinstance(body, bytes) else 0)
        return ask(asking, method, path, body, query)

    monkeypatch.setattr(client.Client, "ask", watched)
    gray = noise("uint8", (20, 50, 70))
    stack.save(gray)
    stack.load("1,2,3")
    assert np.array_equal(stack.read(gray.shape, (1, 2, 3)), gray)
    assert max(sizes) <= max(posted, BLOCK**3)


def test_files_that_a_shell_named(stack: Stack) -> None:
    gray = noise("uint8", (3, 16, 16))
    stack.save(gray)
    names = sorted(map(str, stack.folder.glob("*.png")))
    stack.run("load", "0,0,0", *reversed(names))
    assert np.array_equal(stack.read(gray.shape, (0, 0, 0)), gray[::-1])


def test_a_bar_is_shown_to_a_person(
    stack: Stack, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stack.save(noise("uint8", (40, 16, 16)))
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    target = client.Client(f"127.0.0.1:{stack.served.port}", admin=False)
    loading.load_pictures(target, stack.root, "image", "xy", "0,0,0", [str(stack.folder / "*.png")])
    assert "files" in capsys.readouterr().err


# ---------------------------------------------------------------------- refusals
def test_a_committed_version_takes_none_without_force(stack: Stack) -> None:
    stack.save(noise("uint8", (1, 16, 16)))
    stack.served.commit(stack.root)
    assert "locked node" in stack.run("load", "0,0,0", str(stack.folder / "*.png"), status=1).stderr
    stack.load("0,0,0", "--force")


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["load", "0,0", "{}"], "is no offset"),
        (["load", "0,0,0", "absent/*.png"], "no file matches"),
        (["put", "ab", "0,0,0", "{}"], "is no plane"),
        (["put", "xy", "0,0,0"], "PLANE, OFFSET and pictures"),
    ],
)
def test_words_that_make_no_sense(stack: Stack, words: list[str], complaint: str) -> None:
    stack.save(noise("uint8", (1, 16, 16)))
    said = stack.run(*(word.format(stack.folder / "*.png") for word in words), status=1)
    assert complaint in said.stderr
    assert stack.extents() == (None, None)


def test_pictures_that_do_not_fit(served: Served, tmp_path: Path) -> None:
    stack = Stack(served, tmp_path)
    stack.save(noise("uint8", (1, 16, 16)))
    Image.new("L", (16, 17)).save(tmp_path / "s900.png")
    assert "is not as large" in stack.run("load", "0,0,0", str(tmp_path / "*.png"), status=1).stderr
    (tmp_path / "text.png").write_text("no picture")
    assert "is no picture" in stack.run("load", "0,0,0", str(tmp_path / "text.png"), status=1).stderr
    for kind, mode in (
        ("uint8", "I;16"),
        ("uint8", "F"),
        ("uint16", "F"),
        ("rgba8", "F"),
        ("uint64", "L"),
        ("float32", "I"),
    ):
        Image.new(mode, (16, 16)).save(tmp_path / "odd.tif")
        path = served.instance(stack.root, f"{kind}{mode[0]}", f"{kind}blk")
        said = CliRunner().invoke(
            app,
            ["node", stack.root, path.rpartition("/")[2], "load", "0,0,0", str(tmp_path / "odd.tif")],
            env={"DVIDPY_SERVER": f"127.0.0.1:{served.port}"},
        )
        assert said.exit_code == 1, (kind, mode)
        assert "bits" in said.stderr or "does not fit" in said.stderr


def test_other_types_take_no_pictures(served: Served, tmp_path: Path) -> None:
    root = served.repo()
    served.instance(root, "kv")
    Image.new("L", (16, 16)).save(tmp_path / "a.png")
    said = CliRunner().invoke(
        app,
        ["node", root, "kv", "load", "0,0,0", str(tmp_path / "a.png")],
        env={"DVIDPY_SERVER": f"127.0.0.1:{served.port}"},
    )
    assert (said.exit_code, "not a keyvalue" in said.stderr) == (1, True)
