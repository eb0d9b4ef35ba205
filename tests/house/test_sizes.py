from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from statistics import median, quantiles

import pytest
from house.tree import REPOSITORY, functions, sources

FUNCTION, FILE = 70, 600
"""Lines nothing goes beyond."""
TEST_FUNCTION, TEST_FILE = 100, 800
SOFT_FILE = 400
LARGE: dict[str, str] = {}
"""Files above SOFT_FILE, with the reason; none that has shrunk stays here."""
MEDIAN_BODY, P95_BODY = 10, 40


def long_functions(folder: str, limit: int) -> Iterator[str]:
    for path in sources(folder):
        for name, lines, _ in functions(path.read_text()):
            if lines > limit:
                yield f"{path.relative_to(REPOSITORY)}: {name} has {lines} lines"


def lines_of(path: Path) -> int:
    return len(path.read_text().splitlines())


@pytest.mark.parametrize(
    ("folder", "limit"), [("dvidpy", FUNCTION), ("benchmarks", FUNCTION), ("tests", TEST_FUNCTION)]
)
def test_no_function_is_too_long(folder: str, limit: int) -> None:
    assert list(long_functions(folder, limit)) == []


@pytest.mark.parametrize(("folder", "limit"), [("dvidpy", FILE), ("benchmarks", FILE), ("tests", TEST_FILE)])
def test_no_file_is_too_long(folder: str, limit: int) -> None:
    assert [str(path) for path in sources(folder) if lines_of(path) > limit] == []


def test_large_files_are_few_and_known() -> None:
    large = {str(path.relative_to(REPOSITORY)) for path in sources("dvidpy") if lines_of(path) > SOFT_FILE}
    assert large == set(LARGE)


def test_most_functions_are_short() -> None:
    bodies = [body for path in sources("dvidpy") for _, _, body in functions(path.read_text())]
    assert median(bodies) <= MEDIAN_BODY
    assert quantiles(bodies, n=20)[-1] <= P95_BODY


def test_lines_are_counted_without_the_docstring() -> None:
    text = 'def f():\n    """One.\n\n    Two.\n    """\n    a = 1\n    return a\n'
    assert list(functions(text)) == [("f", 7, 2)]
