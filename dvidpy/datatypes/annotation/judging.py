"""What `dvidpy check` demands of single stored values."""

from __future__ import annotations

from collections.abc import Iterator

from dvidpy.datatypes.annotation import elements
from dvidpy.datatypes.annotation.keys import BLOCK, LISTS, PLACED, PLACED_IN, RELATED, RELATED_TO
from dvidpy.errors import BadRequest
from dvidpy.versioning.duties import Kept


def judge(kept: Kept) -> Iterator[str]:
    """What is wrong with a stored value."""
    kind = kept.typekey[:1]
    if kind == BLOCK or kind in LISTS:
        try:
            elements.parse_list(kept.read())
        except BadRequest:
            yield "this is no list of elements"
    size = {PLACED_IN: PLACED.itemsize, RELATED_TO: RELATED.itemsize}.get(kind)
    if size is not None and len(kept.read()) % size:
        yield f"its rows do not have {size} bytes"
