"""The console as people see it: its visible text and its pixels, in Chromium."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from browsing import PHONE
from served import TOKEN, Serve, Served, on_memory, running

BIG = 2**63 + 12345
"""A label that no number of JavaScript holds."""
SIDE = 64


class Garden:
    """A server with a repo of three versions, an image and labels of a known pattern."""

    def __init__(self, served: Served) -> None:
        self.served = served
        self.root = served.repo(alias="garden", description="all the plants")
        grid = {"BlockSize": "32,32,32", "VoxelSize": "8,8,16"}
        self.gray = served.instance(self.root, "gray", "uint8blk", **grid)
        self.bodies = served.instance(self.root, "bodies", "labelmap", **grid, MaxDownresLevel="1")
        self.synapses = served.instance(self.root, "synapses", "annotation")
        served.instance(self.root, "notes")
        self.voxels = (np.indices((SIDE,) * 3).sum(0) % 200 + 20).astype(np.uint8)
        self.labels = np.zeros((SIDE,) * 3, np.uint64)
        self.labels[:, :, SIDE // 2 :] = BIG
        self.labels[0, 0, :2] = 7, 8
        size = f"raw/0_1_2/{SIDE}_{SIDE}_{SIDE}/0_0_0"
        for path, voxels in ((self.gray, self.voxels), (self.bodies, self.labels)):
            assert served.http.post(f"{path}/{size}", content=voxels.tobytes()).status_code == 200
        assert served.http.post(f"{self.bodies}/merge?u=rosa", json=[7, 8]).status_code == 200
        assert served.http.post(f"{self.synapses}/sync", json={"sync": "bodies"}).status_code == 200

    def node(self, uuid: str) -> dict[str, Any]:
        nodes: dict[str, dict[str, Any]] = self.served.http.get(f"/api/repo/{self.root}/info").json()["DAG"]["Nodes"]
        return nodes[uuid]


@pytest.fixture(scope="module")
def garden() -> Iterator[Garden]:
    """Tests read it alone."""
    with running(on_memory()) as served:
        yield Garden(served)


@pytest.fixture
def wild(serve: Serve) -> Garden:
    """One to be changed."""
    return Garden(serve())


Open = Callable[..., Any]


def opener(page: Any, garden: Garden) -> Open:
    def opened(path: str = "/", waits_for: str = "h1") -> Any:
        page.goto(
            "about:blank"
        )  # else only what stands behind # may change, and the heading is that of the page before
        page.goto(f"http://127.0.0.1:{garden.served.port}{path}")
        page.wait_for_selector(waits_for)
        return page

    return opened


@pytest.fixture
def open_page(page: Any, garden: Garden) -> Open:
    """Open an address of the console and wait until there is a heading."""
    return opener(page, garden)


@pytest.fixture
def open_wild(page: Any, wild: Garden) -> Open:
    """The same of one to be changed."""
    return opener(page, wild)


# ---------------------------------------------------------------------- repos and versions
def test_repos_are_listed_and_lead_to_their_versions(open_page: Open, garden: Garden) -> None:
    page = open_page()
    assert page.inner_text("h1") == "Repos"
    card = page.inner_text(".card")
    assert "garden" in card
    assert "all the plants" in card
    assert "1 version, 1 open; 4 instances" in card
    assert "admin token" in page.inner_text("main")
    page.click("text=garden")
    page.wait_for_selector(".dag li")
    assert garden.root[:10] in page.inner_text(".dag li")
    assert page.title() == "garden · dvidpy"


def test_a_repo_is_made_where_that_is_allowed(serve: Serve, page: Any) -> None:
    served = serve(admin_token="")
    page.goto(f"http://127.0.0.1:{served.port}/")
    page.wait_for_selector("h1")
    assert page.inner_text("h1") == "This server has no repos yet"
    page.click("text=New repo")
    page.get_by_label("Name", exact=True).fill("orchard")
    page.click("button:has-text('Create')")
    page.wait_for_selector(".dag li")
    assert [repo["Alias"] for repo in served.http.get("/api/repos/info").json().values()] == ["orchard"]


def test_work_on_versions_from_the_page(open_wild: Open, wild: Garden) -> None:
    page = open_wild(f"/#/repo/{wild.root}", ".dag li")
    page.get_by_label("Your name").fill("rosa")
    page.get_by_label("Note of this version").fill("seedlings <b>bold</b>")
    page.click("button:has-text('Save note')")
    page.wait_for_selector("dd:has-text('seedlings <b>bold</b>')")  # as text, not as markup
    page.get_by_label("Line for the log").fill("watered")
    page.click("button:has-text('Add to log')")
    page.wait_for_selector("li:has-text('rosa: watered')")
    page.click("text=Who edited it")
    page.wait_for_selector("td:has-text('rosa')")
    page.get_by_label("Note of the commit").fill("spring")
    page.click("button:has-text('Commit')")
    page.wait_for_selector("dd:has-text('committed, never changes')")
    found = wild.node(wild.root)
    assert (found["Locked"], found["Note"]) == (True, "spring")
    assert found["Log"][-1].endswith("rosa: committed")

    page.get_by_label("Note of the new version").fill("summer")
    page.click("button:has-text('New version')")
    page.wait_for_selector(".dag li:nth-child(2)")
    page.click(f".dag a:has-text('{wild.root[:10]}')")
    page.wait_for_selector("button:has-text('New branch')")
    page.get_by_label("Name of the branch").fill("greenhouse")
    page.click("button:has-text('New branch')")
    page.wait_for_selector(".dag li:nth-child(3)")
    page.click(f".dag a:has-text('{wild.root[:10]}')")
    page.get_by_label("Name of the tag").fill("v1")
    page.click("button:has-text('Tag this version')")
    page.wait_for_selector(".dag .chip:has-text('tag v1')")
    text = page.inner_text(".dag")
    for word in ("greenhouse", "summer", "open", "committed", "master"):
        assert word in text
    assert wild.node("v1")["Locked"]


def test_an_instance_is_made_by_keyboard_alone(open_wild: Open, wild: Garden) -> None:
    page = open_wild(f"/#/repo/{wild.root}", "table.stacks")
    page.focus("summary:has-text('New instance')")
    page.keyboard.press("Enter")
    page.wait_for_selector("button:has-text('Create instance')")
    for word in ("Tab", "cells", "Tab", "labelmap", "Tab", "4,4,40", "Tab", "2", "Tab", "Tab", "Enter"):
        page.keyboard.press(word) if word in ("Tab", "Enter") else page.keyboard.type(word)
    page.wait_for_selector("th:has-text('cells')")
    made = wild.served.http.get(f"/api/node/{wild.root}/cells/info").json()
    assert made["Base"]["TypeName"] == "labelmap"
    assert made["Extended"]["VoxelSize"] == [4, 4, 40]
    assert made["Extended"]["MaxDownresLevel"] == 2

    page.click("summary:has-text('New instance')")
    page.locator("select[name=typename]").select_option("annotation")
    assert not page.is_visible("text=Of images and labels")
    page.get_by_label("Name of the instance").fill("spines")
    page.get_by_label("Follows these instances").fill("cells")
    page.click("button:has-text('Create instance')")
    page.wait_for_selector("tr:has(th:has-text('spines')) td[data-label=Follows]:has-text('cells')")
    page.click("summary:has-text('New instance')")
    page.get_by_label("Name of the instance").fill("gray")
    page.click("button:has-text('Create instance')")
    page.wait_for_selector("[role=alert]:has-text('gray')")


def test_the_admin_token_opens_what_is_kept_from_others(open_wild: Open, wild: Garden) -> None:
    page = open_wild("/", ".card")
    page.click("summary:has-text('New repos need the admin token')")
    for token in ("guessed", TOKEN):
        page.locator("input[name=token]").fill(token)
        page.click("button:has-text('Use it')")
        page.wait_for_selector("[role=alert]:has-text('not the admin token')" if token != TOKEN else "text=New repo")
    page.click("summary:has-text('New repo')")
    page.get_by_label("Name", exact=True).fill("orchard")
    page.click("button:has-text('Create')")
    page.wait_for_selector("h1:has-text('orchard')")
    page.click("nav a:has-text('Repos')")
    page.click("a:has-text('garden')")
    page.wait_for_selector("tr:has(th:has-text('gray')) td[data-label=Stored]:has-text('KiB')")


def test_what_the_server_refuses_is_said(open_wild: Open, wild: Garden) -> None:
    wild.served.commit(wild.root)
    wild.served.child(wild.root, "branch", branch="side")
    page = open_wild(f"/#/repo/{wild.root}/{wild.root}", ".dag li")
    page.get_by_label("Name of the branch").fill("side")
    page.click("button:has-text('New branch')")
    page.wait_for_selector("[role=alert]:has-text('side')")
    assert len(page.query_selector_all(".dag li")) == 2


def test_the_versions_are_drawn(open_wild: Open, wild: Garden) -> None:
    served = wild.served
    served.commit(wild.root)
    main, side = served.child(wild.root), served.child(wild.root, "branch", branch="side")
    served.commit(main)
    served.commit(side)
    merge = {"mergeType": "conflict-free", "parents": [main, side]}
    assert served.http.post(f"/api/repo/{wild.root}/merge", json=merge).status_code == 200
    page = open_wild(f"/#/repo/{wild.root}", ".dag li")
    dots = page.eval_on_selector_all(
        ".dag circle", "all => all.map(one => [+one.getAttribute('cx'), +one.getAttribute('cy')])"
    )
    done = page.eval_on_selector_all(".dag circle", "all => all.map(one => one.classList.contains('done'))")
    assert len(dots) == 4
    assert done == [False, True, True, True]  # the newest first; it is open
    assert len({x for x, _ in dots}) == 2  # two branches, two lanes
    assert [y for _, y in dots] == sorted(y for _, y in dots)
    assert page.locator(".dag .edge").count() == 4
    rows = page.eval_on_selector_all(".dag li", "all => all.map(one => one.getBoundingClientRect().top)")
    tops = page.eval_on_selector_all(".dag circle", "all => all.map(one => one.getBoundingClientRect().top)")
    assert all(0 < top - row < 40 for row, top in zip(rows, tops, strict=True))  # dots stand beside their words


def test_versions_by_keyboard(open_wild: Open, wild: Garden) -> None:
    wild.served.commit(wild.root)
    child = wild.served.child(wild.root)
    page = open_wild(f"/#/repo/{wild.root}", ".dag li")
    assert child[:10] in page.inner_text("[aria-current]")
    page.locator(".dag a").first.focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_selector(f"[aria-current]:has-text('{wild.root[:10]}')")
    page.wait_for_selector("dd:has-text('committed, never changes')")


# ---------------------------------------------------------------------- instances
def test_instances_with_their_sizes_and_links(open_page: Open, garden: Garden) -> None:
    page = open_page(f"/#/repo/{garden.root}", "table")
    page.wait_for_selector("td:has-text('64 \N{MULTIPLICATION SIGN} 64 \N{MULTIPLICATION SIGN} 64')")
    rows = {row.locator("th").inner_text(): row for row in page.locator("table.stacks tbody tr").all()}
    assert set(rows) == {"gray", "bodies", "synapses", "notes"}
    assert "8 \N{MULTIPLICATION SIGN} 8 \N{MULTIPLICATION SIGN} 16 nm" in rows["gray"].inner_text()
    assert "KiB" not in rows["gray"].inner_text()  # it is told to bearers of the admin token
    assert "bodies" in rows["synapses"].locator("td[data-label=Follows]").inner_text()
    assert rows["notes"].locator("a:has-text('Slices')").count() == 0
    assert rows["gray"].locator("a:has-text('uint8blk')").get_attribute("href") == "/docs/uint8blk"
    view = rows["synapses"].locator("a:has-text('Neuroglancer')").get_attribute("href")
    assert all(name in view for name in ("gray", "bodies", "synapses", "linkedSegmentationLayer"))


def test_an_instance_without_voxels_says_so(open_wild: Open, wild: Garden) -> None:
    wild.served.instance(wild.root, "empty", "uint8blk")
    page = open_wild(f"/#/repo/{wild.root}", "table")
    page.wait_for_selector("td:has-text('no voxels yet')")
    page.goto(f"http://127.0.0.1:{wild.served.port}/#/slices/{wild.root}/empty")
    page.wait_for_selector("[role=alert]:has-text('no voxels')")


# ---------------------------------------------------------------------- slices
def pixels(page: Any, *places: tuple[int, int]) -> list[tuple[int, ...]]:
    """Colours of voxels of the drawn slice, which lie in the middle of the canvas, counted from that."""
    script = """([places, across, down]) => {
        const canvas = document.querySelector("canvas"), context = canvas.getContext("2d");
        return places.map(([x, y]) => [...context.getImageData(
            canvas.width / 2 + x * across + across / 2, canvas.height / 2 + y * down + down / 2, 1, 1).data]);
    }"""
    zoom = float(page.evaluate("new URLSearchParams(location.hash.split('?')[1]).get('zoom')"))
    plane = page.evaluate("new URLSearchParams(location.hash.split('?')[1]).get('plane')")
    tall = 2 if plane != "xy" else 1  # voxels are twice as long along z
    return [tuple(found) for found in page.evaluate(script, [places, zoom, zoom * tall])]


def test_a_slice_is_the_voxels(open_page: Open, garden: Garden) -> None:
    at = (30, 33, 21)
    page = open_page(f"/#/slices/{garden.root}/gray?plane=xy&at=30,33,21&with=", "canvas[data-drawn='xy 30,33,21']")
    for plane, (right, down) in {"xy": (0, 1), "xz": (0, 2), "yz": (1, 2)}.items():
        page.get_by_label("Plane").select_option(plane)
        page.wait_for_selector(f"canvas[data-drawn='{plane} 30,33,21']")
        steps = [(0, 0), (5, 0), (0, 7), (-12, -9)]
        for step, seen in zip(steps, pixels(page, *steps), strict=True):
            point = list(at)
            point[right] += step[0]
            point[down] += step[1]
            x, y, z = point
            assert seen == (*(int(garden.voxels[z, y, x]),) * 3, 255)


def test_a_slice_that_comes_late_is_not_called_the_one_wanted_by_then(open_page: Open, garden: Garden) -> None:
    page = open_page(f"/#/slices/{garden.root}/gray?plane=xy&at=30,33,21&with=", "canvas[data-drawn='xy 30,33,21']")
    held: list[Any] = []

    def hold(route: Any) -> None:
        held.append(route)

    page.route("**/raw/xy/**", hold)
    with page.expect_request("**/raw/xy/**"):
        page.get_by_label("Plane").select_option("xy")
    page.evaluate("delete document.querySelector('canvas').dataset.drawn")
    page.evaluate("window.requestAnimationFrame = (draw) => { window.turned = draw; return 1; }")
    page.get_by_label("Plane").select_option("xz")
    held.pop().continue_()
    page.wait_for_selector("canvas[data-drawn]")
    assert page.locator("canvas").get_attribute("data-drawn") == "xy 30,33,21"
    page.evaluate("turned()")
    page.wait_for_selector("canvas[data-drawn='xz 30,33,21']")


def test_colours_of_bodies_lie_over_the_image(open_page: Open, garden: Garden) -> None:
    where = f"/#/slices/{garden.root}/gray?plane=xy&at=32,32,32&with=bodies"
    page = open_page(where, "canvas[data-drawn='xy 32,32,32']")
    nobody, body = pixels(page, (-5, 0), (5, 0))
    assert len(set(nobody[:3])) == 1  # gray, where there is no body
    assert len(set(body[:3])) > 1
    page.keyboard.press("Tab")
    page.focus("canvas")
    page.keyboard.press("PageUp")
    page.wait_for_selector("canvas[data-drawn='xy 32,32,33']")
    page.keyboard.press("+")
    page.get_by_label("Number of the slice").fill("7")
    page.wait_for_selector("canvas[data-drawn='xy 32,32,7']")


def test_a_label_above_what_numbers_hold_is_told_exactly(open_page: Open, garden: Garden) -> None:
    page = open_page(f"/#/slices/{garden.root}/bodies?at=40,32,32", "canvas[data-drawn='xy 40,32,32']")
    page.focus("canvas")
    page.keyboard.press("Enter")
    page.wait_for_selector("code.body")
    assert page.inner_text("code.body") == str(BIG)
    box = page.locator("canvas").bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2 - 240, box["y"] + box["height"] / 2)
    page.wait_for_selector("text=No body 0")


# ---------------------------------------------------------------------- the server
def test_load_queues_and_latencies(open_page: Open, garden: Garden) -> None:
    page = open_page("/#/server", ".meters b")
    text = page.inner_text("main")
    assert "0 of 2" in text
    assert "GET /api/load" in text or "GET /api/server/info" in text
    assert "memory" in text
    assert page.locator("th:has-text('Tasks waiting')").count() == 1


# ---------------------------------------------------------------------- everybody can use it
PAGES = ("/", "/#/repo/{root}", "/#/slices/{root}/gray", "/#/server")


def test_it_fits_a_phone(open_page: Open, page: Any, garden: Garden) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe: make browser").Axe()
    page.set_viewport_size(PHONE)
    for path in PAGES:
        open_page(path.format(root=garden.root))
        assert page.evaluate("document.scrollingElement.scrollWidth") <= PHONE["width"], path
        found = axe.run(
            page, options={"runOnly": ["scrollable-region-focusable", "target-size", "meta-viewport"]}
        ).response
        assert found["violations"] == [], path


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_keeps_anybody_out(open_page: Open, page: Any, garden: Garden, scheme: str) -> None:
    """Labels, names, contrast and order as axe checks them, at WCAG 2.2 AA."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe: make browser").Axe()
    page.emulate_media(color_scheme=scheme)
    rules = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
    colours = ["color-contrast"]  # nothing else depends on the scheme
    for path in PAGES:
        open_page(path.format(root=garden.root))
        page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")
        if "repo" in path:
            page.wait_for_selector("button:has-text('Create instance')")
        found = axe.run(page, options={"runOnly": colours if scheme == "dark" else rules}).response
        assert len(found["passes"]) > (0 if scheme == "dark" else 10)
        assert [(one["id"], [node["target"] for node in one["nodes"]]) for one in found["violations"]] == [], path
