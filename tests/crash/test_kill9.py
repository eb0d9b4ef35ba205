"""A server that is killed at random moments: nothing acknowledged is lost, nothing is half there."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest
from conftest import demand_sound
from crash.history import History
from servers import ServerProcess

from dvidpy.datatypes.registry import load_types
from dvidpy.versioning.check import sweep_orphans
from dvidpy.versioning.datastore import Datastore

SEEDS = (20240229, 19880229)
LONGEST_S = 0.4
"""Between the start of the writing and the kill."""
EVERY = 10
"""Rounds between two runs of `dvidpy check` as a program."""


@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_is_lost_and_nothing_is_half_there(tmp_path: Path, seed: int) -> None:
    """Fifty rounds in all, in two halves that run beside each other."""
    _crash_again_and_again(tmp_path, seed, rounds=25)


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", range(4))
def test_the_same_for_longer(tmp_path: Path, seed: int) -> None:
    _crash_again_and_again(tmp_path, seed, rounds=300)


def _crash_again_and_again(folder: Path, seed: int, rounds: int) -> None:
    chance = random.Random(seed)
    server, history = ServerProcess(folder), History(seed)
    for turn in range(rounds):
        server.start()
        history.url = server.url
        if turn:
            history.prove()
        writer = threading.Thread(target=history.write)
        writer.start()
        time.sleep(chance.uniform(0, LONGEST_S))
        server.kill()
        writer.join()
        _demand_sound(server, as_program=turn % EVERY == 0)
    server.start()
    history.url = server.url
    history.prove()
    history.prove_all()
    history.session.close()
    assert server.stop() in (0, -signal.SIGTERM)
    assert history.acknowledged > 2 * rounds
    with closing(Datastore(server.settings)) as datastore:
        sweep_orphans(datastore)
        demand_sound(datastore)


def _demand_sound(server: ServerProcess, *, as_program: bool) -> None:
    if as_program:
        command = [sys.executable, "-m", "dvidpy", "check", "--data", str(server.data)]
        over = subprocess.run(command, capture_output=True, text=True, check=False)
        assert over.returncode == 0, over.stderr
        assert over.stdout.startswith("0 faults")
    else:
        load_types()
        with closing(Datastore(server.settings)) as datastore:
            demand_sound(datastore)
