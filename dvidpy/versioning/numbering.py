"""Which number a new instance gets: it stands in the keys of all its values."""

from __future__ import annotations

import secrets
from collections.abc import Container
from dataclasses import dataclass

from dvidpy.errors import BadRequest

LAST = 0xFFFFFFFF


@dataclass(frozen=True)
class Numbering:
    """One after another, from `first` on; or at random, for servers that are to share a store one day."""

    first: int = 1
    at_random: bool = False

    def take(self, counter: int, taken: Container[int]) -> tuple[int, int]:
        """(number that is not taken, counter from now on). BadRequest where no number is left."""
        if self.at_random:
            number = _random()
            while number in taken:
                number = _random()
            return number, counter
        number = max(counter, self.first)
        while number in taken:
            number += 1
        if number > LAST:
            raise BadRequest("there is no number left for a new data instance")
        return number, number + 1


SEQUENTIAL = Numbering()


def _random() -> int:
    return secrets.randbelow(LAST) + 1
