from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from recorded.pairs import Player, read, scenarios
from servers import ServerProcess


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    server = ServerProcess(tmp_path_factory.mktemp("recorded"))
    server.start()
    yield server.url
    server.stop()


@pytest.mark.parametrize("path", scenarios(), ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_answers_are_those_recorded(path: Path, url: str, session: requests.Session) -> None:
    scenario = read(path)
    player = Player(url, scenario, session)
    for exchange in scenario["exchanges"]:
        assert player.answer(exchange) == exchange["answer"], exchange["ask"]
