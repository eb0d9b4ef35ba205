"""A server that is killed while it frees what was deleted: what is deleted stays so, and all of it goes in the end."""

from __future__ import annotations

import random
import time
from contextlib import closing
from pathlib import Path

import requests
from conftest import demand_sound
from servers import ServerProcess

from dvidpy.datatypes.keyvalues.messages import encode_keyvalues
from dvidpy.datatypes.registry import load_types
from dvidpy.storage import keys
from dvidpy.versioning.check import check_datastore
from dvidpy.versioning.datastore import Datastore

KEYS = 60_000
"""Three steps of freeing."""
LONGEST_S = 0.5


def _fill(url: str, session: requests.Session, root: str, name: str) -> None:
    made = session.post(f"{url}/api/repo/{root}/instance", json={"typename": "keyvalue", "dataname": name})
    assert made.ok
    for start in range(0, KEYS, 20_000):
        pairs = [(f"key{number:06}", b"value") for number in range(start, start + 20_000)]
        assert session.post(f"{url}/api/node/{root}/{name}/keyvalues", data=encode_keyvalues(pairs)).ok
    assert session.post(f"{url}/api/node/{root}/{name}/key/large", data=bytes(3 << 20)).ok


def test_a_deletion_outlives_kill_9(tmp_path: Path) -> None:
    load_types()
    chance = random.Random(20240229)
    server = ServerProcess(tmp_path)
    server.start()
    half_way = 0
    with requests.Session() as session:
        root = session.post(f"{server.url}/api/repos", json={}).json()["root"]
        session.post(f"{server.url}/api/repo/{root}/instance", json={"typename": "keyvalue", "dataname": "kept"})
        session.post(f"{server.url}/api/node/{root}/kept/key/a", data=b"1")
        for turn in range(4):
            _fill(server.url, session, root, f"gone{turn}")
            answer = session.delete(f"{server.url}/api/repo/{root}/gone{turn}", params={"imsure": "true"})
            assert answer.status_code == 200
            time.sleep(chance.uniform(0, LONGEST_S) if turn else 0)
            server.kill()
            with closing(Datastore(server.settings, working=False)) as looked:
                report = check_datastore(looked)
                half_way += bool(looked.repos.deleted)
            assert report.faults == []
            server.start()
            names = session.get(f"{server.url}/api/repo/{root}/info").json()["DataInstances"]
            assert list(names) == ["kept"]
            assert session.get(f"{server.url}/api/node/{root}/kept/key/a").content == b"1"
    server.stop()
    assert half_way
    with closing(Datastore(server.settings)) as datastore:
        demand_sound(datastore)
        assert datastore.repos.deleted == {}
        (kept,) = datastore.catalogue.instances()
        left = datastore.main.store.scan_keys(keys.DATA, keys.after(keys.PARTS))
        assert {int.from_bytes(key[1:5], "big") for key in left} == {kept}
        assert len(list(datastore.main.log.lines.names())) == 1
        assert {mutation.instance for mutation in datastore.main.log.records()} == {kept}
