"""What requests for edits ask for."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from fastapi import Path, Query

from dvidpy.datatypes.rooms import Parse
from dvidpy.datatypes.settings import read_json
from dvidpy.errors import BadRequest
from dvidpy.kernels.label_blocks import Labels

LARGEST = (1 << 64) - 1


def parse_label(text: str) -> int:
    """A label; BadRequest for 0, which is background, and for what is no number of 64 bits."""
    label = int(text) if text.isascii() and text.isdigit() and len(text) <= 20 else 0
    if not 0 < label <= LARGEST:
        raise BadRequest(f"{text[:40]!r} is no label from 1 to 2^64 - 1")
    return label


def parse_given_label(text: str) -> int | None:
    """The same; none for an empty text or 0, which ask for a new one."""
    return parse_label(text) if text.strip("0") else None


def parse_not_false(text: str) -> bool:
    """Only the exact text counts, as in the reference."""
    return text != "false"


Label = Annotated[int, Path(description="Label of a body.", examples=["12"]), Parse(parse_label)]
Supervoxel = Annotated[int, Path(description="Label of a supervoxel.", examples=["15"]), Parse(parse_label)]
Given = Parse(parse_given_label)
Downres = Annotated[
    bool, Query(description="`false`: the coarser scales are posted by the client."), Parse(parse_not_false)
]


def read_labels(body: bytes) -> Labels:
    """A JSON list of labels, none of them 0; BadRequest for anything else."""
    given = read_json(body)
    if not isinstance(given, list) or not all(type(one) is int and 0 < one <= LARGEST for one in given):
        raise BadRequest("expected a JSON list of labels from 1 to 2^64 - 1")
    return np.array(given, np.uint64)
