"""Many keys at once over HTTP, in every form."""

from __future__ import annotations

import io
import json
import tarfile
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from served import Served

from dvidpy.datatypes.exchange import gather
from dvidpy.datatypes.keyvalue import batch_routes
from dvidpy.datatypes.keyvalue.batches import item_of, look_up
from dvidpy.datatypes.keyvalue.values import KeyValue
from dvidpy.datatypes.keyvalues.forms import QUICK, as_json, as_protobuf, as_tar
from dvidpy.datatypes.keyvalues.messages import encode_keyvalues, parse_keyvalues
from dvidpy.versioning import commits

KEYS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="/"), min_size=1, max_size=30)
PAIRS = st.dictionaries(KEYS | st.just("é" * 80) | st.just("x" * 101), st.binary(max_size=700), max_size=5)


@pytest.fixture
def kv(served: Served) -> str:
    return served.instance(served.repo())


def post(served: Served, kv: str, pairs: list[tuple[str, bytes]]) -> int:
    return served.http.post(f"{kv}/keyvalues", content=encode_keyvalues(pairs)).status_code


def ask(served: Served, kv: str, keys: Any, **options: str) -> Any:
    return served.http.request("GET", f"{kv}/keyvalues", params=options, content=json.dumps(keys))


def untar(body: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(body)) as archive:
        return {member.name: (archive.extractfile(member) or io.BytesIO()).read() for member in archive}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(PAIRS)
@example({"\x00": b"1", "a\x00b": b"2", '"': b"3", " ": b"4", "..": b"5", "-": b"6", "a\nb=c": b"7"})
def test_every_form_gives_back_what_was_posted(served: Served, pairs: dict[str, bytes]) -> None:
    kv = served.instance(served.repo())
    assert post(served, kv, list(pairs.items())) == 200
    keys = list(pairs)
    assert untar(ask(served, kv, keys, tar="true").content) == pairs
    from google.protobuf.internal.encoder import _VarintBytes  # type: ignore[attr-defined]  # not in the stubs

    body = b"".join(b"\x0a" + _VarintBytes(len(key.encode())) + key.encode() for key in keys)
    answer = served.http.request("GET", f"{kv}/keyvalues", content=body)
    assert parse_keyvalues(answer.content) == list(pairs.items())
    full = {key: value for key, value in pairs.items() if value}
    in_order = sorted(full.items(), key=lambda pair: pair[0].encode())
    assert parse_keyvalues(served.http.get(f"{kv}/keyrangevalues/%00/%F4%8F%BF%BF").content) == in_order
    assert untar(served.http.get(f"{kv}/keyrangevalues/%00/%F4%8F%BF%BF?tar=true").content) == full


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(st.dictionaries(KEYS, st.integers() | st.text(st.characters(exclude_categories=["Cs"])), max_size=5))
def test_json_answers_are_json_whatever_the_keys(served: Served, values: dict[str, Any]) -> None:
    kv = served.instance(served.repo())
    assert post(served, kv, [(key, json.dumps(value).encode()) for key, value in values.items()]) == 200
    keys = [*values, "not there"]
    expected = {key: values.get(key, {}) for key in keys}
    assert json.loads(ask(served, kv, keys, json="true").content) == expected
    assert json.loads(ask(served, kv, keys, json="true", check="true").content) == expected
    answer = served.http.get(f"{kv}/keyrangevalues/%00/%F4%8F%BF%BF?json=true&check=true")
    assert json.loads(answer.content) == values


def test_of_a_key_sent_twice_the_last_value_stays(served: Served, kv: str) -> None:
    large = bytes(1_500_000)
    assert post(served, kv, [("a", b"1"), ("b", large), ("a", large), ("b", b"2"), ("a", b"3"), ("b", large)]) == 200
    assert served.http.get(f"{kv}/key/a").content == b"3"
    assert served.http.get(f"{kv}/key/b").content == large
    assert ask(served, kv, ["a", "a"], json="true").content == b'{"a":3,"a":3}'


@pytest.mark.parametrize("bad", ["", "x" * 60_001])
def test_one_bad_key_and_nothing_is_stored(served: Served, kv: str, bad: str) -> None:
    assert post(served, kv, [("a", b"1"), ("large", bytes(3_000_000)), (bad, b"2"), ("c", b"3")]) == 400
    assert served.http.get(f"{kv}/keys").json() == []
    assert served.http.get(f"{kv}/mutations").json() == []
    stack = served.server.datastore.main
    assert list(stack.store.scan_keys(b"\x20", b"\x21")) == []  # no part of the large value either


def test_where_too_many_edits_wait_nothing_is_stored(served: Served, kv: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commits, "WAITING", 0)
    large = bytes(2_500_000)
    refused = [
        served.http.post(f"{kv}/keyvalues", content=encode_keyvalues([("a", b"1"), ("b", large), ("c", large)])),
        served.http.post(f"{kv}/key/a", content=b"1"),
        served.http.post(f"{kv}/key/b", content=large),
        served.http.delete(f"{kv}/key/a"),
    ]
    assert [(answer.status_code, answer.headers["retry-after"]) for answer in refused] == [(503, "1")] * 4
    monkeypatch.undo()
    assert served.http.get(f"{kv}/keys").json() == []
    assert list(served.server.datastore.main.store.scan_keys(b"\x20", b"\x21")) == []
    assert served.server.datastore.gates.writing() == 0


def test_bodies_that_make_no_sense(served: Served, kv: str) -> None:
    for body in (b"\xff\xff\xff", b'{"a":1}', b"\x0a\xff\xff\xff\xff\x7f", b"\x0a\x04\x0a\x02\xff\xfe"):
        assert served.http.post(f"{kv}/keyvalues", content=body).status_code == 400
        assert served.http.request("GET", f"{kv}/keyvalues", content=body).status_code == 400
    part = {"key": "a", "byte_start": 0, "byte_end": 0}
    wrong: list[Any] = [{}, "a", 5, [5], [None], [["a"]], [{}], [{"key": 5}], [{**part, "byte_start": True}]]
    wrong += [[{**part, "byte_end": 1.5}], [{**part, "byte_start": -1}], [{**part, "byte_end": 10**30}], ["x" * 60_001]]
    served.http.post(f"{kv}/key/a", content=b"123")
    for keys in wrong:
        for form in ("json", "tar"):
            assert ask(served, kv, keys, **{form: "true"}).status_code == 400, keys
    assert ask(served, kv, ["a"], json="true", tar="true").status_code == 400
    assert served.http.request("GET", f"{kv}/keyvalues?json=true", content="[" * 5000).status_code == 400


@pytest.mark.parametrize(
    "keys",
    [
        ["a"], ["b", "a", "b"], ["empty", "a"], ['x",', "a"], [",", "a"], ["back\\", "a"], ["é", "a"], ["a\0b"],
        ["none", "a"], ["", "a"], [], ["large"], ["a", "bomb"], ["inherited", "a"],
    ],
)  # fmt: skip
def test_small_values_make_the_same_object_as_all_others(
    served: Served, monkeypatch: pytest.MonkeyPatch, keys: list[str]
) -> None:
    root = served.repo()
    assert post(served, served.instance(root), [("inherited", b"1")]) == 200
    served.commit(root)
    kv = f"/api/node/{served.child(root)}/kv"
    names = ["a", "b", 'x",', ",", "back\\", "é", "a\0b"]
    values = [*((name, b"[%d]" % at) for at, name in enumerate(names)), ("empty", b""), ("bomb", b"1" * QUICK)]
    assert post(served, kv, [*values, ("large", b"2" * 2_000_000)]) == 200
    quick = ask(served, kv, keys, json="true").content
    monkeypatch.setattr(batch_routes, "quick_object", lambda *_: None)
    assert quick == ask(served, kv, keys, json="true").content


def test_large_values_within_batches(served: Served, kv: str) -> None:
    pairs = [(f"k{number}", bytes([number]) * (1 << 20 + number % 3)) for number in range(8)]
    assert post(served, kv, pairs) == 200
    assert parse_keyvalues(served.http.get(f"{kv}/keyrangevalues/a/z").content) == pairs
    assert untar(ask(served, kv, [key for key, _ in pairs], jsontar="true").content) == dict(pairs)
    part = [{"key": "k5", "byte_start": 1_048_570, "byte_end": 1_048_580}]
    assert untar(ask(served, kv, part, tar="true").content) == {"k5": b"\x05" * 11}


@pytest.mark.parametrize("write", [as_tar, as_protobuf, lambda items: as_json(items, check=False)])
def test_an_answer_is_built_piece_by_piece(served: Served, kv: str, write: Any) -> None:
    """200 MB of values are asked for; what is held at a time is a few of them."""
    value = b'"' + b"x" * 999_998 + b'"'
    assert post(served, kv, [("a", value)]) == 200
    repo = next(iter(served.server.datastore.catalogue.repos.values()))
    subject = KeyValue(served.server.datastore, repo, repo.root, repo.instances["kv"], None)
    tracemalloc.start()
    size = sum(map(len, gather(write(look_up(subject, [("a", None)] * 200)))))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert size > 200 * len(value)
    assert peak < 20 * len(value)


def test_pieces_are_gathered_to_a_megabyte() -> None:
    def small() -> Iterator[bytes]:
        yield from [b"x" * 300_000] * 10

    assert [len(piece) for piece in gather(small())] == [1_200_000, 1_200_000, 600_000]


def test_a_key_without_a_value_is_an_empty_item() -> None:
    assert (item_of("a", None).size, item_of("a", None).read()) == (0, b"")


def test_a_failed_check_says_so_where_it_can(served: Served, kv: str) -> None:
    post(served, kv, [("a", b"1"), ("b", b"no json"), ("c", b"2")])
    answer = served.http.get(f"{kv}/keyrangevalues/a/c?json=true&check=true")
    assert answer.status_code == 400
    assert "'b'" in answer.text
    assert served.http.get(f"{kv}/keyrangevalues/a/a?json=true&check=true").json() == {"a": 1}
