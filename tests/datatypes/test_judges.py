"""What `dvidpy check` learns from the datatypes of their stored values."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from served import Served

from dvidpy.datatypes.keyvalues.keys import typekey
from dvidpy.datatypes.registry import load_types
from dvidpy.datatypes.roi.keys import REGION
from dvidpy.datatypes.tarsupervoxels.keys import file_key
from dvidpy.storage.codecs import Codec
from dvidpy.storage.keys import DATA, after
from dvidpy.versioning.check import check_datastore
from dvidpy.versioning.duties import DUTIES, Duties, Kept, duties_of
from dvidpy.versioning.records import Instance


def kept(typename: str, typekey: bytes, value: bytes, version: int = 1) -> Kept:
    settings: dict[str, Any] = {}
    record: dict[str, Any] = {"name": "data", "number": 1, "uuid": "u", "repo": "r", "root_version": 1, "store": "main"}
    instance = Instance(
        type=typename, versioned=True, codec=Codec(), tags=None, settings=settings, created=datetime.now(UTC), **record
    )
    load_types()
    return Kept(instance, version, typekey, lambda: value)


def judged(one: Kept) -> list[str]:
    return list(duties_of(one.instance).judge(one))


def columns(*spans: tuple[int, int, int, int]) -> bytes:
    return np.array(spans, "<i4").reshape(-1, 4).T.tobytes()


@pytest.mark.parametrize(
    ("key", "value", "faults"),
    [
        (REGION, columns(), 0),
        (REGION, columns((-1, 5, 0, 0), (0, 0, 0, 3), (0, 0, 2, 3)), 0),
        (REGION, columns((0, 0, 0, 3), (0, 0, 0, 3)), 1),
        (REGION, columns((0, 0, 2, 3), (0, 0, 0, 3)), 1),
        (REGION, columns((0, 0, 3, 2)), 1),
        (REGION, b"123", 1),
        (b"\x02", columns(), 1),
    ],
)
def test_regions(key: bytes, value: bytes, faults: int) -> None:
    assert len(judged(kept("roi", key, value))) == faults


@pytest.mark.parametrize(
    ("key", "version", "faults"),
    [
        (file_key(1, "drc"), 1, 0),
        (file_key(2**64 - 1, "é\0"), 1, 0),
        (file_key(1, "drc"), 2, 1),
        (file_key(0, "drc"), 1, 1),
        (file_key(1, "drc")[:-1], 1, 1),
        (b"\x02" + file_key(1, "drc")[1:], 1, 1),
        (b"\x01\xff", 2, 2),
    ],
)
def test_files_of_supervoxels(key: bytes, version: int, faults: int) -> None:
    assert len(judged(kept("tarsupervoxels", key, b"", version))) == faults


def test_a_type_that_is_not_there_says_nothing() -> None:
    assert judged(kept("nobody's", b"", b"")) == []


@pytest.mark.parametrize("size", [3, 2_500_000])
def test_check_asks_of_every_value_and_names_its_key(
    served: Served, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    kv = served.instance(served.repo())
    assert served.http.post(f"{kv}/key/a", content=bytes(size)).status_code == 200
    assert served.http.delete(f"{kv}/key/b").status_code == 200
    datastore = served.server.datastore
    first = next(iter(datastore.main.store.scan_keys(DATA, after(DATA)))).hex()
    monkeypatch.setitem(DUTIES, "keyvalue", Duties(judge=lambda one: [f"{one.typekey!r} of {len(one.read())} bytes"]))
    report = check_datastore(datastore)
    monkeypatch.undo()
    assert report.faults == [f"store main: value of {first}: {typekey('a')!r} of {size} bytes"]
