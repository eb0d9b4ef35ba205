"""What a query asks: JSON -> conditions on fields."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import orjson

from dvidpy.datatypes.neuronjson.keys import LARGEST
from dvidpy.datatypes.neuronjson.patterns import Pattern
from dvidpy.errors import BadRequest

REGEX, EXISTS = "re/", "exists/"


@dataclass(frozen=True)
class Exists:
    """The field is there, or not."""

    there: bool


@dataclass
class Values:
    """The field, or a member of a list in it, is one of these. Types count: 12 is not "12"."""

    texts: set[str] = field(default_factory=set)
    numbers: list[int] = field(default_factory=list)
    """In the order asked, and as often."""
    reals: set[float] = field(default_factory=set)
    truths: set[bool] = field(default_factory=set)
    patterns: list[Pattern] = field(default_factory=list)

    def add(self, value: Any, *, alone: bool = False) -> None:
        """One more; what is no text, number or truth matches nothing. In a list, "re/" itself is a text."""
        if isinstance(value, str):
            if value.startswith(REGEX) and (alone or value != REGEX):
                self.patterns.append(Pattern(value.removeprefix(REGEX)))
            else:
                self.texts.add(value)
        elif isinstance(value, bool):
            self.truths.add(value)
        elif isinstance(value, int):
            self.numbers.append(value)
        elif isinstance(value, float):
            self.reals.add(value)


Condition = Exists | Values
Query = dict[str, Condition]
"""Field -> what must hold of it; all must."""


def parse(body: bytes) -> list[Query]:
    """Queries of which one must hold; BadRequest where the body is no JSON object and no list of some."""
    try:
        given = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadRequest(f"a query must be JSON: {error}") from None
    queries = given if isinstance(given, list) else [given]
    if not queries or not all(isinstance(query, dict) for query in queries):
        raise BadRequest("a query must be a JSON object, or a list of some")
    return [{name: _condition(value) for name, value in query.items()} for query in queries]


def _condition(value: Any) -> Condition:
    if isinstance(value, str) and value.startswith(EXISTS) and len(value) == len(EXISTS) + 1:
        return Exists(value[-1] != "0")
    values = Values()
    if isinstance(value, list):
        for one in value:
            values.add(one)
    elif not isinstance(value, float):  # the reference's way: only in a list is a fraction compared
        values.add(value, alone=True)
    return values


def bodies_alone(queries: list[Query]) -> list[int] | None:
    """Bodies in the order asked, where queries ask for nothing else; else None."""
    bodies: list[int] = []
    for query in queries:
        for name, condition in query.items():
            if name != "bodyid" or not isinstance(condition, Values) or _more_than_numbers(condition):
                return None
            bodies += condition.numbers
    return [body for body in bodies if 0 <= body <= LARGEST]


def _more_than_numbers(values: Values) -> bool:
    return bool(values.texts or values.reals or values.truths or values.patterns)
