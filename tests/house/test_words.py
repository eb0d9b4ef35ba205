from __future__ import annotations

import re
import tomllib

import pytest
from house.tree import REPOSITORY, sources, tracked

ATTICS = {"utils", "common", "helpers", "misc", "util"}
HOSTS = (
    "py" + "pi.org",
    "python" + "hosted.org",
    "npm" + "js.",
    "crates" + ".io",
    "proxy.golang" + ".org",
    "jfrog" + ".io",
)
PLACES = re.compile(r"(?<![\w.])/(?:wor" + r"k|roo" + r"t|hom" + r"e|User" + r"s)/\w")
UNFINISHED = re.compile(r"\b(?:TO" + r"DO|FIX" + r"ME|XX" + r"X)\b")


def texts() -> list[tuple[str, str]]:
    found = []
    for path in tracked():
        content = path.read_bytes()
        if b"\0" not in content:
            found.append((str(path.relative_to(REPOSITORY)), content.decode()))
    return found


def test_no_attic() -> None:
    assert [path for top in ("dvidpy", "tests", "benchmarks") for path in sources(top) if path.stem in ATTICS] == []


@pytest.mark.parametrize("host", HOSTS)
def test_no_package_registry_is_named(host: str) -> None:
    assert [name for name, text in texts() if host in text] == []


def test_no_place_of_a_machine_is_named() -> None:
    assert [(name, found[0]) for name, text in texts() for found in [PLACES.search(text)] if found] == []


def test_nothing_is_left_for_later() -> None:
    assert [(name, found[0]) for name, text in texts() for found in [UNFINISHED.search(text)] if found] == []


def _normal(name: str) -> str:
    return name.lower().replace("_", "-")


def test_pins_are_names_and_versions() -> None:
    pins = (REPOSITORY / "constraints.txt").read_text().splitlines()
    assert [pin for pin in pins if not re.fullmatch(r"[\w.-]+==[\w.]+", pin)] == []
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    wanted = [
        *project["dependencies"],
        *(name for extra in project["optional-dependencies"].values() for name in extra),
    ]
    pinned = {_normal(pin.partition("==")[0]) for pin in pins}
    assert {_normal(re.split(r"[\[><=]", name)[0]) for name in wanted} <= pinned
    assert [pin.partition("==")[0].lower() for pin in pins] == sorted(pin.partition("==")[0].lower() for pin in pins)
