"""Settings as clients send them: one JSON object of text values, whose keys ignore letter case."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from dvidpy.errors import BadRequest

_TRUTHS = {"false": False, "0": False, "true": True, "1": True}


class Given:
    """The settings of a request."""

    def __init__(self, values: dict[str, Any]) -> None:
        self._values = {key.lower(): value for key, value in values.items()}

    def text(self, key: str) -> str | None:
        """A text setting; BadRequest where it is something else."""
        if key not in self._values:
            return None
        value = self._values[key]
        if not isinstance(value, str):
            raise BadRequest(f"Setting for {key!r} was not a string: {value}")
        return value

    def need(self, key: str) -> str:
        """A text setting that must be there and not empty."""
        value = self.text(key)
        if not value:
            raise BadRequest(f"the setting {key!r} is missing")
        return value

    def number(self, key: str) -> int | None:
        """A whole number, as text."""
        value = self.text(key)
        if value is None:
            return None
        try:
            return int(value)
        except ValueError:
            raise BadRequest(f"Setting for {key!r} is no whole number: {value!r}") from None

    def numbers(self, key: str, count: int = 3) -> tuple[int, ...] | None:
        """Whole numbers with commas between them, as text."""
        value = self.text(key)
        return None if value is None else tuple(map(int, _numbers(key, value, count, int)))

    def floats(self, key: str, count: int = 3) -> tuple[float, ...] | None:
        """Numbers with commas between them, as text."""
        value = self.text(key)
        return None if value is None else tuple(_numbers(key, value, count, float))

    def flag(self, key: str, *, default: bool) -> bool:
        """A truth value, or one of the texts false, 0, true, 1."""
        if key not in self._values:
            return default
        value = self._values[key]
        if isinstance(value, bool):
            return value
        if isinstance(value, str) and value.lower() in _TRUTHS:
            return _TRUTHS[value.lower()]
        raise BadRequest(f"Setting for {key!r} is neither true nor false: {value!r}")

    def said(self, key: str, *, default: bool) -> bool:
        """The same, as text."""
        self.text(key)
        return self.flag(key, default=default)

    def spelt(self, defaults: Mapping[str, str]) -> str:
        """All settings in one line as the reference's log has them, in the order of their keys, with some defaults."""
        values = {**defaults, **self._values}
        return f"map[{' '.join(f'{key}:{_spelt(values[key])}' for key in sorted(values))}]"

    def tags(self) -> dict[str, str] | None:
        """The setting `Tags`, "a=b,c=d"; what is not exactly one such pair is left out."""
        value = self.text("tags")
        if value is None:
            return None
        pairs = (pair.split("=") for pair in value.split(","))
        return {pair[0]: pair[1] for pair in pairs if len(pair) == 2 and pair[0]}  # a pair


def _spelt(value: Any) -> str:
    if value is None:
        return "<nil>"
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _numbers(key: str, value: str, count: int, kind: type[int | float]) -> list[float]:
    try:
        found = [kind(part) for part in value.split(",")]
    except ValueError:
        found = []
    if len(found) != count:
        raise BadRequest(f"Setting for {key!r} must be {count} numbers with commas between them: {value!r}")
    return found


def quoted(text: str) -> str:
    """A text in double quotes, on one line."""
    return orjson.dumps(text).decode()


def read_settings(body: bytes) -> Given:
    """The JSON object of a body; an empty body counts as {}. BadRequest for anything else."""
    value = read_json(body) if body.strip() else {}
    if not isinstance(value, dict):
        raise BadRequest("expected one JSON object")
    return Given(value)


def read_json(body: bytes) -> Any:
    """A body as JSON; BadRequest where it is none."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadRequest(f"Malformed JSON request in body: {error}") from None
