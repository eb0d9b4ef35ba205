"""An annotation as it is stored, and as it is shown.

Fields whose names end with _user or _time tell who wrote a field, and when. They are stored apart, so that what is
mostly asked for is at hand without being decoded:

| stored annotation | bytes |
|---|---|
| size of the plain fields | u32, little-endian |
| plain fields | JSON object, keys in order |
| who and when | JSON object, keys in order |
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import accumulate
from typing import Any, NamedTuple

import msgspec
import orjson

from dvidpy.datatypes.exchange import PIECE, Piece
from dvidpy.errors import BadRequest, TooLarge
from dvidpy.kernels.unpacking import FIRST
from dvidpy.storage import codecs

Annotation = dict[str, Any]
USER, TIME = _SIGNS = "_user", "_time"
LARGEST = 1 << 24
"""Bytes of an annotation."""
_DEEPEST = 100
"""Lists and objects inside each other."""
_TIDY = frozenset((str, int, bool, type(None)))
"""Types of values that are tidy as they are."""
_SIZE = 4
_MOST_PICKED = 64
"""Fields that a decoder is made for."""


def is_meta(field: str) -> bool:
    """Whether a field tells who wrote another one, or when."""
    return field.endswith(_SIGNS)


def to_json(value: Any) -> bytes:
    """JSON with keys in order."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def encode(annotation: Annotation) -> bytes:
    """The stored form; TooLarge for one beyond LARGEST."""
    fields: tuple[Annotation, Annotation] = {}, {}
    for field, value in annotation.items():
        fields[field.endswith(_SIGNS)][field] = value
    return join(*map(to_json, fields))


def join(plain: bytes, meta: bytes) -> bytes:
    """The stored form of its two parts; TooLarge beyond LARGEST."""
    if len(plain) + len(meta) > LARGEST:
        raise TooLarge(f"an annotation of {len(plain) + len(meta)} bytes is larger than {LARGEST}")
    return len(plain).to_bytes(_SIZE, "little") + plain + meta


def plain_part(stored: bytes) -> bytes:
    """Fields that are no who or when."""
    return stored[_SIZE : _SIZE + int.from_bytes(stored[:_SIZE], "little")]


def meta_part(stored: bytes) -> bytes:
    """Who and when."""
    return stored[_SIZE + int.from_bytes(stored[:_SIZE], "little") :]


def decode(stored: bytes) -> Annotation:
    """All fields."""
    annotation: Annotation = orjson.loads(plain_part(stored))
    annotation.update(orjson.loads(meta_part(stored)))
    return annotation


def is_plain(name: str) -> bool:
    """Whether JSON writes a field's name as it is; decoders have no fields of other names."""
    return name.isprintable() and '"' not in name and "\\" not in name


@lru_cache(256)
def picker(fields: tuple[str, ...]) -> Callable[[bytes], bytes]:
    """JSON of an object -> that of its body id and these fields, in order."""
    names = sorted({"bodyid", *fields}, key=str.encode)
    if len(names) > _MOST_PICKED or not all(map(is_plain, names)):
        return lambda text: to_json({name: value for name, value in orjson.loads(text).items() if name in names})
    kind = msgspec.Raw | msgspec.UnsetType
    own = {f"field_{at}": name for at, name in enumerate(names)}
    some = msgspec.defstruct("Some", [(field, kind, msgspec.UNSET) for field in own], rename=own)
    decode = msgspec.json.Decoder(some).decode
    return lambda text: msgspec.json.encode(decode(text))


class Shown(NamedTuple):
    """What of an annotation a request wants to see."""

    user: bool = False
    time: bool = False
    fields: tuple[str, ...] = ()
    """None for all of them."""

    def of(self, stored: bytes) -> bytes:
        """JSON of that; the body id always belongs to it."""
        if self.fields:
            if self.user or self.time or any(map(is_meta, self.fields)):
                return to_json(self._chosen(decode(stored)))
            return picker(self.fields)(plain_part(stored))
        if not self.user and not self.time:
            return plain_part(stored)
        shown: Annotation = orjson.loads(plain_part(stored))
        for field, value in orjson.loads(meta_part(stored)).items():
            if self.time if field.endswith(TIME) else self.user:
                shown[field] = value
        return to_json(shown)

    def names(self) -> tuple[str, ...]:
        """The fields that are asked for, each once, with who and when; none where all are."""
        wanted = ["bodyid", *self.fields] if self.fields else []
        wanted += [field + USER for field in self.fields if self.user]
        wanted += [field + TIME for field in self.fields if self.time]
        return tuple(dict.fromkeys(wanted))

    def _chosen(self, annotation: Annotation) -> Annotation:
        return {field: annotation[field] for field in self.names() if field in annotation}


def shown(show: str, fields: str) -> Shown:
    """What the options `show` and `fields` ask for; unknown words count as none."""
    return Shown(show in ("user", "all"), show in ("time", "all"), tuple(fields.split(",")) if fields else ())


def more_than_ids(texts: Iterable[bytes]) -> Iterator[bytes]:
    """Of annotations as JSON, those that have more than a body id."""
    return (text for text in texts if b"," in text or not text.startswith(b'{"bodyid":'))


def as_list(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """A JSON list, in pieces."""
    separator = b"["
    for piece in pieces:
        yield separator + piece
        separator = b","
    yield b"[]" if separator == b"[" else b"]"


def plain_list(packed: Sequence[bytes]) -> Iterator[Piece]:
    """JSON list of annotations without who and when, given as packed, in pieces."""
    front, first = b"[", 0
    ends = list(accumulate(map(len, packed)))
    while first < len(packed):
        past = bisect_left(ends, ends[first] + PIECE, lo=first + 1)
        texts = [front, *[b","] * (past - first - 1), b""]
        yield codecs.decode_between(texts, packed[first:past], FIRST)
        front, first = b",", past
    yield b"[]" if front == b"[" else b"]"


# ---------------------------------------------------------------------- what clients send
def parse(body: bytes) -> Annotation:
    """A JSON object whose whole numbers are ints (2.0 is 2); BadRequest for anything else."""
    if len(body) > LARGEST:
        raise TooLarge(f"an annotation of {len(body)} bytes is larger than {LARGEST}")
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadRequest(f"an annotation must be JSON: {error}") from None
    if not isinstance(value, dict):
        raise BadRequest("an annotation must be one JSON object")
    if isinstance(value.get("bodyid"), float):  # asked before 7.0 becomes 7
        raise BadRequest(f"the field 'bodyid' is {value['bodyid']}, not a whole number without a point")
    return tidy(value)


def tidy(annotation: Annotation) -> Annotation:
    """The same with numbers without fraction as ints; BadRequest where it is nested too deeply."""
    if _TIDY.issuperset(map(type, annotation.values())):
        return annotation
    return {field: value if type(value) in _TIDY else _tidied(value, 1) for field, value in annotation.items()}


def _tidied(value: Any, depth: int) -> Any:
    if isinstance(value, float):
        fits = -(2.0**63) <= value < 2.0**64
        return int(value) if fits and value.is_integer() else value
    if not isinstance(value, list | dict):
        return value
    if depth >= _DEEPEST:
        raise BadRequest(f"an annotation may have {_DEEPEST} lists and objects inside each other")
    if isinstance(value, list):
        return value if _TIDY.issuperset(map(type, value)) else [_tidied(one, depth + 1) for one in value]
    return {name: _tidied(one, depth + 1) for name, one in value.items()}


def demand_body(annotation: Annotation, body: int | None = None) -> int:
    """The body that an annotation names, which must be `body` where that is given; BadRequest for none or another."""
    named = annotation.get("bodyid")
    if type(named) is not int or named <= 0:  # true is an int too
        raise BadRequest("an annotation must have the body's id, a positive whole number, in its field 'bodyid'")
    if body is not None and named != body:
        raise BadRequest(f"the field 'bodyid' names {named}, the key {body}")
    return named
