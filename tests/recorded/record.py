"""Write the answers of a server started for it into the scenarios: `make record`, or in tests/
`python -m recorded.record FILE…`. Read the difference before you keep it: an answer that changes is a client that may
break.
"""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import requests
from recorded.pairs import Player, read, scenarios, write
from servers import ServerProcess


def record(url: str, path: Path) -> None:
    """Ask all of a scenario again."""
    scenario = read(path)
    with requests.Session() as session:
        player = Player(url, scenario, session)
        for exchange in scenario["exchanges"]:
            exchange["answer"] = player.answer(exchange)
            if exchange["answer"]["status"] >= 500:
                raise SystemExit(f"{path}: {exchange['ask']} is a fault of the server, and not kept")
    write(path, scenario)


if __name__ == "__main__":
    with TemporaryDirectory() as folder:
        server = ServerProcess(Path(folder))
        server.start()
        try:
            for file in map(Path, sys.argv[1:]) if sys.argv[1:] else scenarios():
                record(server.url, file)
                print(file)
        finally:
            server.stop()
