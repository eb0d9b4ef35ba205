"""Tallies of requests, kept as plain numbers and shown to Prometheus when it asks: some 0.5 us a request."""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prometheus_client.core import Metric

    from dvidpy.api.state import Server

BUCKETS_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
"""Upper ends of the histogram, in seconds."""
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
        self.routes: dict[Key, RouteTally] = {}
        self.active = 0
        """Requests under way."""
        self._second = 0
        self._this = [0, 0, 0, 0]
        self._last = (0, 0, 0, 0)

    def count(self, key: Key, seconds: float, bytes_in: int, bytes_out: int) -> None:
        """A request is over."""
        tally = self.routes.get(key)
        if tally is None:
            tally = self.routes[key] = RouteTally()
        tally.buckets[bisect_left(BUCKETS_S, seconds)] += 1
        tally.seconds += seconds
        tally.bytes_in += bytes_in
        tally.bytes_out += bytes_out
        this = self._roll()
        this[key[0] not in ("GET", "HEAD")] += 1
        this[2] += bytes_out
        this[3] += bytes_in

    def last_second(self) -> tuple[int, int, int, int]:
        """(reads, writes, bytes read, bytes written) of the last whole second."""
        self._roll()
        return self._last

    def _roll(self) -> list[int]:
        """Reads, writes, bytes read and written of the second that runs."""
        second = int(time.monotonic())
        if second != self._second:
            gets, puts, read, written = self._this if second == self._second + 1 else (0, 0, 0, 0)
            self._last = (gets, puts, read, written)
            self._this = [0, 0, 0, 0]
            self._second = second
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
        for (method, route, status), tally in list(self._server.metrics.routes.items()):
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
