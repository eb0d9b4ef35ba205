"""`python -m benchmarks.soak [URL]`: many mixed clients for some minutes; every answer is compared.

Each client has keys, blocks, annotations and supervoxels of its own, so that it knows what it must read. Counted are
answers, refusals with 503, wrong answers and errors; medians and 99th percentiles of each kind of request; the memory
of the server, where its process is here (--pid), at the beginning and ten times on the way: its own, and that of files
which are mapped, such as LevelDB's tables. With --beside a client reads 16 MiB
again and again, while another asks for small things: what that does to their median.
"""

from __future__ import annotations

import argparse
import json
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from statistics import median

import numpy as np

from benchmarks.__main__ import servers
from benchmarks.asking import Asking, status_mb

SIDE = 64
SAMPLES = 10
"""Times that the memory of the server is looked at."""
PAUSE_S = 0.05
"""What a client waits after a refusal, at least."""


class Tally:
    """What all clients saw."""

    def __init__(self) -> None:
        self.seconds: dict[str, list[float]] = {}
        self.counts: Counter[str] = Counter()
        self.wrong: list[str] = []

    def add(self, kind: str, seconds: float) -> None:
        """A right answer."""
        self.seconds.setdefault(kind, []).append(seconds)
        self.counts["answers"] += 1

    def failed(self, what: str) -> None:
        """A wrong answer, or an error."""
        self.counts["wrong"] += 1
        self.wrong = [*self.wrong, what][:20]


class Client:
    """One client with its own part of the data."""

    def __init__(self, url: str, token: str, root: str, number: int, tally: Tally) -> None:
        self.ask = Asking(url, token, root)
        self.number, self.tally = number, tally
        self.rng = np.random.default_rng(number)
        self.key, self.neuron = b"", b""
        self.block = self.rng.bytes(SIDE**3)
        self.place = f"{SIDE}_{SIDE}_{SIDE}/{SIDE * (number % 16)}_{SIDE * (number // 16)}_0"
        self.told = count(1)

    def run(self, until: float) -> None:
        """Ask until the time is over."""
        kinds = [self.write_key, self.read_key, self.write_block, self.read_block, self.write_neuron, self.read_neuron]
        kinds += [self.read_key, self.read_neuron, self.about, self.label]
        self.write_block()
        while time.monotonic() < until:
            kinds[int(self.rng.integers(len(kinds)))]()

    def tried(self, kind: str, method: str, path: str, body: bytes | None = None) -> bytes | None:
        """The answer; None for a refusal that says when to try again."""
        started = time.perf_counter()
        try:
            status, said = self.ask.tried(method, path, body)
        except OSError as error:
            self.tally.failed(f"{kind}: {error!r}")
            return None
        if status == 503:
            self.tally.counts["503"] += 1
            time.sleep(PAUSE_S)
            return None
        if status >= 400:
            self.tally.failed(f"{kind}: {status} {said[:100]!r}")
            return None
        self.tally.add(kind, time.perf_counter() - started)
        return said

    def compare(self, kind: str, path: str, expected: bytes) -> None:
        """A GET whose answer is known."""
        found = self.tried(kind, "GET", path)
        if found is not None and found != expected:
            self.tally.failed(f"{kind}: {len(found)} bytes that are not those written")

    def write_key(self) -> None:
        """A new value of its key."""
        value = b"%d of %d" % (next(self.told), self.number)
        if self.tried("post key", "POST", self.ask.of("kv", f"key/{self.number}"), value) is not None:
            self.key = value

    def read_key(self) -> None:
        """Its key."""
        if self.key:
            self.compare("key", self.ask.of("kv", f"key/{self.number}"), self.key)

    def write_block(self) -> None:
        """New voxels of its block."""
        path = self.ask.of("gray", f"raw/0_1_2/{self.place}?mutate=true")
        block = self.rng.bytes(SIDE**3)
        if self.tried("post block", "POST", path, block) is not None:
            self.block = block

    def read_block(self) -> None:
        """Its block."""
        self.compare("block", self.ask.of("gray", f"raw/0_1_2/{self.place}"), self.block)

    def write_neuron(self) -> None:
        """A new annotation of its body."""
        value = json.dumps({"bodyid": self.number + 1, "turn": next(self.told)}, separators=(",", ":")).encode()
        path = self.ask.of("nj", f"key/{self.number + 1}?u=soak&replace=true")
        if self.tried("post neuron", "POST", path, value) is not None:
            self.neuron = value

    def read_neuron(self) -> None:
        """The annotation of its body."""
        if self.neuron:
            found = self.tried("neuron", "GET", self.ask.of("nj", f"key/{self.number + 1}"))
            if found is not None and json.loads(found) != json.loads(self.neuron):
                self.tally.failed(f"neuron: {found!r} is not {self.neuron!r}")

    def about(self) -> None:
        """What an instance says of itself."""
        self.tried("info", "GET", self.ask.of("gray", "info"))

    def label(self) -> None:
        """A label that all clients read."""
        cell = self.number % 16
        self.compare("label", self.ask.of("seg", f"label/{cell * 4}_1_1"), b'{"Label":%d}' % (cell + 1))


def prepare(url: str, token: str) -> Asking:
    """A repo with an instance of each type that is asked."""
    ask = Asking(url, token)
    ask.instance("keyvalue", "kv")
    ask.instance("neuronjson", "nj")
    ask.instance("uint8blk", "gray", BlockSize="64,64,64")
    ask.instance("labelmap", "seg", BlockSize="64,64,64", MaxDownresLevel="1")
    labels = np.broadcast_to(1 + np.arange(64, dtype=np.uint64) // 4, (64, 64, 64))
    ask.post(ask.of("seg", "raw/0_1_2/64_64_64/0_0_0"), labels.tobytes())
    ask.instance("uint8blk", "large", BlockSize="64,64,64")
    ask.post(ask.of("large", "raw/0_1_2/256_256_256/0_0_0"), np.random.default_rng(0).bytes(256**3))
    return ask


def soak(url: str, token: str, clients: int, seconds: float) -> Tally:
    """All clients at once."""
    ask, tally = prepare(url, token), Tally()
    until = time.monotonic() + seconds
    running = [Client(url, token, ask.root, number, tally) for number in range(clients)]
    _together([lambda one=one: one.run(until) for one in running])  # type: ignore[misc]
    return tally


def beside(url: str, token: str, seconds: float) -> tuple[dict[str, float], dict[str, float]]:
    """Medians in seconds of small requests, alone and beside a loop that reads 16 MiB."""
    ask = prepare(url, token)
    client = Client(url, token, ask.root, 3, alone := Tally())
    client.write_key()
    client.write_neuron()
    small = [client.read_key, client.read_neuron, client.about, client.label]
    _for(seconds, small)
    client.tally = loaded = Tally()
    over = threading.Event()
    reader = Asking(url, token, ask.root)
    path = reader.of("large", "raw/0_1_2/256_256_256/0_0_0")

    def read() -> None:
        while not over.is_set():
            reader.get(path)

    thread = threading.Thread(target=read)
    thread.start()
    _for(seconds, small)
    over.set()
    thread.join()
    return _medians(alone), _medians(loaded)


def _for(seconds: float, kinds: list[Callable[[], None]]) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        for ask in kinds:
            ask()


def _medians(tally: Tally) -> dict[str, float]:
    return {kind: median(taken) for kind, taken in tally.seconds.items() if not kind.startswith("post")}


def _together(works: list[Callable[[], None]]) -> None:
    threads = [threading.Thread(target=work) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def memory(pid: int) -> tuple[int, int]:
    """MB that a process has in memory: its own, and of mapped files; 0 where that cannot be told."""
    sizes = status_mb(pid)
    return sizes.get("RssAnon", 0), sizes.get("RssFile", 0)


@contextmanager
def watched(pid: int, seconds: float) -> Iterator[list[tuple[int, int]]]:
    """Memory at the beginning of what is done inside, and after each tenth of its time."""
    found, over = [memory(pid)], threading.Event()

    def watch() -> None:
        while not over.wait(seconds / SAMPLES):
            found.append(memory(pid))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield found
    finally:
        over.set()
        thread.join()


def show(tally: Tally, seconds: float) -> None:
    """Table of a soak."""
    print(f"{tally.counts['answers']} answers, {tally.counts['answers'] / seconds:.0f} a second")
    print(f"{tally.counts['503']} refusals with 503, {tally.counts['wrong']} wrong answers or errors")
    for line in tally.wrong:
        print(f"  {line}")
    for kind, taken in sorted(tally.seconds.items()):
        middle, late = np.percentile(taken, [50, 99]) * 1000
        print(f"{kind:14} p50 {middle:8.1f} ms   p99 {late:8.1f} ms   {len(taken):8}")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("urls", nargs="*", metavar="URL", help="a server; none: one is started")
    parser.add_argument("--token", default="", help="admin token, to make a repo")
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--pid", type=int, default=0, help="the server's process, whose memory is looked at")
    parser.add_argument("--beside", action="store_true", help="only small requests beside a loop of large ones")
    options = parser.parse_args()
    with servers(options.urls[:1]) as (url,):
        if options.beside:
            alone, loaded = beside(url, options.token, options.seconds)
            for kind, before in alone.items():
                print(
                    f"{kind:14} alone {before * 1000:7.2f} ms   beside {loaded[kind] * 1000:7.2f} ms   "
                    f"{loaded[kind] / before:6.2f} times"
                )
        else:
            with watched(options.pid, options.seconds) as found:
                tally = soak(url, options.token, options.clients, options.seconds)
            show(tally, options.seconds)
            if options.pid:
                print("MB of its own + of mapped files:", ", ".join(f"{own} + {files}" for own, files in found))
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")


if __name__ == "__main__":
    main()
