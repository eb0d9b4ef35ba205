from __future__ import annotations

import asyncio
import os
import threading
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from dvidpy.cli import listening
from dvidpy.config import ServerSettings


def test_work_that_cannot_be_broken_off_does_not_hold_up_the_end(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Its thread goes on; the process ends all the same, and leaves no pid file."""
    ended = threading.Event()
    codes: list[int] = []

    def end(code: int) -> None:
        codes.append(code)
        ended.set()

    async def listens(self: Any, sockets: Any = None) -> None:
        self.started = True

    async def never_ends(self: Any, sockets: Any = None) -> None:
        await asyncio.to_thread(ended.wait, 20)

    monkeypatch.setattr(os, "_exit", end)
    monkeypatch.setattr(listening, "CLOSING_S", 0.1)
    monkeypatch.setattr(uvicorn.Server, "startup", listens)
    monkeypatch.setattr(uvicorn.Server, "shutdown", never_ends)
    settings = ServerSettings(shutdown_delay=0, pid_file=str(tmp_path / "pid"))
    server = listening._Listener(uvicorn.Config("nothing:app"), settings)

    async def start_and_end() -> None:
        await server.startup()
        assert (tmp_path / "pid").exists()
        await server.shutdown()

    asyncio.run(start_and_end())
    assert codes == [1]
    assert not (tmp_path / "pid").exists()
