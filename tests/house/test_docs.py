"""The documentation says what is there, and its examples run."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main
from house.api_page import page
from house.tree import REPOSITORY, tracked
from servers import ServerProcess, free_port

from dvidpy.cli.commands import app
from dvidpy.config import NAMED, SINGLE, load_settings
from dvidpy.storage.keys import SPACES

DOCS = REPOSITORY / "docs"
COMMAND_LINE = (DOCS / "command-line.md").read_text(encoding="utf-8")
CONFIGURATION = (DOCS / "configuration.md").read_text(encoding="utf-8")
PAGES = [path for path in tracked() if path.suffix == ".md" and path.relative_to(REPOSITORY).parts[0] != "dvidpy"]
EXAMPLE = re.compile(r"<!-- runs -->\n```(sh|python)\n(.*?)```", re.DOTALL)
BEGINS = r"^(?:\| )?\*\*"
LINK = re.compile(r"\]\(([^)#:]+)(#[^)]*)?\)")


# ---------------------------------------------------------------------- settings and commands
def settings() -> Iterator[tuple[str, str]]:
    """(section, name as the reference writes it)."""
    sections = {f"[{name}]": model for name, model in SINGLE.items()}
    sections |= {f"[{name}.NAME]": model for name, model in NAMED.items()}
    for section, model in sections.items():
        yield from ((section, name) for name in model.names().values())


@pytest.mark.parametrize(("section", "name"), settings_list := list(settings()))
def test_every_setting_has_its_paragraph_or_row(section: str, name: str) -> None:
    described = CONFIGURATION.partition(f"## {section}\n")[2].partition("\n## ")[0]
    assert re.search(rf"{BEGINS}{name}\*\*", described, re.MULTILINE)


def test_no_setting_is_described_that_is_not_there() -> None:
    described = re.findall(rf"{BEGINS}(\w+)\*\*", CONFIGURATION, re.MULTILINE)
    assert sorted(described) == sorted(name for _, name in settings_list)


def commands(command: Any, words: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """(as it is called, command): `repo UUID info`."""
    for name, inner in getattr(command, "commands", {}).items():
        takes = [parameter.name.upper() for parameter in inner.params if parameter.param_type_name == "argument"]
        if hasattr(inner, "commands"):
            yield from commands(inner, (*words, name, *takes))
        else:
            yield " ".join((*words, name)), inner


COMMANDS = list(commands(typer.main.get_command(app)))


@pytest.mark.parametrize(("name", "command"), COMMANDS)
def test_every_command_and_option_is_described(name: str, command: Any) -> None:
    described = (CONFIGURATION + COMMAND_LINE).splitlines()
    lines = "".join(line for line in described if re.match(rf"\| `dvidpy {name}[ `]", line))
    assert lines
    options = [option for parameter in command.params for option in parameter.opts if option.startswith("--")]
    assert [option for option in options if option not in lines] == []


@pytest.mark.parametrize("name", [name for name, _ in COMMANDS])
def test_every_command_has_an_example_that_runs(name: str) -> None:
    run = "".join(text for _, language, text in examples() if language == "sh")
    assert re.search(r"\bdvidpy " + re.sub(r"\b[A-Z]+\b", r"\\S+", name) + r"\b", run)


@pytest.mark.parametrize("path", sorted((REPOSITORY / "configs").glob("*.toml")), ids=lambda path: path.stem)
def test_every_configuration_loads_whole(path: Path) -> None:
    assert load_settings(path).warnings == ()


def test_targets_of_make_are_those_the_readme_names() -> None:
    targets = set(re.search(r"^\.PHONY: (.*)$", (REPOSITORY / "Makefile").read_text(), re.MULTILINE)[1].split())  # type: ignore[index]
    named = set(re.findall(r"make ([\w-]+)", (REPOSITORY / "README.md").read_text()))
    assert named <= targets
    assert targets - named <= {"test-kernels", "clean"}


# ---------------------------------------------------------------------- internals
def test_every_space_of_the_store_is_described() -> None:
    text = (DOCS / "internals" / "data-format.md").read_text(encoding="utf-8")
    for prefix, name in SPACES.items():
        assert f"| {name.upper()} | `{prefix.hex()}`" in text


def test_the_api_page_is_current() -> None:
    assert (DOCS / "api.md").read_text(encoding="utf-8") == page(), "run `make docs`"


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_links_lead_somewhere(path: Path) -> None:
    targets = [found[1] for found in LINK.finditer(path.read_text(encoding="utf-8"))]
    assert [target for target in targets if not (path.parent / target).exists()] == []


@pytest.mark.parametrize("path", sorted((DOCS / "decisions").glob("*.md")), ids=lambda path: path.stem)
def test_decisions_have_their_three_parts(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert re.match(r"# \d{3}:? ", text)
    assert all(re.search(rf"^(\*\*|## ){part}", text, re.MULTILINE) for part in ("Context", "Decision", "Consequence"))
    assert 10 <= len(text.splitlines()) <= 32


# ---------------------------------------------------------------------- examples
def examples() -> Iterator[tuple[str, str, str]]:
    """(page, language, text)."""
    for path in PAGES:
        for found in EXAMPLE.finditer(path.read_text(encoding="utf-8")):
            yield str(path.relative_to(REPOSITORY)), found[1], found[2]


@pytest.mark.parametrize(("path", "language", "text"), list(examples()))
def test_examples_run(path: str, language: str, text: str, server_process: ServerProcess, tmp_path: Path) -> None:
    command = [sys.executable, "-c", text] if language == "python" else ["bash", "-euo", "pipefail", "-c", text]
    places = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = os.environ | {"server": server_process.url, "port": str(free_port()), "PATH": places}
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=200, check=False
    )
    assert done.returncode == 0, f"{path}: {done.stdout}{done.stderr}"


def test_there_are_examples_to_run() -> None:
    assert len(list(examples())) >= 4
