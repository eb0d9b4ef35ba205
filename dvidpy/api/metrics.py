"""Tallies of requests, kept as plain numbers and shown to Prometheus when it asks.

Requests that are over are gathered, and counted and logged together: at the latest after LATE_S, or when somebody asks.
"""

from __future__ import annotations

import asyncio
import time
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from threading import Lock
from typing import TYPE_CHECKING

from dvidpy.datatypes.exchange import Call

if TYPE_CHECKING:
    from prometheus_client.core import Metric

    from dvidpy.api.state import Server

BUCKETS_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
"""Upper ends of the histogram, in seconds."""
Over = tuple[Call, int, float, float, int, int]
"""A request that is over: itself, the status of its answer, when it began and ended by `time.perf_counter`, bytes of
both bodies. A bare tuple, as one is made for each request."""
READS = ("GET", "HEAD")
METHODS = frozenset({*READS, "POST", "PUT", "DELETE", "PATCH", "OPTIONS"})
"""Methods that are told apart; a client may make up any number of others."""
LATE_S = 0.1
MANY = 100
"""Requests that are counted and logged at once, however early."""
Key = tuple[str, str, int]
"""(method, template of the route, status)"""


class RouteTally:
    """What was counted of one method, route and status."""

    __slots__ = ("buckets", "bytes_in", "bytes_out", "seconds")

    def __init__(self) -> None:
        self.buckets = [0] * (len(BUCKETS_S) + 1)
        self.seconds = 0.0
        self.bytes_in = 0
        self.bytes_out = 0


class Metrics:
    """Counters of all requests."""

    def __init__(self) -> None:
        self._routes: dict[Key, RouteTally] = {}
        self._over: deque[Over] = deque()
        self._settling = Lock()
        self.log: Callable[[Iterable[Over]], None] | None = None
        """Told of requests that are over."""
        self.active = 0
        """Requests under way."""
        self._ends = 0.0
        """When the second that runs is over, by `time.perf_counter`."""
        self._this = [0, 0, 0, 0]
        self._last = (0, 0, 0, 0)

    def over(self, request: Over) -> None:
        """A request is over. In the event loop."""
        self._over.append(request)
        waiting = len(self._over)
        if waiting == 1:
            asyncio.get_running_loop().call_later(LATE_S, self.settle)
        elif waiting >= MANY:
            self.settle()

    def settle(self) -> None:
        """Count and log what is over. From any thread."""
        with self._settling:
            requests = [self._over.popleft() for _ in range(len(self._over))]
            for call, status, began, ended, bytes_in, bytes_out in requests:
                method = call.method if call.method in METHODS else "other"
                self._count((method, call.route or "other", status), began, ended, bytes_in, bytes_out)
            if requests and self.log is not None:
                self.log(requests)

    def routes(self) -> dict[Key, RouteTally]:
        """What was counted so far."""
        self.settle()
        return self._routes.copy()

    def _count(self, key: Key, began: float, ended: float, bytes_in: int, bytes_out: int) -> None:
        tally = self._routes.get(key)
        if tally is None:
            tally = self._routes[key] = RouteTally()
        seconds = ended - began
        tally.buckets[bisect_left(BUCKETS_S, seconds)] += 1
        tally.seconds += seconds
        tally.bytes_in += bytes_in
        tally.bytes_out += bytes_out
        this = self._this if ended < self._ends else self._roll(ended)
        this[key[0] not in READS] += 1
        this[2] += bytes_out
        this[3] += bytes_in

    def last_second(self) -> tuple[int, int, int, int]:
        """(reads, writes, bytes read, bytes written) of the last whole second."""
        self.settle()
        now = time.perf_counter()
        if now >= self._ends:
            self._roll(now)
        return self._last

    def _roll(self, now: float) -> list[int]:
        """Begin a new second: its reads, writes, bytes read and written."""
        gets, puts, read, written = self._this if now < self._ends + 1 else (0, 0, 0, 0)
        self._last = (gets, puts, read, written)
        self._this = [0, 0, 0, 0]
        self._ends = float(int(now) + 1)
        return self._this


class Collector:
    """Shows a server's tallies to prometheus_client."""

    def __init__(self, server: Server) -> None:
        self._server = server

    def collect(self) -> Iterator[Metric]:
        """All metrics of the server."""
        yield from self._requests()
        yield from self._store()

    def _requests(self) -> Iterator[Metric]:
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

        labels = ("method", "route", "status")
        seconds = HistogramMetricFamily("dvidpy_request_seconds", "Seconds of requests.", labels=labels)
        bytes_in = CounterMetricFamily("dvidpy_request_bytes", "Bytes of request bodies.", labels=labels)
        bytes_out = CounterMetricFamily("dvidpy_response_bytes", "Bytes of answers.", labels=labels)
        for (method, route, status), tally in self._server.metrics.routes().items():
            names = (method, route, str(status))
            seconds.add_metric(names, _cumulative(tally.buckets), tally.seconds)
            bytes_in.add_metric(names, tally.bytes_in)
            bytes_out.add_metric(names, tally.bytes_out)
        yield from (seconds, bytes_in, bytes_out)
        yield GaugeMetricFamily("dvidpy_requests_active", "Requests under way.", self._server.metrics.active)
        yield GaugeMetricFamily(
            "dvidpy_workers_busy", "Pieces of work running or waiting for a thread.", self._server.pool.under_way
        )

    def _store(self) -> Iterator[Metric]:
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        queue = GaugeMetricFamily("dvidpy_queue_length", "Pending background tasks.", labels=("store",))
        parked = GaugeMetricFamily(
            "dvidpy_queue_parked", "Background tasks given up until the next start.", labels=("store",)
        )
        behind = GaugeMetricFamily("dvidpy_log_behind", "1: lines of mutations cannot be written.", labels=("store",))
        waiting = GaugeMetricFamily("dvidpy_commits_waiting", "Edits waiting to be written.", labels=("store",))
        size = GaugeMetricFamily("dvidpy_store_bytes", "Size of the store.", labels=("store",))
        for name, stack in self._server.datastore.stacks.items():
            queue.add_metric((name,), stack.queue.length())
            parked.add_metric((name,), stack.queue.failed)
            behind.add_metric((name,), int(stack.log.behind))
            waiting.add_metric((name,), stack.committer.pending())
            size.add_metric((name,), stack.store.size())
        yield from (queue, parked, behind, waiting, size)
        cache = self._server.datastore.catalogue.ancestries.of.cache_info()
        hits = CounterMetricFamily("dvidpy_cache_hits", "Lookups a cache answered.", labels=("cache",))
        misses = CounterMetricFamily("dvidpy_cache_misses", "Lookups it did not.", labels=("cache",))
        hits.add_metric(("ancestry",), cache.hits)
        misses.add_metric(("ancestry",), cache.misses)
        yield from (hits, misses)


def _cumulative(buckets: list[int]) -> list[tuple[str, float]]:
    names = [*map(str, BUCKETS_S), "+Inf"]
    return [(name, sum(buckets[: at + 1])) for at, name in enumerate(names)]


def exposition(server: Server) -> bytes:
    """The page that Prometheus reads."""
    from prometheus_client import CollectorRegistry, generate_latest
    from prometheus_client.gc_collector import GCCollector
    from prometheus_client.process_collector import ProcessCollector

    registry = CollectorRegistry()
    registry.register(Collector(server))
    ProcessCollector(registry=registry)
    GCCollector(registry=registry)
    return generate_latest(registry)
