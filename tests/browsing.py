"""Debian's Chromium, driven by playwright. They are no part of `make install`: `make browser`."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

import pytest

CHROMIUM = "chromium"
SWITCHES = (
    "--no-sandbox",  # it is started by root in containers
    "--use-angle=swiftshader",  # WebGL without a graphics card
    "--enable-unsafe-swiftshader",
    "--ignore-gpu-blocklist",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",  # else it asks for hosts of its maker
    "--disable-component-update",
    "--disable-sync",
)
DESK, PHONE = {"width": 1200, "height": 900}, {"width": 390, "height": 844}
PATIENCE_MS = 30_000


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """A browser without a window; where there is none, the test is skipped.

    While it is open, an event loop runs in this thread: no test of another module could run one of its own.
    """
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright: make browser")
    program = shutil.which(CHROMIUM)
    if program is None:
        pytest.skip("needs chromium: make browser")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program, args=SWITCHES)
        yield browser
        browser.close()


class Faults(list[str]):
    """What a page complained of."""


@pytest.fixture
def page(chromium: Any) -> Iterator[Any]:
    """A new page of a desk's size. No script of it may fail, and nothing it asks for be elsewhere."""
    context = chromium.new_context(viewport=DESK, locale="en-GB", timezone_id="UTC")
    opened = context.new_page()
    opened.set_default_timeout(PATIENCE_MS)
    faults = opened.faults = Faults()
    opened.on("pageerror", lambda error: faults.append(str(error)))
    opened.on("request", lambda request: faults.extend(elsewhere(request.url)))
    yield opened
    context.close()
    assert faults == []


def elsewhere(url: str) -> list[str]:
    """The address, where it is that of another machine."""
    inside = ("http://127.0.0.1:", "data:", "blob:")
    return [] if url.startswith(inside) else [url]
