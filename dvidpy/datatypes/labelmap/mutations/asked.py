"""What requests for edits ask for, beyond what all requests about bodies do."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path, Query

from dvidpy.datatypes.labelled import asked
from dvidpy.datatypes.labelled.asked import parse_label
from dvidpy.datatypes.rooms import Parse
from dvidpy.errors import BadRequest
from dvidpy.kernels.label_blocks import Labels


def parse_given_label(text: str) -> int | None:
    """A label; none for an empty text or 0, which ask for a new one."""
    return parse_label(text) if text.strip("0") else None


def parse_not_false(text: str) -> bool:
    """Only the exact text counts, as in the reference."""
    return text != "false"


Supervoxel = Annotated[int, Path(description="Label of a supervoxel.", examples=["15"]), Parse(parse_label)]
Given = Parse(parse_given_label)
Downres = Annotated[
    bool, Query(description="`false`: the coarser scales are posted by the client."), Parse(parse_not_false)
]


def read_labels(body: bytes) -> Labels:
    """A JSON list of labels, none of them 0; BadRequest for anything else."""
    labels = asked.read_labels(body)
    if not labels.all():
        raise BadRequest("label 0 is background, which is not edited")
    return labels
