"""The program's source files, as the house rules read them."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]


@cache
def tracked() -> tuple[Path, ...]:
    """Files under version control that are there."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    return tuple(path for name in listed.stdout.split("\0") if name and (path := REPOSITORY / name).is_file())


def sources(top: str) -> list[Path]:
    """Python files of a folder."""
    return sorted((REPOSITORY / top).rglob("*.py"))


def module_of(path: Path) -> str:
    """Dotted name of a file of the package."""
    parts = path.relative_to(REPOSITORY).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(text: str) -> Iterator[str]:
    """Every module of dvidpy that a source imports, wherever in the file; of a package's names, those that are
    modules.
    """
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.split(".")[0] == "dvidpy")
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "imports are absolute"
            if node.module and node.module.split(".")[0] == "dvidpy":
                yield from (_module(node.module, alias.name) for alias in node.names)


def _module(package: str, name: str) -> str:
    place = REPOSITORY.joinpath(*package.split("."), name)
    return f"{package}.{name}" if place.is_dir() or place.with_suffix(".py").is_file() else package


def functions(text: str) -> Iterator[tuple[str, int, int]]:
    """(name, lines, lines of the body without its docstring) of every function, inner ones too."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0]
            documented = ast.get_docstring(node) is not None
            start = (first.end_lineno or 0) + 1 if documented else first.lineno
            end = node.end_lineno or 0
            yield node.name, end - node.lineno + 1, end - start + 1
