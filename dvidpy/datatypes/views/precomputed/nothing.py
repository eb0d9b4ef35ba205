"""The route of all files that a precomputed:// directory has not."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path

from dvidpy.datatypes.exchange import Reply
from dvidpy.datatypes.rooms import Room
from dvidpy.errors import NotFound

room = Room(heads=True)


@room.get(
    "/precomputed/{file}",
    summary="What a precomputed:// directory has not",
    responses={404: {"description": "There is no such file"}},
)
def get_nothing(
    file: Annotated[str, Path(description="Name of a file that clients look for.", examples=["provenance"])],
) -> Reply:
    """Always 404: clients go on without the file."""
    raise NotFound(f"there is no {file[:80]!r} here")
