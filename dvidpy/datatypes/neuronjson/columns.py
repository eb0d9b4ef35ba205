"""The fields of many annotations: for each the number of its value in each row (`pool`), 0 where it is not there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import orjson

from dvidpy.datatypes.neuronjson.conditions import Condition, Exists, Values
from dvidpy.datatypes.neuronjson.patterns import Texts
from dvidpy.datatypes.neuronjson.pool import Members, Pool
from dvidpy.datatypes.neuronjson.records import to_json
from dvidpy.kernels.json_members import Numbers, holding, strings

Rows = npt.NDArray[np.bool_]
RARE = 16
"""A field that fewer than one in so many rows has is kept as a dictionary, so that memory grows with what there is."""
FEW = 16
"""Values that are compared one by one."""
SPARE = 4096
"""Texts beyond twice those of the beginning at which it is better to begin anew: edits leave some that nobody has."""
_LIST, _TEXT = b'["'


class Column:
    """One field."""

    def __init__(self) -> None:
        self.count = 0
        """Rows that have it."""
        self._few: dict[int, int] = {}
        self._many: Numbers | None = None
        self._distinct: Numbers | None = None
        self._texts: tuple[Texts, Numbers] | None = None

    def copy(self) -> Column:
        """Another one with the same values."""
        other = Column()
        other.count, other._few, other._distinct, other._texts = (
            self.count,
            self._few.copy(),
            self._distinct,
            self._texts,
        )
        other._many = None if self._many is None else self._many.copy()
        return other

    @property
    def nbytes(self) -> int:
        """Bytes of memory, nearly."""
        return 100 * len(self._few) + (0 if self._many is None else self._many.nbytes)

    def put(self, rows: npt.NDArray[np.int64], values: Numbers) -> None:
        """Numbers of values, 0 for none, of rows that are all different and ascend."""
        self._distinct = self._texts = None
        reach = int(rows[-1]) + 1
        if self._many is not None and reach > len(self._many):
            self._lengthen(reach)
        if self._many is not None:
            self.count += int(np.count_nonzero(values) - np.count_nonzero(self._many[rows]))
            self._many[rows] = values
            return
        for row, value in zip(rows.tolist(), values.tolist(), strict=True):
            if value:
                self._few[row] = value
            else:
                self._few.pop(row, None)
        self.count = len(self._few)
        if self.count * RARE > max(reach, max(self._few, default=0) + 1):
            self._many, self._few = self.codes(max(self._few) + 1), {}

    def _lengthen(self, reach: int) -> None:
        """Room for more rows; as a dictionary where few of them would have the field."""
        assert self._many is not None
        if self.count * RARE < reach:
            rows = np.flatnonzero(self._many)
            self._few, self._many = dict(zip(rows.tolist(), self._many[rows].tolist(), strict=True)), None
            return
        longer = np.zeros(reach + reach // 8, np.int32)
        longer[: len(self._many)] = self._many
        self._many = longer

    def codes(self, rows: int) -> Numbers:
        """Numbers of the values of all rows, of which there are `rows`."""
        if self._many is not None and len(self._many) >= rows:
            return self._many[:rows]
        codes = np.zeros(rows, np.int32)
        if self._many is not None:
            codes[: len(self._many)] = self._many
        else:
            codes[list(self._few)] = list(self._few.values())
        return codes

    def distinct(self, pool: Pool) -> Numbers:
        """Numbers of the values that some row has."""
        if self._distinct is None:
            there = np.zeros(len(pool), np.bool_)
            there[list(self._few.values()) if self._many is None else self._many] = True
            there[0] = False
            self._distinct = np.flatnonzero(there).astype(np.int32)
        return self._distinct

    # ------------------------------------------------------------------ asking
    def matching(self, pool: Pool, condition: Condition, rows: int, until: float) -> Rows:
        """Which of the rows meet a condition; BadRequest where that takes longer than `until`."""
        codes = self.codes(rows)
        if isinstance(condition, Exists):
            there: Rows = codes != 0
            return there if condition.there else ~there
        wanted = self._meeting(pool, condition, until)
        found = np.zeros(rows, np.bool_)
        if len(wanted) <= FEW:
            for number in wanted.tolist():
                found |= codes == number
            return found
        table = np.zeros(len(pool), np.bool_)
        table[wanted] = True
        chosen: Rows = table[codes]
        return chosen

    def _meeting(self, pool: Pool, values: Values, until: float) -> Numbers:
        """Numbers of the values that meet a condition."""
        wanted = [to_json(one) for one in (*values.texts, *set(values.numbers), *values.reals, *values.truths)]
        found = [np.array([number for text in wanted if (number := pool.find(text))], np.int32)]
        if wanted:
            found.append(self._lists_with(pool, wanted))
        if values.patterns:
            texts, owners = self._searchable(pool)
            found += [owners[texts.matching(pattern, until)] for pattern in values.patterns]
        return np.unique(np.concatenate(found))

    def _lists_with(self, pool: Pool, wanted: list[bytes]) -> Numbers:
        arrays, own = pool.arrays, self.distinct(pool)
        lists = own[arrays.arena[arrays.begins[own]] == _LIST]
        if not len(lists):
            return own[:0]
        text, bounds = np.frombuffer(b"".join(wanted), np.uint8), np.cumsum([0, *map(len, wanted)])
        found: Numbers = lists[holding(arrays.arena, arrays.begins[lists], arrays.sizes[lists], text, bounds)]
        return found

    def _searchable(self, pool: Pool) -> tuple[Texts, Numbers]:
        """Texts among the values, and the numbers of the values they belong to."""
        if self._texts is None:
            arrays, own = pool.arrays, self.distinct(pool)
            first = arrays.arena[arrays.begins[own]]
            own = own[(first == _LIST) | (first == _TEXT)]
            found, bounds, owners, escaped = strings(arrays.arena, arrays.begins[own], arrays.sizes[own])
            others = [(text, number) for number in own[escaped].tolist() for text in _texts_of(pool.text(number))]
            numbers = np.array([number for _, number in others], np.int32)
            self._texts = (
                Texts(found, bounds, [text for text, _ in others]),
                np.concatenate([own[owners], numbers]),
            )
        return self._texts


def _texts_of(raw: bytes) -> Iterator[str]:
    value = orjson.loads(raw)
    return (one for one in (value if isinstance(value, list) else [value]) if isinstance(one, str))


class Columns:
    """All fields."""

    def __init__(self) -> None:
        self.pool = Pool()
        self._columns: dict[int, Column] = {}
        """By the number of the field's name."""
        self._begun = 0

    def copy(self) -> Columns:
        """Others with the same values."""
        other = Columns()
        other.pool, other._begun = self.pool.copy(), self._begun
        other._columns = {key: column.copy() for key, column in self._columns.items()}
        return other

    @property
    def nbytes(self) -> int:
        """Bytes of memory, nearly."""
        return self.pool.nbytes + sum(column.nbytes for column in list(self._columns.values()))  # edits go on

    @property
    def outgrown(self) -> bool:
        """There are many texts that no row has."""
        return len(self.pool) > 2 * self._begun + SPARE

    def begin(self) -> None:
        """What is there now is what it began with."""
        self._begun = len(self.pool)

    def edit(self, before: Iterable[tuple[int, bytes]], after: Iterable[tuple[int, bytes]]) -> None:
        """Rows, which ascend, have other annotations now."""
        for rows, keys, values in self.pool.members(before):
            self._put((rows, keys, np.zeros_like(values)))
        for members in self.pool.members(after):
            self._put(members)

    def _put(self, members: Members) -> None:
        rows, keys, values = members
        order = np.argsort(keys, kind="stable")
        rows, keys, values = rows[order], keys[order], values[order]
        cuts = [0, *(np.flatnonzero(np.diff(keys)) + 1).tolist(), len(keys)]
        for first, past in pairwise(cuts):
            if first < past:
                column = self._columns.setdefault(int(keys[first]), Column())
                column.put(rows[first:past], values[first:past])

    # ------------------------------------------------------------------ asking
    def named(self, name: str) -> Column:
        """The column of a field; an empty one where no annotation has it."""
        return self._columns.get(self.pool.find(to_json(name)), Column())

    def matching(self, name: str, condition: Condition, rows: int, until: float) -> Rows:
        """Which rows meet a condition on a field; BadRequest where that takes longer than `until`."""
        return self.named(name).matching(self.pool, condition, rows, until)

    def there(self, rows: int) -> Rows:
        """Rows with an annotation: all have a body id."""
        present: Rows = self.named("bodyid").codes(rows) != 0
        return present

    def objects(self, names: Sequence[str], at: npt.NDArray[np.int64], rows: int) -> list[bytes]:
        """JSON of some fields, in that order, of rows; there are `rows` in all."""
        parts: list[list[bytes]] = []
        for name in names:
            column, label = self.named(name), to_json(name) + b":"
            texts = {number: label + self.pool.text(number) + b"," for number in column.distinct(self.pool).tolist()}
            texts[0] = b""
            parts.append([texts[number] for number in column.codes(rows)[at].tolist()])
        return [b"{" + b"".join(members)[:-1] + b"}" for members in zip(*parts, strict=True)]

    def counts(self) -> dict[str, int]:
        """Field -> how many rows have it."""
        found = ((key, column.count) for key, column in self._columns.items())
        return {orjson.loads(self.pool.text(key)): count for key, count in found if count}

    def latest(self, ending: str) -> dict[str, str]:
        """Fields with that ending -> the last of their texts."""
        names = ((orjson.loads(self.pool.text(key)), column) for key, column in self._columns.items() if column.count)
        return {name: self._last(column.distinct(self.pool)) for name, column in names if name.endswith(ending)}

    def _last(self, numbers: Numbers) -> str:
        """The last of some texts in the order of their bytes: of those that are the last so far, byte by byte."""
        arena, begins, sizes = self.pool.arrays.arena, self.pool.arrays.begins, self.pool.arrays.sizes
        at = 1
        while len(numbers) > 1:
            inside = at < sizes[numbers] - 1
            if not inside.any():
                break
            numbers = numbers[inside]
            bytes_here = arena[begins[numbers] + at]
            numbers, at = numbers[bytes_here == bytes_here.max()], at + 1
        text: str = orjson.loads(self.pool.text(int(numbers[0])))
        return text
