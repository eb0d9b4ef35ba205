"""Elements as clients send them and as they are stored: JSON, in the reference's words.

Stored forms are written here, so that they can be taken apart by their text: "Rels" comes last, or is left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Annotated, Literal, NamedTuple

import msgspec
import numpy as np
from msgspec import Meta, Raw, Struct
from numpy.typing import NDArray

from dvidpy.datatypes.annotation.spelling import respelt
from dvidpy.datatypes.events import KINDS
from dvidpy.errors import BadRequest
from dvidpy.geometry import HIGHEST, LOWEST
from dvidpy.kernels.json_lists import list_members

Coordinate = Annotated[int, Meta(ge=LOWEST, le=HIGHEST)]
Point = tuple[Coordinate, Coordinate, Coordinate]
"""x, y, z, as on the wire."""
Kind = Literal["Unknown", "PostSyn", "PreSyn", "Gap", "Note"]
KIND_NUMBERS = {kind: number for number, kind in enumerate(KINDS)}
Tag = Annotated[str, Meta(min_length=1, max_length=10_000)]
LONG = 1 << 22
"""Bytes of a list from which on its members are found by a kernel; they would be as many objects."""
TOGETHER = 1 << 14
"""Elements that are Python objects at one time, of many."""
_FRONT, _RELS = b'{"Pos":[', b',"Rels":'


class Relation(Struct, frozen=True, gc=False, kw_only=True):
    """A relationship to the element at a point."""

    Rel: Literal["UnknownRelationship", "PostSynTo", "PreSynTo", "ConvergentTo", "GroupedWith"] = "UnknownRelationship"
    To: Point


class Element(Struct, gc=False):
    """An annotated point. Members that are not sent are None; other members than these are not kept."""

    Pos: Point
    Kind: Kind = "Unknown"
    Tags: list[Tag] | None = None
    Prop: dict[str, str] | None = None
    Rels: list[Relation] | None = None


class Located(Struct, gc=False):
    """The point of an element alone."""

    Pos: Point


class Kinded(Struct, gc=False):
    """The point of an element, and its kind."""

    Pos: Point
    Kind: Kind


class _Bare(Struct, gc=False):
    Pos: Point
    Kind: Kind
    Tags: list[str] | None
    Prop: dict[str, str] | None


class _Verbose(Struct, gc=False, omit_defaults=True):
    """A relationship with what the partner is."""

    Rel: str
    To: Point
    Kind: str = "Unknown"
    Tags: list[str] | None = None
    Prop: dict[str, str] | None = None


class Forms(NamedTuple):
    """An element as it stands in lists, and in its block."""

    bare: bytes
    """Without relationships."""
    full: bytes


_WRONG = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What a decoder raises of a body that is not as it should be."""
_elements = msgspec.json.Decoder(list[Element] | None).decode
_element = msgspec.json.Decoder(Element).decode
_raws = msgspec.json.Decoder(list[Raw] | None).decode
_located = msgspec.json.Decoder(list[Located] | None).decode
_kinded = msgspec.json.Decoder(list[Kinded] | None).decode
_blocks = msgspec.json.Decoder(dict[str, Raw] | None).decode
_labels = msgspec.json.Decoder(dict[str, str | None] | None).decode
_encode = msgspec.json.Encoder().encode
_lines = msgspec.json.Encoder().encode_lines
Text = bytes | memoryview | Raw
"""JSON of an element."""
List = dict[Point, bytes]
"""Stored elements of a list by their points."""


# ---------------------------------------------------------------------- what clients send
class Listed:
    """A JSON list of elements: of a long one its text, and where each begins; they become objects some at a time."""

    def __init__(self, body: bytes) -> None:
        short = len(body) < LONG
        body = respelt(body) if short else body
        self._body = memoryview(body)
        self._made = _sound(body) if short else None
        """All of them, where that is a few."""
        self._few = _split(body) if short and self._made is None else None
        self._bounds = np.empty((0, 2), np.int64) if short else _members(body)

    def __len__(self) -> int:
        return len(next(some for some in (self._made, self._few, self._bounds) if some is not None))

    def elements(self, numbers: Sequence[int]) -> list[Element]:
        """Some of them; BadRequest for what is none, by its number."""
        if self._made is not None:
            return [self._made[number] for number in numbers]
        return parse(self.texts(numbers), numbers)

    def texts(self, numbers: Iterable[int]) -> Sequence[Text]:
        """Texts of some."""
        if self._few is not None:
            return [self._few[number] for number in numbers]
        return [self._body[begin:end] for begin, end in (self._bounds[number].tolist() for number in numbers)]

    def points(self) -> NDArray[np.int32]:
        """(n, 3) points x, y, z of all; BadRequest where one has none."""
        if self._made is not None:
            numbers = chain.from_iterable([one.Pos for one in self._made])
            return np.fromiter(numbers, np.int32, 3 * len(self._made)).reshape(-1, 3)
        out = np.empty((len(self), 3), np.int32)
        for first, past in self._parts():
            try:
                out[first:past] = [one.Pos for one in _located(self._between(first, past))]
            except _WRONG as error:
                raise _refusal_of(self.texts(range(first, past)), range(first, past), error) from None
        return out

    def demand_elements(self) -> None:
        """BadRequest where one is no element."""
        if self._made is not None:
            return
        for first, past in self._parts():
            try:
                _elements(self._between(first, past))
            except _WRONG as error:
                raise _refusal_of(self.texts(range(first, past)), range(first, past), error) from None

    def _parts(self) -> Iterator[tuple[int, int]]:
        return ((first, min(first + TOGETHER, len(self))) for first in range(0, len(self), TOGETHER))

    def _between(self, first: int, past: int) -> bytes:
        """A list of some that follow each other."""
        if self._few is not None:
            return write_list(self._few[first:past])
        return b"".join((b"[", self._body[self._bounds[first, 0] : self._bounds[past - 1, 1]], b"]"))


def _sound(body: bytes) -> list[Element] | None:
    """The elements of a list; None where something is wrong with one of them."""
    try:
        return _elements(body) or []
    except _WRONG:
        return None


def _split(body: bytes) -> list[Raw]:
    try:
        return _raws(body) or []
    except _WRONG as error:
        raise _refusal(error) from None


def _members(body: bytes) -> NDArray[np.int64]:
    if body.strip() == b"null":
        return np.empty((0, 2), np.int64)
    try:
        return list_members(np.frombuffer(body, np.uint8))
    except ValueError as error:
        raise BadRequest(f"expected a JSON list of elements: {error}") from None


def parse(texts: Sequence[Text], numbers: Sequence[int]) -> list[Element]:
    """Elements of their texts; BadRequest for what is none, which goes by its number."""
    try:
        return _elements(write_list(texts)) or []
    except _WRONG as error:
        raise _refusal_of(texts, numbers, error) from None


def _refusal_of(texts: Sequence[Text], numbers: Sequence[int], error: Exception) -> BadRequest:
    """What is wrong with the first of some members that is no element."""
    for number, text in zip(numbers, texts, strict=True):
        try:
            _element(text)
        except _WRONG as own:
            return BadRequest(f"member {number} of the list is no element: {own}")
    return _refusal(error)


def parse_list(body: bytes | Raw) -> list[Element]:
    """A JSON list of elements; null is an empty one. BadRequest for anything else."""
    try:
        return _elements(body) or []
    except _WRONG as error:
        raise _refusal(error) from None


def parse_blocks(body: bytes) -> dict[str, Raw]:
    """{"x,y,z": list of elements} -> text of each list; null is none. BadRequest for anything else."""
    try:
        return _blocks(body) or {}
    except _WRONG as error:
        raise BadRequest(f'expected {{"x,y,z": [elements…], …}}: {error}') from None


def parse_labels(body: bytes) -> dict[str, str | None]:
    """{"label": text of a JSON list of elements} -> those texts; null or nothing is an empty list, null for the
    object no label. BadRequest for anything else.
    """
    try:
        return _labels(body) or {}
    except _WRONG as error:
        raise BadRequest(f'expected {{"label": "[elements…]", …}}: {error}') from None


def _refusal(error: Exception) -> BadRequest:
    return BadRequest(f"expected a JSON list of elements: {error}")


# ---------------------------------------------------------------------- forms
def filled(element: Element) -> Element:
    """The same with empty lists for what was not sent, as elements that are new at their point are stored."""
    return Element(element.Pos, element.Kind, element.Tags or [], element.Prop or {}, element.Rels or [])


def write(element: Element) -> Forms:
    """The stored forms of an element."""
    bare = _encode(_Bare(element.Pos, element.Kind, element.Tags, element.Prop))
    return Forms(bare, bare[:-1] + _RELS + _encode(element.Rels) + b"}")


def write_all(found: Iterable[Element]) -> list[bytes]:
    """The full forms of elements. No text of JSON has a line's end inside."""
    return _lines(found).split(b"\n")[:-1]


def end_of_bare(full: bytes) -> int:
    """How much of a full form the bare one has, but for a brace."""
    return full.rindex(_RELS)


def read(full: bytes) -> Element:
    """An element of its full form."""
    return _element(full)


def bare(full: bytes) -> bytes:
    """The form without relationships, of the full one."""
    return full[: end_of_bare(full)] + b"}"


def alone(bare: bytes) -> bytes:
    """The full form of an element without relationships, of the bare one."""
    return bare[:-1] + _RELS + b"[]}"


def read_list(stored: bytes) -> List:
    """A stored list, by points."""
    texts, points = _raws(stored) or [], _located(stored) or []
    return {one.Pos: bytes(text) for text, one in zip(texts, points, strict=True)}


def read_points(stored: bytes) -> list[Kinded]:
    """Points and kinds of a stored list."""
    return _kinded(stored) or []


def write_list(texts: Iterable[Text]) -> bytes:
    """A list as stored and sent."""
    return b"[" + b",".join(texts) + b"]"


def place_of(stored: bytes, at: Point) -> tuple[int, int]:
    """(begin, end) of an element in a stored list; both the end of the last one where it is not there.

    No text of JSON has inside what all begin with.
    """
    begin = stored.find(_FRONT + b"%d,%d,%d]" % at)
    if begin < 0:
        return len(stored) - 1, len(stored) - 1
    end = stored.find(b"," + _FRONT, begin)
    return begin, end if end >= 0 else len(stored) - 1


def tails(stored: bytes) -> list[bytes]:
    """Elements of a stored list, each without what all begin with. See `tail`; no text of JSON has that inside."""
    return stored[len(_FRONT) + 1 : -1].split(b"," + _FRONT) if len(stored) > len(_FRONT) else []


def tail(full: bytes) -> bytes:
    """The full form of an element without what all begin with."""
    return full[len(_FRONT) :]


def point_in(tail: bytes) -> bytes:
    """The text of an element's point."""
    return tail.partition(b"]")[0]


def verbose(element: Element, partners: Sequence[bytes | None]) -> bytes:
    """An element whose relationships tell of the partners, given as stored; None for one that is not there."""
    relations = []
    for relation, partner in zip(element.Rels or (), partners, strict=True):
        if partner is None:
            relations.append(_Verbose(relation.Rel, relation.To))
            continue
        found = read(partner)
        relations.append(_Verbose(relation.Rel, relation.To, found.Kind, found.Tags or None, found.Prop or None))
    return write(element).bare[:-1] + _RELS + _encode(relations) + b"}"
