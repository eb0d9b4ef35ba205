"""Labels as requests write them: numbers of 64 bits, without a sign."""

from __future__ import annotations

import re

import msgspec

from dvidpy.errors import BadRequest

LARGEST = (1 << 64) - 1
_NUMBER = re.compile(r"[0-9]{1,40}\Z", re.ASCII)
_labels = msgspec.json.Decoder(list[int] | None).decode


def parse_number(text: str) -> int:
    """A number of 64 bits without a sign; BadRequest for anything else."""
    number = int(text) if _NUMBER.match(text) else LARGEST + 1
    if number > LARGEST:
        raise BadRequest(f"{text[:40]!r} is no whole number from 0 to 2^64 - 1")
    return number


def parse_label(text: str) -> int:
    """A label; BadRequest for 0, which is background, and for what is no number of 64 bits."""
    label = parse_number(text)
    if not label:
        raise BadRequest("label 0 is background, not a body")
    return label


def parse_labels(body: bytes) -> list[int]:
    """A JSON list of labels, null for none; BadRequest for anything else."""
    try:
        labels = _labels(body) or []
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadRequest(f"expected a JSON list of labels: {error}") from None
    if labels and not 0 <= min(labels) <= max(labels) <= LARGEST:
        raise BadRequest("a label is a whole number from 0 to 2^64 - 1")
    return labels
