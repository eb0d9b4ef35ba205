"""Fields of bodies as segment properties: what the viewer lists, searches and colours by."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from dvidpy.datatypes.views.companions import Notes

LABELS = ("instance", "name", "type")
"""Fields that name a body: the first one that it has is shown beside its number."""
_INT32 = range(-(1 << 31), 1 << 31)
_FLOAT32 = 3.4e38
Fields = dict[str, Any]


def properties_info(notes: Notes) -> dict[str, Any]:
    """All fields of all bodies, inline."""
    found = list(notes.notes())
    rows = [fields for _, fields in found]
    names = sorted({name for fields in rows for name in fields} - {"bodyid"})
    shown = [_labels(rows, names), *(_property(name, [fields.get(name) for fields in rows]) for name in names)]
    tags = _tags(rows, names)
    properties = [one for one in (*shown, tags) if one is not None]
    return {
        "@type": "neuroglancer_segment_properties",
        "inline": {"ids": [str(body) for body, _ in found], "properties": properties},
    }


def _labels(rows: Sequence[Fields], names: Sequence[str]) -> dict[str, Any] | None:
    values = [next((fields[name] for name in LABELS if _is_name(fields.get(name))), "") for fields in rows]
    return {"id": _free("label", names), "type": "label", "values": values} if any(values) else None


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def _free(name: str, taken: Sequence[str]) -> str:
    """A name that no field has."""
    while name in taken:
        name += "_"
    return name


def _property(name: str, values: Sequence[Any]) -> dict[str, Any] | None:
    """Numbers where every body has one that the format can hold, else text; lists of words are tags instead."""
    numbers = _number_type(values)
    if numbers:
        return {"id": name, "type": "number", "data_type": numbers, "values": values}
    texts = [_text(value) for value in values]
    return {"id": name, "type": "string", "values": texts} if any(texts) else None


def _number_type(values: Iterable[Any]) -> str:
    whole = True
    for value in values:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return ""
        if isinstance(value, int) and value not in _INT32:
            return ""  # it would lose digits
        if abs(value) > _FLOAT32:
            return ""
        whole &= isinstance(value, int)
    return "int32" if whole else "float32"


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int | float) else ""


def _tags(rows: Sequence[Fields], names: Sequence[str]) -> dict[str, Any] | None:
    words = [{_word(one) for value in fields.values() for one in _list(value)} - {""} for fields in rows]
    known = sorted(set().union(*words))
    if not known:
        return None
    number = {word: at for at, word in enumerate(known)}
    values = [sorted(number[word] for word in some) for some in words]
    return {"id": _free("tags", names), "type": "tags", "tags": known, "values": values}


def _list(value: Any) -> list[str]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


def _word(text: str) -> str:
    """A tag has no spaces, no # in front, and its case does not count."""
    return "_".join(text.lower().split()).lstrip("#")
