"""Parts of a value that requests ask for: byte_start and byte_end, and the Range header of HTTP."""

from __future__ import annotations

from dvidpy.datatypes.keyvalues.messages import Span
from dvidpy.errors import BadRequest, RangeNotSatisfiable

LONGEST = 300
"""Digits of a position that are read; Python refuses to read thousands of them."""
BEYOND = 10**LONGEST
"""A position outside every value."""


def demand_within(key: str, span: Span, size: int) -> Span:
    """A span of a value's bytes; BadRequest where it is none."""
    if span.start > span.end or span.end >= size:
        raise BadRequest(f"bytes {span.start} to {span.end} of key {key!r} are outside its {size} bytes")
    return span


def query_span(start: str | None, end: str | None) -> Span | None:
    """Options byte_start and byte_end, both or none of them; BadRequest for one alone or no number."""
    if start is None and end is None:
        return None
    if not (start or "").isdecimal() or not (end or "").isdecimal():
        raise BadRequest("byte_start and byte_end must both be given, as numbers from 0")
    return Span(_position(start or ""), _position(end or ""))


def _position(digits: str) -> int:
    """The number of these digits; one beyond every value where there are too many of them to be worth counting."""
    return int(digits) if len(digits) <= LONGEST else BEYOND


def header_span(header: str, size: int) -> Span | None:
    """A Range header; None for what HTTP says to ignore, RangeNotSatisfiable for what lies outside the value."""
    unit, _, text = header.partition("=")
    first, dash, last = (part.strip() for part in text.partition("-"))
    if unit.strip() != "bytes" or not dash or not (first + last).isdecimal() or not (first + last).isascii():
        return None
    start, end = _position(first or "0"), _position(last or "0")
    if not first:
        span = Span(max(0, size - end), size - 1)
        bad = end == 0
    else:
        span = Span(start, min(end, size - 1) if last else size - 1)
        bad = start >= size
        if last and end < start:
            return None
    if bad:
        raise RangeNotSatisfiable(f"the range {header!r} lies outside the {size} bytes of the value", size)
    return span
