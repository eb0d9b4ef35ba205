from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest
from recorded.sessions import Session, cases, golden, run
from servers import ServerProcess

CASES = list(cases())


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    server = ServerProcess(tmp_path_factory.mktemp("cases"))
    server.start()
    yield server.url
    server.stop()


@pytest.mark.parametrize(("stem", "name", "case"), CASES, ids=[f"{stem}.{name}" for stem, name, _ in CASES])
def test_answers_are_those_of_the_case(stem: str, name: str, case: Callable[[Session], None], url: str) -> None:
    expected = json.loads(golden(stem).read_text())[name]
    for found, wanted in zip(run(case, url), expected, strict=True):
        assert found == wanted
    assert all(one["status"] < 500 for one in expected)
