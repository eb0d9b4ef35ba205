"""One field of many annotations: each distinct value once, and a code for each row.

A condition is tried on distinct values alone, then its codes are looked up in all rows at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import orjson

from dvidpy.datatypes.neuronjson.conditions import Condition, Exists, Values
from dvidpy.datatypes.neuronjson.patterns import Texts
from dvidpy.datatypes.neuronjson.records import is_meta, is_plain, meta_part, plain_part, to_json

Codes = npt.NDArray[np.int32]
Rows = npt.NDArray[np.bool_]
SPARE = 1024
"""Distinct values beyond twice the rows at which a column is made anew: edits leave values that nobody has."""
FEW = 16
"""Codes that are compared one by one."""


def _reader(name: str) -> Callable[[bytes], bytes]:
    """Reads the JSON of a field out of that of an object; nothing where it is not there."""
    if not is_plain(name):
        return lambda text: to_json(found[name]) if name in (found := orjson.loads(text)) else b""
    one: Any = msgspec.defstruct("One", [("value", msgspec.Raw, msgspec.Raw())], rename={"value": name})
    decode = msgspec.json.Decoder(one).decode
    return lambda text: bytes(decode(text).value)


class Column:
    """Values of a field by row. Code 0 stands for none."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.codes: Codes = np.zeros(0, np.int32)
        self._code_of: dict[bytes, int] = {}
        self._atoms: dict[type, dict[Any, list[int]]] = {str: {}, int: {}, float: {}, bool: {}}
        """Type -> value -> codes of the values that are it, or lists with it."""
        self._texts: tuple[Texts, list[list[int]]] | None = None
        self._raw = _reader(name)
        self._part = meta_part if is_meta(name) else plain_part

    def fill(self, stored: Iterable[bytes | None], count: int) -> None:
        """The values of all rows."""
        self.codes = np.fromiter(map(self._code, stored), np.int32, count)

    def set(self, row: int, stored: bytes | None) -> None:
        """The value of one row, the next one or one that is there."""
        if row >= len(self.codes):
            grown = np.zeros(row + 1 + row // 8, np.int32)
            grown[: len(self.codes)] = self.codes
            self.codes = grown
        self.codes[row] = self._code(stored)

    def outgrown(self, rows: int) -> bool:
        """It holds many values that no row has."""
        return len(self._code_of) > 2 * rows + SPARE

    def _code(self, stored: bytes | None) -> int:
        if stored is None:
            return 0
        raw = self._raw(self._part(stored))
        if not raw:
            return 0
        code = self._code_of.get(raw)
        return self._enter(raw) if code is None else code

    def _enter(self, raw: bytes) -> int:
        code = self._code_of[raw] = len(self._code_of) + 1
        value = orjson.loads(raw)
        for one in value if isinstance(value, list) else (value,):
            of_type = self._atoms.get(type(one))
            if of_type is not None:
                codes = of_type.setdefault(one, [])
                if not codes or codes[-1] != code:
                    codes.append(code)
                    self._texts = None if isinstance(one, str) else self._texts
        return code

    # ------------------------------------------------------------------ asking
    def matching(self, condition: Condition, rows: int, until: float) -> Rows:
        """Which of the first `rows` rows meet a condition; BadRequest where that takes longer than `until`."""
        codes = self.codes[:rows]
        if isinstance(condition, Exists):
            there: Rows = codes != 0
            return there if condition.there else ~there
        wanted = set(self._codes_of(condition, until))
        if len(wanted) <= FEW:
            found = np.zeros(rows, np.bool_)
            for code in wanted:
                found |= codes == code
            return found
        table = np.zeros(len(self._code_of) + 1, np.bool_)
        table[list(wanted)] = True
        chosen: Rows = table[codes]
        return chosen

    def _codes_of(self, values: Values, until: float) -> Iterator[int]:
        for kind, some in ((str, values.texts), (int, values.numbers), (float, values.reals), (bool, values.truths)):
            atoms = self._atoms[kind]
            for value in some:
                yield from atoms.get(value, ())
        if values.patterns:
            texts, codes = self._searchable()
            for pattern in values.patterns:
                for at in texts.matching(pattern, until):
                    yield from codes[at]

    def _searchable(self) -> tuple[Texts, list[list[int]]]:
        if self._texts is None:
            atoms = self._atoms[str]
            self._texts = Texts(list(atoms)), list(atoms.values())
        return self._texts
