"""Quick answers of one turn of the event loop go out together, where there are several in a turn.

A client that waits for many answers sleeps between them when they come one by one, and each must wake it: on a virtual
machine that takes longer than all the rest of a quick answer. Measured in docs/decisions/008-quick-answers.md.
"""

from __future__ import annotations

from asyncio import AbstractEventLoop, WriteTransport

SEVERAL = 4
"""Answers in a turn of the loop, from which on those of the next are kept until it ends."""


class Outbox:
    """One for an event loop."""

    def __init__(self) -> None:
        self._kept: list[tuple[WriteTransport, bytes]] = []
        self._answers = 0
        """In this turn."""
        self._many = False
        """There were several in the one before."""

    def write(self, loop: AbstractEventLoop, transport: WriteTransport, answer: bytes, *, told: bool) -> None:
        """Send an answer, now or at the end of this turn: with `told`, somebody calls `end_turn` in each."""
        if not (self._answers or told):
            loop.call_soon(self.end_turn)
        self._answers += 1
        if self._many:
            self._kept.append((transport, answer))
        else:
            transport.write(answer)

    def end_turn(self) -> None:
        """The next turn begins, before it is looked who has asked."""
        if self._answers:
            self._many, self._answers = self._answers >= SEVERAL, 0
            if self._kept:
                self.flush()

    def flush(self) -> None:
        """Send what is kept. Whoever sends or ends anything else on a connection does this first."""
        kept, self._kept = self._kept, []
        for transport, answer in kept:
            transport.write(answer)
