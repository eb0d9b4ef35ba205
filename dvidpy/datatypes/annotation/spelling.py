"""Names of an element's members in another letter case, which the reference takes too."""

from __future__ import annotations

from typing import Any

import orjson

from dvidpy.kernels.words import stands_in

_NAMES = ("Pos", "Kind", "Tags", "Prop", "Rels", "Rel", "To")
LONG = 1 << 16
"""Bytes of a text from which a kernel finds names sooner."""
_OURS = {name.lower(): name for name in _NAMES}
_OTHERS = [f'"{other}"'.encode() for name in _NAMES for other in (name.lower(), name.upper())]


def respelt(body: bytes) -> bytes:
    """A JSON list of elements with the members' names as they are stored; the same text where that need not be.

    What is no list of objects is left for others to refuse.
    """
    if not (stands_in(body, _OTHERS) if len(body) >= LONG else any(other in body for other in _OTHERS)):
        return body
    try:
        given = orjson.loads(body)
    except orjson.JSONDecodeError:
        return body
    return orjson.dumps([_element(one) for one in given]) if isinstance(given, list) else body


def _element(given: Any) -> Any:
    if not isinstance(given, dict):
        return given
    named = _named(given)
    if isinstance(named.get("Rels"), list):
        named["Rels"] = [_named(one) if isinstance(one, dict) else one for one in named["Rels"]]
    return named


def _named(given: dict[str, Any]) -> dict[str, Any]:
    return {_OURS.get(name.lower(), name): value for name, value in given.items()}
