"""A server that is killed between edits and their consequences: those come, once, and lists and counts agree."""

from __future__ import annotations

import random
import threading
import time
from contextlib import closing, suppress
from pathlib import Path

import numpy as np
import requests
from annotated import SIDE, World, element, slabs
from conftest import demand_sound
from servers import ServerProcess

from dvidpy.datatypes.registry import load_types
from dvidpy.versioning.datastore import Datastore

TURNS = 4


def test_counts_outlive_kill_9(tmp_path: Path) -> None:
    load_types()
    chance = random.Random(20240301)
    server = ServerProcess(tmp_path)
    with closing(Datastore(server.settings)) as datastore:
        world = World(datastore)
        world.paint((0, 0, 0), slabs(1, 2, 3, 4))
        root, node = world.root, world.node
    answered: set[tuple[int, int, int]] = set()

    def post(turn: int) -> None:
        with requests.Session() as session, suppress(requests.RequestException):
            for at in np.ndindex(SIDE, SIDE):
                points = [(at[0], at[1], 4 * turn + z) for z in range(4)]
                body = [element(one, "Gap", ["t"]) for one in points]
                assert session.post(f"{server.url}/api/node/{root}/a/elements", json=body).status_code == 200
                answered.update(points)

    for turn in range(TURNS):
        server.start()
        poster = threading.Thread(target=post, args=(turn,))
        poster.start()
        time.sleep(chance.uniform(0.1, 0.6))
        server.kill()
        poster.join()
        with closing(Datastore(server.settings, working=False)) as datastore:  # as the crash left it
            world = World.seen(datastore, root, node)
            world.merge(1 + turn % 2, 3 + turn % 2) if turn < 2 else world.paint((0, 0, 0), slabs(1, turn))
    with closing(Datastore(server.settings)) as datastore:
        world = World.seen(datastore, root, node)
        world.settle()
        found = set(world.elements())
        assert answered <= found
        assert world.tagged("t") == found
        assert sum(world.counts().values()) == len(found)
        demand_sound(datastore)
