"""The real Neuroglancer, unmodified, in Chromium, against a real volume: what it draws is compared with the voxels."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from served import Serve, Served
from viewing import Pixels, Viewer, demand_viewer, dvid, precomputed, zarr

SIDE = 128
HALF = 50
CENTRE = (64.25, 64.25, 60.5)
"""Beside a border of voxels: a panel of an odd height has the middle of a row of pixels there."""
OF_THE_VIEW = ("crossSectionScale", "projectionScale", "layout")
"""Parts of a state that belong to no layer."""
FORMS = [dvid, precomputed]
ALL_FORMS = [*FORMS, zarr]
JPEG = 9
"""Mean gray levels that a jpeg may be off."""
Address = Callable[[str, str, str], str]


@pytest.fixture(scope="module")
def gray(shared: Path) -> NDArray[np.uint8]:
    """(z, y, x) part of the FIB-SEM volume."""
    return _stack(shared / "data" / "fib250" / "grayscale").astype(np.uint8)


@pytest.fixture(scope="module")
def cells(shared: Path) -> NDArray[np.uint64]:
    """Its superpixels."""
    return _stack(shared / "data" / "fib250" / "labels").astype(np.uint64)


def _stack(folder: Path) -> NDArray[Any]:
    files = sorted(folder.glob("*.png"))[:SIDE]
    assert len(files) == SIDE
    return np.stack([np.asarray(Image.open(file))[:SIDE, :SIDE] for file in files])


class Data:
    """A server with data, and a viewer of another server that looks at it."""

    def __init__(self, serve: Serve, page: Any, shows: Served) -> None:
        demand_viewer()
        self.served: Served = serve(cors_domains=("*",))
        self.root, self.branch = self.served.repo(alias="real"), ""
        self.url = f"http://127.0.0.1:{self.served.port}"
        self.viewer = Viewer(page, f"http://127.0.0.1:{shows.port}")

    def make(self, name: str, typename: str, voxels: NDArray[Any] | None = None, **settings: str) -> str:
        """Path of a new instance that holds voxels."""
        path = self.served.instance(self.root, name, typename, **settings)
        if voxels is not None:
            self.fill(path, voxels)
        return path

    def fill(self, path: str, voxels: NDArray[Any]) -> None:
        size = "_".join(map(str, voxels.shape[::-1]))
        answer = self.served.http.post(f"{path}/raw/0_1_2/{size}/0_0_0", content=voxels.tobytes())
        assert answer.status_code == 200, answer.text
        answer = self.served.http.get(f"{path}/info?wait=true")
        assert answer.status_code == 200, answer.text

    def source(self, form: Address, name: str) -> str:
        return form(self.url, self.root + self.branch, name)

    def show(self, form: Address, name: str, kind: str, nm: tuple[float, ...] = (8, 8, 8), **how: Any) -> Pixels:
        """What the middle of the panel shows of one layer."""
        state = {key: how.pop(key) for key in OF_THE_VIEW if key in how}
        layer = {"type": kind, "name": name, "source": self.source(form, name), **how}
        begins = 0.5 if form is zarr else 0  # of OME-Zarr the middle of the first voxel is 0
        self.viewer.show([layer], nm, position=[at - begins for at in CENTRE], **state)
        assert self.viewer.errors() == []
        return self.viewer.pixels(HALF)


@pytest.fixture
def data(serve: Serve, page: Any, lasting: Served) -> Data:
    return Data(serve, page, lasting)


def middle(volume: NDArray[Any], half: int = HALF) -> NDArray[Any]:
    """The voxels that the middle of the panel shows at a pixel a voxel."""
    x, y, z = map(int, CENTRE)
    return volume[z, y - half : y + half, x - half : x + half]


def difference(seen: Pixels, voxels: NDArray[Any]) -> float:
    """Mean gray levels between a picture without colours and voxels."""
    assert (seen == seen[..., :1]).all()
    return float(np.abs(seen[..., 0].astype(int) - voxels.astype(int)).mean())


def demand_same_parts(seen: Pixels, labels: NDArray[np.uint64]) -> None:
    """Each label has one colour and each colour one label, and 0 is black."""
    colours = seen.astype(np.uint64) @ np.array([1 << 16, 1 << 8, 1], np.uint64)
    pairs = np.unique(np.stack([colours.ravel(), labels.ravel()]), axis=1)
    assert len(np.unique(pairs[1])) > 3
    assert len(np.unique(pairs[0])) == len(np.unique(pairs[1])) == pairs.shape[1]
    assert [colour for colour, label in pairs.T.tolist() if label == 0] in ([0], [])


ALL: dict[str, Any] = {"selectedAlpha": 1, "notSelectedAlpha": 1, "segments": []}


# ---------------------------------------------------------------------- images and labels
@pytest.mark.parametrize("form", ALL_FORMS)
def test_the_real_volume(data: Data, gray: NDArray[np.uint8], cells: NDArray[np.uint64], form: Address) -> None:
    exact = form is not dvid  # which takes pictures as jpeg
    data.make("gray", "uint8blk", gray, BlockSize="64,64,64", VoxelSize="8,8,8", Pyramid="1")
    data.make("jpeg", "uint8blk", gray, Compression="jpeg", VoxelSize="8,8,8")  # BlockSize is 32
    data.make("cells", "labelmap", cells, BlockSize="64,64,64", VoxelSize="8,8,8", MaxDownresLevel="1")
    assert difference(data.show(form, "gray", "image"), middle(gray)) <= (0 if exact else JPEG)
    assert difference(data.show(form, "jpeg", "image"), middle(gray)) <= JPEG
    demand_same_parts(data.show(form, "cells", "segmentation", **ALL), middle(cells))

    seen = data.show(form, "gray", "image", crossSectionScale=2)
    halved = gray.reshape(64, 2, 64, 2, 64, 2).mean((1, 3, 5))[30]
    assert difference(seen[HALF - 32 : HALF + 32, HALF - 32 : HALF + 32], halved) <= (1 if exact else JPEG)
    assert any("gray_1/raw" in url or "/s1/" in url for url in data.viewer.requests)
    data.show(form, "cells", "segmentation", **ALL, crossSectionScale=2)
    assert any("scale=1" in url or "/s1/" in url for url in data.viewer.requests)

    data.branch = ":master"
    demand_same_parts(data.show(form, "cells", "segmentation", **ALL), middle(cells))


@pytest.mark.parametrize("form", FORMS)
def test_voxels_that_are_no_cubes(
    data: Data, gray: NDArray[np.uint8], cells: NDArray[np.uint64], form: Address
) -> None:
    nm = (4, 4, 40)
    grid = {"VoxelSize": "4,4,40"}
    data.make("gray", "uint8blk", gray, **grid)
    data.make("jpeg", "uint8blk", gray, Compression="jpeg", **grid)
    data.make("cells", "labelmap", cells, MaxDownresLevel="2", **grid)
    assert difference(data.show(form, "gray", "image", nm), middle(gray)) <= (0 if form is precomputed else JPEG)
    assert difference(data.show(form, "jpeg", "image", nm), middle(gray)) <= JPEG
    demand_same_parts(data.show(form, "cells", "segmentation", nm, **ALL), middle(cells))


@pytest.mark.parametrize("form", FORMS)
def test_before_and_after_the_first_voxels(
    data: Data, gray: NDArray[np.uint8], cells: NDArray[np.uint64], form: Address
) -> None:
    """With the settings that nobody chose: also MaxDownresLevel is 0."""
    image, labels = data.make("gray", "uint8blk"), data.make("cells", "labelmap")
    assert not data.show(form, "gray", "image").any()
    assert not data.show(form, "cells", "segmentation", **ALL).any()
    data.fill(image, gray)
    data.fill(labels, cells)
    data.viewer.reload()
    assert difference(data.show(form, "gray", "image"), middle(gray)) <= (0 if form is precomputed else JPEG)
    demand_same_parts(data.show(form, "cells", "segmentation", **ALL), middle(cells))
    coarse = data.show(form, "cells", "segmentation", **ALL, crossSectionScale=2)
    assert len(np.unique(coarse.reshape(-1, 3), axis=0)) > 3


# ---------------------------------------------------------------------- shapes
BODY, RED, BLUE = 2**40 + 7, "#ff0000", "#0000ff"
SHAPES: dict[str, Any] = {"layout": "3d", "segments": [str(BODY)]}


def cube_mesh(low_nm: float, high_nm: float) -> bytes:
    """An .ngmesh of a cube."""
    corners = np.array(np.meshgrid(*[[low_nm, high_nm]] * 3)).reshape(3, -1).T.astype("<f4")
    from_corners = [(a, b, c) for a in range(8) for b in range(8) for c in range(8) if len({a, b, c}) == 3]
    return struct.pack("<I", 8) + corners.tobytes() + np.array(from_corners, "<u4").tobytes()


def count(seen: Pixels, channel: int) -> int:
    """Pixels in which one channel is bright and the others are not."""
    others = [other for other in range(3) if other != channel]
    return int(((seen[..., channel] > 60) & (seen[..., others] < 40).all(axis=-1)).sum())


@pytest.mark.parametrize("form", FORMS)
def test_meshes_and_skeletons(data: Data, form: Address) -> None:
    labels = np.full((64, 64, 64), BODY, np.uint64)
    data.make("cells", "labelmap", labels, VoxelSize="8,8,8", MaxDownresLevel="1")
    seen = data.show(form, "cells", "segmentation", **SHAPES, segmentColors={str(BODY): RED}, projectionScale=200)
    assert (count(seen, 0) > 200) == (form is precomputed)  # whose meshes are made on request
    meshes = data.make("cells_meshes", "keyvalue")
    data.served.http.post(f"{meshes}/key/{BODY}.ngmesh", content=cube_mesh(400, 600))
    data.viewer.reload()
    assert count(data.show(form, "cells", "segmentation", **SHAPES, segmentColors={str(BODY): RED}), 0) > 200

    data.make("other", "labelmap", labels, VoxelSize="8,8,8", MaxDownresLevel="1")
    skeletons = data.make("other_skeletons", "keyvalue")
    swc = "".join(f"{at} 0 {30 + at} {40 + at} 60 2 {at - 1 if at > 1 else -1}\n" for at in range(1, 50))
    data.served.http.post(f"{skeletons}/key/{BODY}_swc", content=swc.encode())
    data.viewer.reload()
    assert count(data.show(form, "other", "segmentation", **SHAPES, segmentColors={str(BODY): BLUE}), 2) > 20


def test_synapses_and_names_of_bodies(data: Data) -> None:
    labels = np.full((128, 128, 128), BODY, np.uint64)
    data.make("cells", "labelmap", labels, VoxelSize="8,8,8", MaxDownresLevel="1")
    neurons = data.make("cells_annotations", "neuronjson")
    data.served.http.post(f"{neurons}/key/{BODY}?u=rosa", json={"bodyid": BODY, "type": "KC", "status": "traced"})
    synapses = data.make("synapses", "annotation")
    data.served.http.post(f"{synapses}/sync", json={"sync": "cells"})
    point = {"Pos": [64, 64, 60], "Kind": "PreSyn", "Tags": [], "Prop": {}, "Rels": []}
    assert data.served.http.post(f"{synapses}/elements", json=[point]).status_code == 200
    layers: list[dict[str, Any]] = [
        {"type": "segmentation", "name": "cells", "source": data.source(precomputed, "cells"), "selectedAlpha": 0},
        {
            "type": "annotation",
            "name": "synapses",
            "source": data.source(precomputed, "synapses"),
            "annotationColor": RED,
            "shader": "void main() { setColor(defaultColor()); setPointMarkerSize(20.0); }",
        },
    ]
    data.viewer.show(layers, (8, 8, 8), position=CENTRE, layout="xy")
    assert data.viewer.errors() == []
    data.viewer.wait(lambda: count(data.viewer.pixels(HALF), 0) > 50)  # it is ready before its points are
    names = data.viewer.page.evaluate(
        "viewer.layerManager.managedLayers[0].layer.displayState.segmentationGroupState.value.segmentPropertyMap"
        ".value.segmentPropertyMap.inlineProperties.properties.map(one => `${one.id} ${one.values}`)"
    )
    assert any("KC" in one for one in names), names


# ---------------------------------------------------------------------- behind a door
CLOSED = "https://dvid.closed.test"


class Doorkeeper:
    """A proxy in front of a server: it lets those in who bring any token, and gives one to whoever asks."""

    def __init__(self, served: Served) -> None:
        self.served, self.asked = served, list[tuple[str, int]]()

    def answer(self, route: Any) -> None:
        request = route.request
        path, sent = request.url.removeprefix(CLOSED), request.all_headers()
        if path == "/api/server/token":
            said = self.served.http.get(path, headers={"Origin": sent["origin"]})
            given: dict[str, Any] = {"status": 200, "body": "open sesame"}
        elif "authorization" in sent:
            said = self.served.http.get(
                path, headers={"Origin": sent["origin"], "Authorization": sent["authorization"]}
            )
            given = {"status": said.status_code, "body": said.content}
        else:
            said = self.served.http.get("/api/heartbeat", headers={"Origin": sent["origin"]})
            given = {"status": 401, "body": "who are you?"}
        headers = {
            name: value for name, value in said.headers.items() if name.startswith(("access-control", "content-type"))
        }
        self.asked.append((path.partition("?")[0], given["status"]))
        route.fulfill(headers=headers, **given)


def test_a_token_is_asked_for_where_a_proxy_keeps_others_out(
    serve: Serve, page: Any, cells: NDArray[np.uint64]
) -> None:
    """As Neuroglancer does where it is told 401: its cookies are let through, and its token does not disturb."""
    demand_viewer()
    served = serve(cors_domains=("127.0.0.1",))
    root = served.repo(alias="closed")
    path = served.instance(root, "cells", "labelmap", VoxelSize="8,8,8", MaxDownresLevel="1")
    size = f"{SIDE}_{SIDE}_{SIDE}"
    assert served.http.post(f"{path}/raw/0_1_2/{size}/0_0_0", content=cells.tobytes()).status_code == 200
    keeper = Doorkeeper(served)
    page.context.route(f"{CLOSED}/**", keeper.answer)
    viewer = Viewer(page, f"http://127.0.0.1:{served.port}")
    layer = {"type": "segmentation", "name": "cells", "source": dvid(CLOSED, root, "cells"), **ALL}
    viewer.show([layer], (8, 8, 8), position=CENTRE)
    assert viewer.errors() == []
    demand_same_parts(viewer.pixels(HALF), middle(cells))
    assert keeper.asked[:3] == [("/api/repos/info", 401), ("/api/server/token", 200), ("/api/repos/info", 200)]
    page.faults[:] = [one for one in page.faults if not one.startswith(CLOSED)]


# ---------------------------------------------------------------------- from the console
def test_one_click_from_the_console(serve: Serve, page: Any, cells: NDArray[np.uint64]) -> None:
    demand_viewer()
    served = serve()
    root = served.repo(alias="clicked")
    path = served.instance(root, "cells", "labelmap", VoxelSize="8,8,8", MaxDownresLevel="1")
    size = f"{SIDE}_{SIDE}_{SIDE}"
    assert served.http.post(f"{path}/raw/0_1_2/{size}/0_0_0", content=cells.tobytes()).status_code == 200
    page.goto(f"http://127.0.0.1:{served.port}/#/repo/{root}")
    page.click("a:has-text('Neuroglancer')")
    page.wait_for_function("window.viewer?.layerManager.managedLayers.length === 1 && window.viewer.isReady()")
    with Image.open(io.BytesIO(page.screenshot())) as picture:
        assert len(picture.convert("RGB").getcolors(1 << 24) or ()) > 50
    assert "precomputed" in page.url
