"""A server that is killed in the middle of a reload, and of the consequences of a merge: afterwards all lists agree."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
import requests
from annotated import KINDS, World, element
from conftest import demand_sound
from numpy.typing import NDArray
from servers import ServerProcess

from dvidpy.datatypes.annotation.reload import ask as reload
from dvidpy.datatypes.registry import load_types
from dvidpy.versioning.datastore import Datastore

BLOCK, WIDTH, BODIES = 64, 256, 4
LAYERS = 4
"""Of places: a reload is so many tasks."""
LAYER = 512
TAGS = ("t", "two words")
PATIENCE_S = 3000.0


def volume() -> NDArray[np.uint64]:
    """Bodies 1 to 4, slabs along x; 65,536 voxels of each z."""
    x = np.repeat(np.arange(1, BODIES + 1, dtype=np.uint64), WIDTH // BODIES)
    return np.broadcast_to(x, (BLOCK, WIDTH, WIDTH))


def points(count: int) -> NDArray[np.int64]:
    """(count, 3) different ones x, y, z: most in bodies, others in layers without any."""
    chance = np.random.default_rng(count)
    places = chance.choice(BLOCK * WIDTH * WIDTH, count, replace=False)
    z, y, x = np.unravel_index(places, (BLOCK, WIDTH, WIDTH))
    layer = np.where(np.arange(count) % 8 == 0, np.arange(count) // 8 % LAYERS, 0)
    return np.stack([x, y, z + LAYER * layer], axis=1)


def by_block(elements: list[dict[str, Any]]) -> bytes:
    """The body of POST blocks."""
    blocks: dict[str, list[dict[str, Any]]] = {}
    for one in elements:
        blocks.setdefault(",".join(str(at // BLOCK) for at in one["Pos"]), []).append(one)
    return orjson.dumps(blocks)


def kill_during(server: ServerProcess, delay_s: float, ask: Callable[[requests.Session], Any]) -> None:
    """Start the server, ask for something, and kill it some time after that was sent."""
    server.start()

    def send() -> None:
        with requests.Session() as session, suppress(requests.RequestException):
            ask(session)

    sender = threading.Thread(target=send)
    sender.start()
    time.sleep(delay_s)
    server.kill()
    sender.join()


def demand_agreement(world: World, wanted: NDArray[np.int64]) -> None:
    """Lists and counts are those of the elements, and of the segmentation as it is."""
    found = world.elements()
    assert len(found) == len(wanted)
    labels = world.lm.labels_at(np.ascontiguousarray(wanted[:, ::-1])).tolist()
    listed: dict[int, set[tuple[int, ...]]] = {label: set() for label in range(1, BODIES + 1)}
    counts: Counter[tuple[int, str]] = Counter()
    for at, label in zip(map(tuple, wanted.tolist()), labels, strict=True):
        if label:
            listed[label].add(at)
            counts[label, found[at]["Kind"]] += 1
    for label, some in listed.items():
        assert world.labelled(label) == some
    assert world.counts() == counts
    for tag in TAGS:
        assert world.tagged(tag) == {at for at, one in found.items() if tag in one["Tags"]}


@pytest.mark.parametrize(
    ("count", "slowest_s"),
    [(4_000, 0.5), pytest.param(1_000_000, 20.0, marks=[pytest.mark.long, pytest.mark.timeout(7200)])],
)
def test_lists_outlive_kill_9(tmp_path: Path, count: int, slowest_s: float) -> None:
    load_types()
    chance = random.Random(count)
    wanted = points(count)
    elements = [
        element(at, KINDS[number % 4], TAGS[number % 3 :]) for number, at in enumerate(map(tuple, wanted.tolist()))
    ]
    server = ServerProcess(tmp_path)
    with closing(Datastore(server.settings)) as datastore:
        world = World(datastore, side=BLOCK)
        world.paint_all(volume())
        world.settle(PATIENCE_S)
        world.a.put_blocks(by_block(elements))
        root, node = world.root, world.node
    path = f"api/node/{root}"
    with closing(Datastore(server.settings, working=False)) as datastore:
        reload(World.seen(datastore, root, node).a)  # it begins when a server does
    for _ in range(3):
        kill_during(server, chance.uniform(0, slowest_s), lambda session: session.get(f"{server.url}/{path}/a/info"))
    with closing(Datastore(server.settings)) as datastore:
        world = World.seen(datastore, root, node)
        world.settle(PATIENCE_S)
        demand_agreement(world, wanted)
    for merged in ([1, 2], [3, 1], [4, 3]):
        kill_during(
            server,
            chance.uniform(0, slowest_s),
            lambda session, merged=merged: session.post(f"{server.url}/{path}/lm/merge", json=merged),  # type: ignore[misc]
        )
    with closing(Datastore(server.settings)) as datastore:
        world = World.seen(datastore, root, node)
        world.settle(PATIENCE_S)
        demand_agreement(world, wanted)
        demand_sound(datastore)
