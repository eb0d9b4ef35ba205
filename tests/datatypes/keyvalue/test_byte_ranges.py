"""Parts of values: Range headers, byte_start and byte_end."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from served import Served

from dvidpy.datatypes.keyvalues.messages import Span
from dvidpy.datatypes.keyvalues.spans import header_span, query_span
from dvidpy.errors import BadRequest, RangeNotSatisfiable

SIZES = st.integers(1, 50)
DIGITS = st.integers(0, 60).map(str) | st.just("") | st.sampled_from(["007", "9" * 25, "9" * 5000])
MANY = "9" * 5000
"""More digits than Python turns into a number."""


def _as_http_says(first: str, last: str, size: int) -> tuple[int, int] | str | None:
    """RFC 9110, 14.1.2, in other words: positions of the bytes, "416", or None for a header to ignore."""
    if not first and not last:
        return None
    start, end = (float(text or "nan") for text in (first, last))
    if not first:
        wanted = [at for at in range(size) if at >= size - end]
    elif last and end < start:
        return None
    else:
        wanted = [at for at in range(size) if at >= start and (not last or at <= end)]
    return (wanted[0], wanted[-1]) if wanted else "416"


@given(DIGITS, DIGITS, SIZES)
@example("0", MANY, 5)
@example("", MANY, 5)
@example(MANY, "", 5)
@example(MANY, "1" + MANY, 5)
def test_a_range_is_cut_as_http_says(first: str, last: str, size: int) -> None:
    try:
        found: tuple[int, int] | str | None = header_span(f"bytes={first}-{last}", size)
    except RangeNotSatisfiable as error:
        found = str(error.status)
    assert found == _as_http_says(first, last, size)


@given(st.text(max_size=20) | st.text(st.sampled_from("bytes=-, 0123456789"), max_size=14), SIZES)
@example("bytes=\u0660-\u0663", 10)
@example("bytes=0-1,3-4", 10)
@example("Bytes=0-1", 10)
@example("bytes=--1", 10)
def test_any_header_is_cut_or_ignored(header: str, size: int) -> None:
    try:
        found = header_span(header, size)
    except RangeNotSatisfiable:
        return
    assert found is None or 0 <= found.start <= found.end < size


@given(st.none() | DIGITS | st.text(max_size=3), st.none() | DIGITS | st.text(max_size=3))
def test_both_ends_or_none(start: str | None, end: str | None) -> None:
    try:
        found = query_span(start, end)
    except BadRequest:
        return
    assert (found is None) == (start is None and end is None)


def test_plain_numbers_make_a_span() -> None:
    assert query_span("2", "4") == Span(2, 4)


@pytest.mark.parametrize("size", [10, 3_000_001])
def test_parts_of_small_and_large_values_over_http(served: Served, size: int) -> None:
    value = (bytes(range(251)) * (size // 251 + 1))[:size]
    key = served.instance(served.repo()) + "/key/a"
    assert served.http.post(key, content=value).status_code == 200
    for first, last in [(0, 0), (0, 9), (3, size + 99), (size - 1, size - 1), (size // 3, size // 2)]:
        answer = served.http.get(key, headers={"Range": f"bytes={first}-{last}"})
        end = min(last, size - 1)
        assert (answer.status_code, answer.content) == (206, value[first : end + 1])
        assert answer.headers["content-range"] == f"bytes {first}-{end}/{size}"
    assert served.http.get(key, headers={"Range": "bytes=-4"}).content == value[-4:]
    assert served.http.get(key, params={"byte_start": 2, "byte_end": 5}).content == value[2:6]
    missed = served.http.get(key, headers={"Range": f"bytes={size}-"})
    assert (missed.status_code, missed.headers["content-range"]) == (416, f"bytes */{size}")


def test_thousands_of_digits_are_no_bug(served: Served) -> None:
    key = served.instance(served.repo()) + "/key/a"
    served.http.post(key, content=b"0123456789")
    assert served.http.get(key, headers={"Range": f"bytes=0-{MANY}"}).content == b"0123456789"
    assert served.http.get(key, headers={"Range": f"bytes={MANY}-"}).status_code == 416
    assert served.http.get(key, params={"byte_start": "0", "byte_end": MANY}).status_code == 400
    assert served.http.get(key, params={"byte_start": MANY, "byte_end": MANY}).status_code == 400
