"""What requests for edits ask for, beyond what all requests about bodies do."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path, Query

from dvidpy.datatypes.labels.numbers import parse_label
from dvidpy.datatypes.rooms import Parse


def parse_not_false(text: str) -> bool:
    """Only the exact text counts, as in the reference."""
    return text != "false"


Supervoxel = Annotated[int, Path(description="Label of a supervoxel.", examples=["15"]), Parse(parse_label)]
Downres = Annotated[
    bool, Query(description="`false`: the coarser scales are posted by the client."), Parse(parse_not_false)
]
