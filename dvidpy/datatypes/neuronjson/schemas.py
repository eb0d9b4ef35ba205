"""Schemas of an instance: three documents it keeps, one of which posted annotations must fit."""

from __future__ import annotations

import re
from enum import IntEnum
from functools import lru_cache
from typing import Any

import orjson

from dvidpy.datatypes.neuronjson.keys import SCHEMA
from dvidpy.errors import BadRequest

_WHOLE = re.compile(r"[+-]?[0-9]{1,19}")
_SHOWN = 300
"""Letters of a complaint that are shown."""


class Schema(IntEnum):
    """Which document; its value stands in the type key."""

    json_schema = 0
    schema = 1
    schema_batch = 2

    @property
    def typekey(self) -> bytes:
        """Where it is stored."""
        return SCHEMA + bytes((self.value,))


BY_KEY = {"schema": Schema.schema, "schema_batch": Schema.schema_batch}
"""Documents that go as keys too."""


@lru_cache(64)
def compiled(text: bytes) -> Any:
    """A validator; BadRequest for what is no JSON schema. References to other documents are not followed."""
    import jsonschema_rs  # 3 MB that most servers never need

    try:
        return jsonschema_rs.validator_for(
            orjson.loads(text), offline=True, pattern_options=jsonschema_rs.RegexOptions()
        )
    except (ValueError, jsonschema_rs.ReferencingError) as error:
        raise BadRequest(f"this is no JSON schema: {_brief(error)}") from None


def validated(text: bytes, annotation: dict[str, Any]) -> dict[str, Any]:
    """An annotation that fits a schema, its texts as numbers where it wants integers. BadRequest where it does not."""
    validator = compiled(text)
    if validator.is_valid(annotation):
        return annotation
    annotation = orjson.loads(orjson.dumps(annotation))
    for error in list(validator.iter_errors(annotation)):
        if not _turned_into_number(annotation, error):
            raise BadRequest(f"the annotation does not fit the JSON schema: {_brief(error)}")
    for error in validator.iter_errors(annotation):
        raise BadRequest(f"the annotation does not fit the JSON schema: {_brief(error)}")
    return annotation


def _turned_into_number(annotation: dict[str, Any], error: Any) -> bool:
    """Whether a complaint was of a text where an integer is wanted, and it is one now."""
    value = error.instance
    if "integer" not in getattr(error.kind, "types", ()) or not isinstance(value, str) or not _WHOLE.fullmatch(value):
        return False
    *path, last = error.instance_path
    place: Any = annotation
    for step in path:
        place = place[step]
    number = int(value)
    place[last] = number
    return -(1 << 63) <= number < 1 << 63


def _brief(error: Exception) -> str:
    return str(error).partition("\n")[0][:_SHOWN]
