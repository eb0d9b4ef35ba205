"""Which versions a version sees, and which of several stored values is the visible one."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable
from functools import lru_cache

from dvidpy.storage.keys import TOMBSTONE, split_cell
from dvidpy.versioning import dag

REMEMBERED = 512
"""Ancestries kept in memory; one of 1,000 versions takes some 50 kB."""


class Ancestry:
    """A version with all its ancestors. It never changes: parents are settled when a version is made."""

    __slots__ = ("_of", "_ranked", "linear", "members", "version")

    def __init__(self, version: int, members: frozenset[int], linear: bool, of: Callable[[int], Ancestry]) -> None:
        self.version = version
        self.members = members
        self.linear = linear
        """No merge among them: of several members, the newest is the nearest."""
        self._of = of
        self._ranked: list[int] = []

    def sees_all(self, cells: set[bytes]) -> bool:
        """Whether these are all cells of members that are no deletions."""
        return all(version in self.members and kind != TOMBSTONE for version, kind in map(split_cell, cells))

    def next_member(self, version: int) -> int | None:
        """The newest member that is older than a version; None where there is none."""
        if not self._ranked:
            self._ranked = sorted(self.members)
        at = bisect_left(self._ranked, version)
        return self._ranked[at - 1] if at else None

    def maximal(self, versions: Iterable[int]) -> list[int]:
        """Of these members, those that none of the others descends from."""
        found: list[int] = []
        for version in sorted(versions, reverse=True):  # whatever descends from it was met before, or a descendant was
            if not any(version in self._of(other).members for other in found):
                found.append(version)
        return found


class Ancestries:
    """Ancestry of every version, worked out when first asked for."""

    def __init__(self, parents: dag.Parents) -> None:
        self._parents = parents
        self.of = lru_cache(REMEMBERED)(self._make)

    def _make(self, version: int) -> Ancestry:
        return Ancestry(version, *dag.ancestors(self._parents, version), self.of)
