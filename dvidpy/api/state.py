"""What a running server knows besides its data: modes, tokens, tallies."""

from __future__ import annotations

import hmac
import ipaddress
import os
import signal
import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from dvidpy.api.blocklist import read_block_list
from dvidpy.api.metrics import Metrics
from dvidpy.api.pool import WorkerPool
from dvidpy.api.shown import ShownRepos
from dvidpy.config import Settings
from dvidpy.datatypes.base import Types
from dvidpy.datatypes.exchange import Call
from dvidpy.errors import BadRequest, Busy, UnknownRoute
from dvidpy.versioning.datastore import Datastore

INTERACTIVE_WINDOW_S = 300
"""Seconds over which interactive requests are counted."""
USERS = 1000
"""Users whose latencies are kept: those heard of last. Anybody may make up names."""


class Server:
    """One running server; touched by the event loop only, but for what says otherwise."""

    def __init__(self, settings: Settings, datastore: Datastore, types: Types) -> None:
        self.settings = settings
        self.datastore = datastore
        self.types = types
        self.pool = WorkerPool(settings.server.workers or os.cpu_count() or 2, settings.server.max_waiting)
        self.metrics = Metrics()
        self.shown = ShownRepos(datastore, types)
        self.started = datetime.now(UTC)
        self.token = settings.server.admin_token
        self.throttle_limit = settings.server.max_throttled_ops
        self.throttled = 0
        self.latencies: dict[str, dict[str, Any]] = {}
        self.block_list = read_block_list(settings.server.block_list_file)
        self.hold_back_after = settings.server.interactive_ops_before_block
        """Interactive requests after which background work waits; 0: it never does."""
        self._interactive: deque[float] = deque(maxlen=10_000)
        for queue in datastore.queues():
            queue.held = self.people_are_working

    # ------------------------------------------------------------------ who may do what
    def is_admin(self, query: Mapping[str, str]) -> bool:
        """The request carries the admin token."""
        given = query.get("admintoken", "")
        return bool(self.token) and hmac.compare_digest(given.encode(), self.token.encode())

    def is_privileged(self, call: Call) -> bool:
        """The request may create repos and use the admin routes."""
        return call.admin or self.is_trusted(call.client, call.headers)

    def demand_admin(self, call: Call) -> None:
        """UnknownRoute for who may not use the admin routes, where the reference has no such route."""
        if not self.is_privileged(call):
            raise UnknownRoute("404 page not found")

    def is_trusted(self, client: str, headers: Mapping[bytes, bytes]) -> bool:
        """Where no token is set, a request from this very machine, not through a proxy, may use the admin routes."""
        if self.token or b"forwarded" in headers or b"x-forwarded-for" in headers:
            return False
        try:
            return ipaddress.ip_address(client).is_loopback
        except ValueError:
            return False

    def demand_writable(self, call: Call) -> None:
        """BadRequest for a change where the server is read-only; by method, as in the reference."""
        if self.settings.server.readonly and not call.admin and call.method not in ("GET", "HEAD"):
            raise BadRequest("Server in read-only mode and will only accept GET and HEAD requests")

    def may_force(self, call: Call) -> bool:
        """The request may change a locked version."""
        return call.admin or self.settings.server.fullwrite

    def reload_block_list(self) -> None:
        """Read the block list again; the old one stays where the file cannot be read."""
        self.block_list = read_block_list(self.settings.server.block_list_file)

    @staticmethod
    def stop() -> None:
        """End the server as an operator does: what is under way is answered first."""
        os.kill(os.getpid(), signal.SIGTERM)

    # ------------------------------------------------------------------ tallies
    @contextmanager
    def throttle(self) -> Iterator[None]:
        """One of a few throttled requests; Busy when there are too many."""
        if self.throttled >= self.throttle_limit:
            raise Busy(f"Server already running {self.throttled} throttled operations (max = {self.throttle_limit})")
        self.throttled += 1
        try:
            yield
        finally:
            self.throttled -= 1

    def count_interactive(self) -> None:
        """A request that people wait for came in."""
        self._interactive.append(time.monotonic())

    def people_are_working(self) -> bool:
        """More interactive requests came in lately than interactiveOpsBeforeBlock allows. From any thread."""
        limit = self.hold_back_after
        since = time.monotonic() - INTERACTIVE_WINDOW_S
        return bool(limit) and sum(1 for at in self._interactive.copy() if at > since) > limit

    def heard_of(self, user: str, milliseconds: int, at: datetime) -> None:
        """A request of a user to one of the three silent routes took so long."""
        known = self.latencies.pop(user, None)
        while len(self.latencies) >= USERS:
            del self.latencies[next(iter(self.latencies))]
        self.latencies[user] = {
            "User": user,
            "LastPing": at.isoformat(timespec="seconds"),
            "LastLatency": milliseconds,
            "MinLatency": min(milliseconds, known["MinLatency"]) if known else milliseconds,
            "MaxLatency": max(milliseconds, known["MaxLatency"]) if known else milliseconds,
        }

    def close(self) -> None:
        """Finish work, then close the stores."""
        self.pool.close()
        self.datastore.close()
