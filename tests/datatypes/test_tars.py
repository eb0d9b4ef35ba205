from __future__ import annotations

import asyncio
import io
import tarfile
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dvidpy.datatypes import tars
from dvidpy.errors import BadRequest

FORMATS = (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT)
FILES = st.lists(st.tuples(st.text("abc.é/0", min_size=1, max_size=8), st.binary(max_size=1500)), max_size=5)


def archive(files: Any, kind: int = tarfile.PAX_FORMAT, **member: Any) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=kind) as tar:
        for name, content in files:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            for key, value in member.items():
                setattr(info, key, value)
            tar.addfile(info, io.BytesIO(content))
    return out.getvalue()


def read(body: bytes, step: int = 700) -> list[tuple[str, bytes]]:
    async def source() -> AsyncIterator[bytes]:
        for start in range(0, len(body), step):
            yield body[start : start + step]

    async def all_of_it() -> list[tuple[str, bytes]]:
        return [
            (member.name, b"".join([piece async for piece in member.content]))
            async for member in tars.members(source())
        ]

    return asyncio.run(all_of_it())


@example([("é" * 150, b"1"), ("a" * 300, b"2")], tarfile.GNU_FORMAT, 1)
@example([("é" * 150, b"1"), ("a" * 300, b"2")], tarfile.PAX_FORMAT, 513)
@given(FILES, st.sampled_from(FORMATS), st.integers(1, 3000))
def test_what_was_packed_comes_out(files: Any, kind: int, step: int) -> None:
    named = [(name.strip("/") or "x", content) for name, content in files]
    assert read(archive(named, kind), step) == named


def test_a_time_with_a_fraction_brings_a_pax_header() -> None:
    body = archive([("1.drc", b"one"), ("2.drc", b"two")], mtime=1.5)
    assert b"mtime=1.5" in body
    assert read(body) == [("1.drc", b"one"), ("2.drc", b"two")]


def test_a_size_in_a_pax_header_counts() -> None:
    info = tarfile.TarInfo("1.drc")
    said = tarfile.TarInfo._create_pax_generic_header({"size": "3"}, tarfile.XHDTYPE, "utf-8")  # type: ignore[attr-defined]
    assert read(said + info.tobuf(tarfile.USTAR_FORMAT) + b"one" + bytes(509)) == [("1.drc", b"one")]


def test_a_global_header_is_passed_over() -> None:
    said = tarfile.TarInfo.create_pax_global_header({"path": "other"})
    assert read(said + archive([("1.drc", b"one")])) == [("1.drc", b"one")]


@pytest.mark.parametrize("end", [0, 512, 1024, 10240, 20000])
def test_the_end_may_be_short_or_long(end: int) -> None:
    assert read(tars.head("1.drc", 3) + b"one" + tars.padding(3) + bytes(end)) == [("1.drc", b"one")]
    assert read(bytes(end)) == []


@pytest.mark.parametrize("cut", [1, 511, 513, 600, 2047])
def test_what_ends_early_is_refused(cut: int) -> None:
    body = tars.head("1.drc", 1500) + bytes(1500)
    with pytest.raises(BadRequest, match="ends early"):
        read(body[:cut] if cut < 2000 else body[:-1])


def test_padding_may_be_missing_at_the_end() -> None:
    assert read(tars.head("1.drc", 3) + b"one") == [("1.drc", b"one")]


@pytest.mark.parametrize("kind", [tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, b"S", b"K"])
def test_only_files_are_taken(kind: bytes) -> None:
    with pytest.raises(BadRequest, match="no regular file"):
        read(archive([("1.drc", b"")], tarfile.GNU_FORMAT, type=kind))


@pytest.mark.parametrize(
    "said", [b"x path=a\n", b"5 a=b\n", b"99 path=a\n", b"0 path=a\n", b"9 path=a", b"-9 path=a\n", b"12 size=-10\n"]
)
def test_pax_headers_that_make_no_sense(said: bytes) -> None:
    info = tarfile.TarInfo("header")
    info.type, info.size = tarfile.XHDTYPE, len(said)
    with pytest.raises(BadRequest):
        read(info.tobuf(tarfile.USTAR_FORMAT) + said + tars.padding(len(said)) + archive([("1.drc", b"")]))


def test_headers_are_bounded() -> None:
    info = tarfile.TarInfo("header")
    info.type, info.size = tarfile.XHDTYPE, tars.LARGEST_HEADER + 1
    with pytest.raises(BadRequest, match="more than"):
        read(info.tobuf(tarfile.USTAR_FORMAT))


@given(st.binary(min_size=1, max_size=1500))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    try:
        read(body)
    except BadRequest:
        return
    assert not any(body[:512])


def test_long_and_odd_names_are_written() -> None:
    names = ["a" * 300, "é" * 101, "a\0b", "18.drc"]
    body = b"".join(tars.head(name, 1, 0o755) + b"x" + tars.padding(1) for name in names) + tars.END
    with tarfile.open(fileobj=io.BytesIO(body)) as tar:
        assert [(member.name, member.mode, member.size) for member in tar] == [(name, 0o755, 1) for name in names]
