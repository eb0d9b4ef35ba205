"""`python -m benchmarks.limits`: what this machine can do at best, to hold beside what requests take.

Copies of memory and fresh pages, bytes through a loopback socket, one round trip of a small message, an fsync, and the
codecs on gray and on labels such as are stored. Each is the best of some rounds. With --out a JSON file.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from multiprocessing import Process
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import lz4.block
import numpy as np
from isal import igzip
from PIL import Image

MB = 1 << 20
GRAY, LABELS = 16 * MB, 128 * MB
"""Bytes of 256^3 voxels."""
ROUNDS = 5
SMALL = 200
"""Bytes of a small answer."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.limits", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--out", type=Path, help="JSON file to write")
    parser.add_argument("--part", type=int, default=1, help="measure this part of the bytes: 16 for a sixteenth")
    options = parser.parse_args()
    rows = list(all_limits(options.part))
    for name, seconds, size in rows:
        print(f"{name:44}{1000 * seconds:10.3f} ms" + (f"{size / seconds / 1e9:8.2f} GB/s" if size else ""))
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    if options.out:
        limits = [{"limit": name, "ms": 1000 * seconds, "bytes": size} for name, seconds, size in rows]
        report = {"limits": limits, "load": os.getloadavg()[0], "cores": os.cpu_count()}
        options.out.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


def all_limits(part: int) -> Iterator[tuple[str, float, int]]:
    """(what, seconds, bytes that it moves or makes)."""
    gray, labels = GRAY // part, LABELS // part
    yield from _memory(labels)
    with _reflector() as line:
        yield "round trip of a small message, two processes", best(lambda: _ask(line, SMALL), 2000), 0
        yield f"loopback, {gray // MB} MiB", best(lambda: _ask(line, gray)), gray
        yield f"loopback, {labels // MB} MiB", best(lambda: _ask(line, labels)), labels
    yield "fsync behind 200 bytes", _fsync(), 0
    yield from _codecs(gray, labels)


def best(work: Callable[[], object], rounds: int = ROUNDS) -> float:
    """Seconds of the quickest round."""
    found = float("inf")
    for _ in range(rounds):
        began = time.perf_counter()
        work()
        found = min(found, time.perf_counter() - began)
    return found


def _memory(size: int) -> Iterator[tuple[str, float, int]]:
    source, target = np.ones(size, np.uint8), np.ones(size, np.uint8)
    yield "copy in memory", best(lambda: np.copyto(target, source)), size
    yield "copy into fresh pages", best(source.copy), size


# ---------------------------------------------------------------------- loopback
@contextmanager
def _reflector() -> Iterator[socket.socket]:
    """A connection to a process that sends as many bytes as it is told."""
    with socket.create_server(("127.0.0.1", 0)) as door:
        other = Process(target=_reflect, args=(door.getsockname()[1],), daemon=True)
        other.start()
        line, _ = door.accept()
    line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with line:
        yield line
    other.join(10)


def _reflect(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port)) as line:
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        answer = b""
        while asked := line.recv(8):
            size = int.from_bytes(asked, "little")
            answer = answer if len(answer) == size else bytes(size)
            line.sendall(answer)


def _ask(line: socket.socket, size: int) -> None:
    line.sendall(size.to_bytes(8, "little"))
    into = memoryview(_ROOM)
    while size:
        size -= line.recv_into(into[: min(size, len(into))])


_ROOM = bytearray(MB)


def _fsync() -> float:
    with TemporaryFile(dir=".", buffering=0) as file:

        def write() -> None:
            file.write(bytes(SMALL))
            os.fsync(file.fileno())

        return best(write, 200)


# ---------------------------------------------------------------------- codecs
def _codecs(gray_size: int, labels_size: int) -> Iterator[tuple[str, float, int]]:
    gray, labels = _gray(gray_size), _labels(labels_size)
    picture = Image.fromarray(np.frombuffer(gray[: 512 * 512], np.uint8).reshape(512, 512))
    packed: Any = igzip
    for name, data in (("gray", gray), ("labels", labels)):
        small = lz4.block.compress(data)
        yield f"lz4 of {name}", best(partial(lz4.block.compress, data)), len(data)
        yield f"lz4 back to {name}", best(partial(lz4.block.decompress, small)), len(data)
        yield f"gzip 1 of {name}", best(partial(packed.compress, data, 1), 1), len(data)
    yield "png of 512 x 512, Pillow", best(partial(_save, picture, "png", compress_level=1)), 512 * 512
    yield "jpeg of 512 x 512, Pillow", best(partial(_save, picture, "jpeg", quality=80)), 512 * 512


def _save(picture: Image.Image, form: str, **settings: int) -> None:
    picture.save(io.BytesIO(), form, **settings)


def _gray(size: int) -> bytes:
    """Noise around slow waves, as electron microscopes see tissue: hardly to be packed."""
    rng = np.random.default_rng(1)
    waves = 128 + 40 * np.sin(np.arange(size) / 97)
    return np.clip(waves + rng.normal(0, 20, size), 0, 255).astype(np.uint8).tobytes()


def _labels(size: int) -> bytes:
    """Runs of some 20 equal labels."""
    rng = np.random.default_rng(2)
    runs = np.repeat(rng.integers(1, 1 << 40, size // 160 + 1, dtype=np.uint64), 20)
    return runs[: size // 8].tobytes()


if __name__ == "__main__":
    main()
