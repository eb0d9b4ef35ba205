"""What the versions of a repo should hold: plain dictionaries and sets, no cells and no keys."""

from __future__ import annotations

from dataclasses import dataclass, field

Word = tuple[int, bytes | None]
"""(version that said it, value or None for a deletion)."""


@dataclass
class Model:
    """Versions with their parents, and what each wrote itself."""

    parents: dict[int, tuple[int, ...]] = field(default_factory=dict)
    wrote: dict[int, dict[str, bytes | None]] = field(default_factory=dict)
    locked: set[int] = field(default_factory=set)

    def grow(self, version: int, parents: tuple[int, ...]) -> None:
        self.parents[version] = parents
        self.wrote[version] = {}

    def above(self, version: int) -> set[int]:
        """The version and all its ancestors."""
        found = {version}
        for parent in self.parents[version]:
            found |= self.above(parent)
        return found

    def names(self) -> set[str]:
        return {name for wrote in self.wrote.values() for name in wrote}

    def visible(self, version: int) -> dict[str, bytes]:
        """Of each name the one value that no other word of an ancestor comes after; none where two are left."""
        members = self.above(version)
        found: dict[str, bytes] = {}
        for name in self.names():
            said = [member for member in members if name in self.wrote[member]]
            last = [one for one in said if not any(one in self.above(other) for other in said if other != one)]
            alive = [value for value in (self.wrote[one][name] for one in last) if value is not None]
            if len(alive) == 1:
                found[name] = alive[0]
        return found
