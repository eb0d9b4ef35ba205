"""Visible values: what a `View` found, one by one or several together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import compress
from typing import TYPE_CHECKING

from dvidpy.kernels.unpacking import WHOLE
from dvidpy.storage import codecs
from dvidpy.storage.keys import LARGE, VALUE
from dvidpy.versioning.large import decode_manifest, read_parts
from dvidpy.versioning.visibility import Cells

if TYPE_CHECKING:
    from dvidpy.versioning.store import View


class Found:
    """A visible value: small ones at hand, packed; large ones in parts."""

    __slots__ = ("_plain", "kind", "manifest", "own", "stored", "view")

    def __init__(self, view: View, kind: int, stored: bytes, *, own: bool = False) -> None:
        self.view = view
        self.own = own
        """A small value that is known to be of the very version of the view."""
        self.kind = kind
        self.stored = stored
        self.manifest = decode_manifest(stored) if kind == LARGE else None
        self._plain: bytes | None = None

    def plain_size(self) -> int:
        """Bytes of the value."""
        return self.manifest.size if self.manifest else codecs.plain_size(self.stored)

    def read(self) -> bytes:
        """The whole value."""
        if self.manifest is None:
            if self._plain is None:
                self._plain = codecs.decode(self.stored)
            return self._plain
        return b"".join(self.pieces(0, self.manifest.size))

    def look(self) -> bytes | memoryview:
        """The whole value, copied only where it must be."""
        return self.read() if self.manifest is not None else codecs.plain_view(self.stored)

    def pieces(self, start: int, stop: int) -> Iterator[bytes]:
        """Bytes start <= i < stop, in pieces of at most a megabyte."""
        if self.manifest is None:
            return iter([self.read()[start:stop]])
        return read_parts(self.view.reader, self.view.of.instance, self.manifest, start, stop)


class Several:
    """Visible values that are read together."""

    def __init__(self, view: View, *, last: bool = False) -> None:
        self.view = view
        self.keys: list[bytes] = []
        """Their type keys."""
        self.kinds: list[int] = []
        self.stored: list[bytes] = []
        self.size = 0
        """Bytes as they are stored."""
        self.last = last
        """None comes behind them."""

    def add(self, cells: Cells) -> None:
        """More of them."""
        cut = len(self.view.prefix)
        self.keys += [row[cut:] for row in cells.rows]
        self.kinds += cells.kinds
        self.stored += cells.stored
        self.size += sum(map(len, cells.stored))

    def put(self, typekey: bytes, found: Found) -> None:
        """One more."""
        self.keys.append(typekey)
        self.kinds.append(found.kind)
        self.stored.append(found.stored)
        self.size += len(found.stored)

    def read(self, place: int) -> bytes:
        """One of them, whole."""
        return Found(self.view, self.kinds[place], self.stored[place]).read()

    def replace(self, place: int, value: bytes) -> None:
        """Have another value in the place of one."""
        self.kinds[place], self.stored[place] = VALUE, codecs.AS_IT_IS + value

    def only(self, wanted: Iterable[object]) -> Several:
        """Those whose member of `wanted` is true."""
        some, chosen = Several(self.view), list(wanted)
        some.keys, some.kinds = list(compress(self.keys, chosen)), list(compress(self.kinds, chosen))
        some.stored = list(compress(self.stored, chosen))
        some.size, some.last = sum(map(len, some.stored)), self.last
        return some

    def between(self, texts: Sequence[bytes], part: int = WHOLE) -> bytes | memoryview:
        """The first text, that part of the first value, the second text and so on: a text more than values."""
        if LARGE not in self.kinds:
            return codecs.decode_between(texts, self.stored, part)
        cells = zip(self.kinds, self.stored, strict=True)
        return codecs.join_between(texts, [Found(self.view, kind, stored).read() for kind, stored in cells], part)
