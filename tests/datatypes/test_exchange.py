"""Bodies as they come in: whole, in pieces, packed, too large, torn, or not at all."""

from __future__ import annotations

import asyncio
import gzip
import os
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dvidpy.api.pool import WorkerPool
from dvidpy.datatypes import parts
from dvidpy.datatypes.exchange import Call, Gone
from dvidpy.datatypes.parts import gather_parts
from dvidpy.errors import BadRequest, DvidError, TooLarge
from dvidpy.storage.file_parts import FilePart, OpenFile

GZIP = (b"content-encoding", b"GZip ")
Headers = list[tuple[bytes, bytes]]


def call_of(pieces: Iterable[bytes | None], headers: Headers, limit: int = 1 << 20, pool: Any = None) -> Call:
    """A call whose body comes in these pieces; None is a client that hangs up."""
    given = list(pieces)

    async def receive() -> Any:
        piece = given.pop(0)
        if piece is None:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": piece, "more_body": bool(given)}

    return Call("POST", "/", b"a=1&b=%20x&a=2&c&=&%ff=%ff", headers, receive, pool, limit)


def run(work: Callable[[Any], Any]) -> Any:
    async def main() -> Any:
        pool = WorkerPool(1, 10)
        try:
            return await work(pool)
        finally:
            pool.close()

    return asyncio.run(main())


def body_of(pieces: Iterable[bytes | None], headers: Headers, limit: int = 1 << 20) -> bytes:
    found: bytes = run(lambda pool: call_of(pieces, headers, limit, pool).body())
    return found


def test_of_a_repeated_query_key_the_first_counts() -> None:
    assert call_of([], []).query == {"a": "1", "b": " x", "c": "", "": "", "\ufffd": "\ufffd"}


@pytest.mark.parametrize(
    ("text", "size"), [(b"5", 5), (b"", None), (b"x", None), (b"-1", None), (b"\xb2", None), (b"0" * 30 + b"7", 7)]
)
def test_the_length_a_client_tells(text: bytes, size: int | None) -> None:
    assert call_of([], [(b"content-length", text)]).content_length == size
    assert call_of([], []).content_length is None


@settings(max_examples=40)
@given(st.lists(st.binary(max_size=50), min_size=1, max_size=6), st.booleans())
def test_pieces_are_put_together(pieces: list[bytes], packed: bool) -> None:
    whole = b"".join(pieces)
    if packed:
        sent = gzip.compress(whole)
        pieces = [sent[at : at + 7] for at in range(0, len(sent), 7)]
    assert body_of(pieces, [GZIP] if packed else []) == whole


@settings(max_examples=40)
@given(st.lists(st.binary(max_size=3000), min_size=1, max_size=4), st.integers(1, 60))
def test_several_gzip_members_cut_anywhere(members: list[bytes], step: int) -> None:
    sent = b"".join(map(gzip.compress, members))
    assert body_of([sent[at : at + step] for at in range(0, len(sent), step)], [GZIP]) == b"".join(members)


@settings(max_examples=60)
@given(st.binary(max_size=60) | st.binary(max_size=30).map(lambda end: gzip.compress(b"x" * 99)[:40] + end))
def test_any_bytes_are_unpacked_or_refused(sent: bytes) -> None:
    try:
        found = body_of([sent], [GZIP])
    except BadRequest:
        with pytest.raises((EOFError, OSError, zlib.error)):
            _strict(sent)
        return
    assert found == _strict(sent)


def _strict(sent: bytes) -> bytes:
    """What Python's own library makes of it; an empty body is no gzip."""
    if not sent:
        raise EOFError
    return gzip.decompress(sent)


@pytest.mark.parametrize("headers", [[], [(b"content-length", b"99")]])
@pytest.mark.parametrize("pieces", [[bytes(11)], [bytes(6), bytes(5)], [bytes(10), b"", bytes(1)]])
def test_beyond_the_limit_is_refused(pieces: list[bytes], headers: Headers) -> None:
    with pytest.raises(TooLarge):
        body_of(pieces, headers, limit=10)


def test_the_limit_itself_is_taken() -> None:
    assert body_of([bytes(4), bytes(6)], [], limit=10) == bytes(10)
    assert body_of([gzip.compress(bytes(10))], [GZIP], limit=10) == bytes(10)


def test_a_bomb_is_not_unpacked_beyond_the_limit() -> None:
    made = 0

    async def unpack(pool: Any) -> None:
        nonlocal made
        async for piece in call_of([gzip.compress(bytes(100 << 20))], [GZIP], 3 << 20, pool).stream():
            made += len(piece)

    with pytest.raises(TooLarge):
        run(unpack)
    assert made <= 3 << 20


@pytest.mark.parametrize("headers", [[], [GZIP]])
@pytest.mark.parametrize("pieces", [[None], [b"\x1f", None]])
def test_a_client_that_hangs_up_is_gone(pieces: list[bytes | None], headers: Headers) -> None:
    with pytest.raises(Gone):
        body_of(pieces, headers)


def test_bytes_that_came_in_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    async def count(pool: Any) -> int:
        call = call_of([b"123", b"45"], [], 1 << 20, pool)
        await call.body()
        return call.received

    assert run(count) == 5


def test_what_is_held_until_the_answer_is_sent_is_let_go() -> None:
    left: list[str] = []
    call = call_of([], [])
    call.until_sent.callback(left.append, "first")
    call.until_sent.callback(left.append, "second")
    call.close()
    call_of([], []).close()
    assert left == ["second", "first"]


def test_every_refusal_is_no_bug() -> None:
    kinds = [DvidError]
    for kind in kinds:
        kinds += kind.__subclasses__()
    assert all(400 <= kind.status < 500 or kind.status in (502, 503) for kind in kinds)
    assert len(kinds) > 5


def test_parts_are_sent_together_but_little_is_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "PIECE", 100)
    monkeypatch.setattr(parts, "TOGETHER", 1000)
    (tmp_path / "file").write_bytes(bytes(range(250)))
    part = FilePart(OpenFile(tmp_path / "file", os.O_RDONLY), 10, 200)
    slice_ = memoryview(b"x" * 60)
    pieces = [*gather_parts([part] * 6 + [slice_] * 20 + [b"a" * 70, b"b" * 70, b"c"])]
    assert [piece.size for piece in pieces] == [1000, 1040, 430, 71]
    whole = bytes(range(10, 210)) * 6 + b"x" * 1200 + b"a" * 70 + b"b" * 70 + b"c"
    assert b"".join(piece.read() for piece in pieces) == whole
    assert all(piece.size == len(piece.read()) for piece in pieces)
