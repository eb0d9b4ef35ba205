"""A built Neuroglancer in a page: states are put in, pixels are read out. It is built by `make viewer`."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from browsing import PATIENCE_MS
from numpy.typing import NDArray
from PIL import Image

from dvidpy.config import is_built, viewer_folder

Pixels = NDArray[np.uint8]
VIEW = {"width": 420, "height": 420}
PLAIN = {
    "showAxisLines": False,
    "showScaleBar": False,
    "showDefaultAnnotations": False,
    "crossSectionBackgroundColor": "#000000",
    "projectionBackgroundColor": "#000000",
}
"""Nothing is drawn but the data."""
ERRORS = """viewer.layerManager.managedLayers
    .flatMap(({layer}) => layer?.dataSources.map(one => one.loadState?.error?.message) ?? [])
    .filter(one => one !== undefined)"""


def demand_viewer() -> None:
    """Where it was not built, the test is skipped."""
    if not is_built(viewer_folder()):
        pytest.skip("needs Neuroglancer: make viewer")


class Viewer:
    """Neuroglancer as one server shows it, looking at data of the same or of another one."""

    def __init__(self, page: Any, server: str) -> None:
        demand_viewer()
        self.page, self._address = page, f"{server}/neuroglancer/"
        self.requests: list[str] = []
        page.set_viewport_size(VIEW)
        page.on("request", lambda request: self.requests.append(request.url))
        page.goto(self._address)
        self._begin()

    def reload(self) -> None:
        """Forget what the viewer knows of its sources."""
        self.page.goto("about:blank")
        self.page.goto(self._address)
        self._begin()

    def _begin(self) -> None:
        self.page.wait_for_function("window.viewer !== undefined")

    def show(self, layers: list[dict[str, Any]], nm_xyz: tuple[float, ...], **state: Any) -> None:
        """Put in a state and wait until all that is visible is drawn."""
        dimensions = {axis: [side * 1e-9, "m"] for axis, side in zip("xyz", nm_xyz, strict=True)}
        self.page.evaluate(
            "state => { viewer.state.reset(); viewer.state.restoreState(state); }",
            {**PLAIN, "dimensions": dimensions, "layout": "xy", "crossSectionScale": 1, "layers": layers, **state},
        )
        self.page.wait_for_function("layers => viewer.layerManager.managedLayers.length === layers", arg=len(layers))
        self.page.wait_for_function(f"viewer.isReady() || {ERRORS}.length > 0")

    def errors(self) -> list[str]:
        """What sources of layers complain of."""
        found: list[str] = self.page.evaluate(ERRORS)
        return found

    def wait(self, true: Callable[[], bool]) -> None:
        """Return when something has come true of what is drawn."""
        until = time.monotonic() + PATIENCE_MS / 1000
        while not true():
            assert time.monotonic() < until, "it was never drawn"
            self.page.wait_for_timeout(200)

    def pixels(self, half: int = 0) -> Pixels:
        """(height, width, 3) of the panel, or of so many pixels to each side of its middle."""
        panel = self.page.locator(".neuroglancer-rendered-data-panel").first.bounding_box()
        with Image.open(io.BytesIO(self.page.screenshot(clip=panel))) as picture:
            found = np.asarray(picture.convert("RGB"))
        if not half:
            return found
        y, x = (side // 2 for side in found.shape[:2])
        return found[y - half : y + half, x - half : x + half]


def dvid(server: str, uuid: str, name: str) -> str:
    """Address of an instance for Neuroglancer's dvid source."""
    return f"dvid://{server}/{uuid}/{name}"


def precomputed(server: str, uuid: str, name: str) -> str:
    """The same for its precomputed source."""
    return f"precomputed://{server}/api/node/{uuid}/{name}/precomputed"


def zarr(server: str, uuid: str, name: str) -> str:
    """The same for its zarr source."""
    return f"{server}/api/node/{uuid}/{name}/zarr/|zarr3:"
