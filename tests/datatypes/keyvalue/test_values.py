"""Single keys over HTTP."""

from __future__ import annotations

import gzip
import json
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from served import Served

from dvidpy.datatypes.keyvalues.keys import LONGEST

ANY_KEY = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="/"), min_size=1, max_size=12)
SAME_SERVER = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)


@pytest.fixture
def kv(served: Served) -> str:
    return served.instance(served.repo())


@SAME_SERVER
@given(ANY_KEY, st.binary(min_size=1, max_size=200))
@example("\x00", b"1")
@example('"', b"2")
@example("\\", b"3")
@example("\ufffd", b"4")
@example("..", b"5")
@example("%2F", b"6")
@example("\u2028\U0001f41f", b"7")
@example("key", b"8")
@example("a?b#c", b"9")
@example(" ", b"0")
def test_a_value_comes_back_under_any_key_and_listings_stay_json(
    served: Served, kv: str, key: str, value: bytes
) -> None:
    place = f"{kv}/key/{quote(key, safe='')}"
    if key in (".", ".."):  # clients take these for folders; the bytes on the wire count
        assert b" 200 " in served.raw(
            b"POST %b/key/%b HTTP/1.1\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%b"
            % (kv.encode(), key.encode(), len(value), value)
        )
    else:
        assert served.http.post(place, content=value).status_code == 200
        assert served.http.get(place).content == value
        assert served.http.head(place).status_code == 200
    keys = served.http.get(f"{kv}/keys").json()
    assert key in keys
    assert keys == sorted(keys, key=str.encode)
    asked = served.http.request("GET", f"{kv}/keyvalues?tar=false", content=b"")
    assert asked.status_code == 200
    assert {entry.get("Key") for entry in served.http.get(f"{kv}/mutations").json()} == set(keys)


@pytest.mark.parametrize(
    "size", [1, 65_535, 65_536, 65_537, 1 << 20, (1 << 20) + 1, 2 << 20, 3_500_000], ids=lambda size: f"{size}B"
)
def test_values_of_every_size_come_back(served: Served, kv: str, size: int) -> None:
    value = bytes(range(256)) * (size // 256) + bytes(size % 256)
    answer = served.http.post(f"{kv}/key/a", content=value)
    assert (answer.status_code, answer.content) == (200, b"")
    found = served.http.get(f"{kv}/key/a")
    assert found.content == value
    assert int(found.headers["content-length"]) == size
    assert found.headers["accept-ranges"] == "bytes"
    head = served.http.head(f"{kv}/key/a")
    assert (head.status_code, head.content) == (200, b"")


@pytest.mark.parametrize("compression", ["none", "lz4", "snappy", "gzip:9", "blosc"])
@pytest.mark.parametrize("checksum", ["none", "crc32"])
def test_packings_give_back_what_they_took(served: Served, compression: str, checksum: str) -> None:
    kv = served.instance(served.repo(), Compression=compression, Checksum=checksum)
    for value in (b"x", b"ab" * 5000, bytes(1_500_000)):
        served.http.post(f"{kv}/key/a", content=value)
        assert served.http.get(f"{kv}/key/a").content == value
        assert served.http.get(f"{kv}/key/a", headers={"Range": "bytes=0-0"}).content == value[:1]


def test_a_large_value_replaces_a_small_one_and_back(served: Served, kv: str) -> None:
    for value in (b"small", bytes(2_000_000), b"small again", bytes(1_100_000), b""):
        served.http.post(f"{kv}/key/a", content=value)
        assert served.http.head(f"{kv}/key/a").status_code == 200
        assert served.http.get(f"{kv}/key/a").content == (value or f"Key 'a' not found ({kv}/key/a).\n".encode())
    served.http.delete(f"{kv}/key/a")
    assert served.http.head(f"{kv}/key/a").status_code == 404


def test_a_gzip_body_is_unpacked(served: Served, kv: str) -> None:
    value = bytes(range(256)) * 20_000
    for body in (gzip.compress(value), gzip.compress(value[:99]) + gzip.compress(value[99:])):
        answer = served.http.post(f"{kv}/key/a", content=body, headers={"Content-Encoding": "gzip"})
        assert answer.status_code == 200
        assert served.http.get(f"{kv}/key/a").content == value


@pytest.mark.parametrize(
    "spoil", [lambda b: b[:-9], lambda b: b[:5], lambda b: b"", lambda b: b"no", lambda b: b + b"x"]
)
def test_a_torn_gzip_body_changes_nothing(served: Served, kv: str, spoil: object) -> None:
    assert callable(spoil)
    served.http.post(f"{kv}/key/a", content=b"old")
    body = spoil(gzip.compress(bytes(3_000_000)))
    assert served.http.post(f"{kv}/key/a", content=body, headers={"Content-Encoding": "gzip"}).status_code == 400
    assert served.http.get(f"{kv}/key/a").content == b"old"


def test_keys_that_are_none(served: Served, kv: str) -> None:
    for path in ("/key", "/key/", "/key//", "/key//a", "/key/" + "x" * (LONGEST + 1)):
        for method in ("GET", "HEAD", "POST", "DELETE"):
            assert served.http.request(method, kv + path).status_code == 400, (method, path[:20])
    assert served.http.get(f"{kv}/keys").json() == []
    assert served.http.get(f"{kv}/mutations").json() == []


def test_a_final_slash_and_what_follows_are_ignored(served: Served, kv: str) -> None:
    served.http.post(f"{kv}/key/a/b/c", content=b"1")
    for path in ("a", "a/", "a/b", "a%2Fb/"):
        assert served.http.get(f"{kv}/key/{path}").content == b"1"


def test_ten_thousand_keys(served: Served, kv: str) -> None:
    from dvidpy.datatypes.keyvalues.messages import encode_keyvalues

    names = [f"{number:05}" for number in range(10_000)]
    body = encode_keyvalues([(name, name.encode()) for name in names])
    assert served.http.post(f"{kv}/keyvalues", content=body).status_code == 200
    assert served.http.get(f"{kv}/keys").json() == names
    assert served.http.get(f"{kv}/keyrange/00100/00199").json() == names[100:200]
    assert served.http.get(f"{kv}/keyrangevalues/0/9").content == body
    shown = json.loads(served.http.get(f"{kv}/keyrangevalues/00000/00000?json=true").content.replace(b":00000", b":0"))
    assert shown == {"00000": 0}
    assert len(served.http.get(f"{kv}/mutations").json()) == 10_000


def test_an_unversioned_instance_is_the_same_in_every_version(served: Served) -> None:
    root = served.repo()
    kv = served.instance(root, versioned="false")
    served.http.post(f"{kv}/key/a", content=b"1")
    served.commit(root)
    child = served.child(root)
    assert served.http.post(f"/api/node/{child}/kv/key/a", content=b"2").status_code == 200
    assert served.http.get(f"{kv}/key/a").content == b"2"
    assert served.http.post(f"{kv}/key/a", content=b"3").status_code == 200  # although its version is locked
    assert served.http.get(f"/api/node/{child}/kv/key/a").content == b"3"
    served.http.delete(f"/api/node/{child}/kv/key/a")
    assert served.http.get(f"{kv}/keys").json() == []
    entries = served.http.get(f"/api/node/{child}/kv/mutations").json()
    assert [(entry["Action"], entry["Key"]) for entry in entries] == [("postkv", "a")] * 3 + [("delete", "a")]
