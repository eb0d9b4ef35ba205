"""Requests that come again, byte by byte: what they lead to is known then, and only their handler is called.

A client that polls, or a script that goes through a list again, says the same headers, path and query each time.
Nothing of an answer is kept. Measured in docs/decisions/008-quick-answers.md.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from dvidpy.api.dispatch import Work
from dvidpy.api.state import Server
from dvidpy.datatypes.base import Data
from dvidpy.datatypes.exchange import Call, Headers

LONGEST = 1024
"""Bytes of a request that is remembered."""
MANY = 1000
"""Requests that are; then all are forgotten. Of the others, what a hash takes."""


class Repeat(NamedTuple):
    """What a request leads to, as long as no repo has changed."""

    work: Work
    arguments: dict[str, Any]
    """Of the handler, but for its subject and the call."""
    call: dict[str, Any]
    """What the call says, but for its id and whose it is."""
    extra: Headers
    """Headers that the answer gets."""
    catalogue: object
    """State of the catalogue in which it was looked up: a change replaces it."""

    def again(self, number: str, client: str) -> tuple[Call, dict[str, Any]]:
        """A new call, and the arguments of its handler."""
        call = Call.__new__(Call)
        call.__dict__.update(self.call)
        call.id, call.client = number, client
        endpoint, here = self.work.endpoint, self.work.here
        if isinstance(here, Data):
            here = type(here)(here.datastore, here.repo, here.node, here.instance, call)
        arguments = self.arguments | {endpoint.here: here} if endpoint.here else self.arguments.copy()
        if endpoint.the_call:
            arguments[endpoint.the_call] = call
        return call, arguments


class Repeats:
    """The requests of all clients that came more than once."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._catalogue = server.datastore.catalogue
        self._once: set[int] = set()
        """Hashes of requests that came once."""
        self._known: dict[bytes, Repeat] = {}

    def find(self, asked: bytes) -> Repeat | None:
        """What a request leads to, if that is known."""
        found = self._known.get(asked) if len(asked) <= LONGEST else None  # a body may follow: that is not hashed
        if found is None or found.catalogue is not self._catalogue.repos or self._server.block_list:
            return None
        return found

    def learn(self, asked: bytes, call: Call, work: Work, extra: Headers) -> None:
        """A request was answered at once, by this handler. It is remembered the second time."""
        if len(asked) > LONGEST:
            return
        mark = hash(asked)
        if mark not in self._once:
            if len(self._once) >= 10 * MANY:
                self._once.clear()
            self._once.add(mark)
            return
        endpoint, here = work.endpoint, work.here
        if endpoint.admins_only or not isinstance(here, Data | Server):
            return
        if len(self._known) >= MANY:
            self._known.clear()
        arguments = endpoint.arguments(call, None, b"")
        fixed = {name: value for name, value in call.__dict__.items() if name != "_until_sent"}
        self._known[asked] = Repeat(work, arguments, fixed, extra, self._catalogue.repos)
