"""Point clouds by label: writing, indexing, asking, optimising, of one volume; also beside PoCADuck, in turns.

    python -m benchmarks.pointclouds [--volume FILE.npz] [--side 128] [--beside FOLDER] [--rounds 3] [--cpu]

FOLDER holds PoCADuck: its package `pocaduck` and `optimize_point_cloud.py`. Times are those on the clock, with --cpu
those of all threads on processors, which other programs disturb less; medians of the rounds. A ratio is the other's
time over ours. The volume is an array of labels in an npz file, or made up.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import numpy.typing as npt

BLOCK = 64
CLOCK = [time.perf_counter]
"""What times are taken from."""
Labels = npt.NDArray[np.uint64]
Rows = dict[str, list[float]]


def volume(path: str | None, side: int) -> Labels:
    """Labels of a cube."""
    if path:
        arrays = np.load(path)
        return np.asarray(arrays[arrays.files[0]][:side, :side, :side], np.uint64)
    rng = np.random.default_rng(0)
    coarse = rng.integers(1, 200, (max(1, side // 16),) * 3).astype(np.uint64)
    return np.asarray(coarse.repeat(16, 0).repeat(16, 1).repeat(16, 2), np.uint64)


def blocks(labels_zyx: Labels) -> Iterator[tuple[str, Labels, npt.NDArray[np.int64]]]:
    """(name, labels, points) of each block."""
    for corner in np.ndindex(*(-(-side // BLOCK) for side in labels_zyx.shape)):
        first = np.array(corner) * BLOCK
        block = labels_zyx[tuple(slice(start, start + BLOCK) for start in first)]
        points = np.indices(block.shape).reshape(3, -1).T + first
        yield "_".join(map(str, corner)), block.reshape(-1), np.ascontiguousarray(points)


def clouds(labels: Labels, points: npt.NDArray[np.int64]) -> Iterator[tuple[int, npt.NDArray[np.int64]]]:
    """(label, points) of a block, as a worker that writes label by label has them."""
    order = np.argsort(labels, kind="stable")
    names, firsts = np.unique(labels[order], return_index=True)
    yield from zip(map(int, names), np.split(points[order], firsts[1:]), strict=True)


@contextmanager
def timed(rows: Rows, name: str) -> Iterator[None]:
    start = CLOCK[0]()
    yield
    rows.setdefault(name, []).append(CLOCK[0]() - start)


class Library:
    """One implementation: its package, and its optimiser."""

    def __init__(self, package: Any, optimizer: Any) -> None:
        self.package, self.optimizer = package, optimizer
        self.rows: Rows = {}

    def measure(self, labels_zyx: Labels, folder: str) -> None:
        """One round."""
        config = self.package.StorageConfig(base_path=folder)
        by_label = [(name, list(clouds(labels, points))) for name, labels, points in blocks(labels_zyx)]
        with timed(self.rows, "write, label by label"):
            ingestor = self.package.Ingestor(config, "one")
            for name, parts in by_label:
                for label, points in parts:
                    ingestor.write(label=label, block_id=name, points=points)
            ingestor.finalize()
        with timed(self.rows, "consolidate"):
            self.package.Ingestor.consolidate_indexes(config)
        self.ask(config, labels_zyx, "query")
        with timed(self.rows, "optimise"):
            self.optimizer.optimize_point_clouds(config, f"{folder}/unified_index.db", verbose=False)
            self.optimizer.consolidate_optimized_indices(config, verbose=False)
        self.ask(config, labels_zyx, "optimised query")
        if hasattr(self.package.Ingestor, "write_many"):
            self.write_many(labels_zyx, f"{folder}-many")

    def write_many(self, labels_zyx: Labels, folder: str) -> None:
        """Whole blocks, as PoCADuck cannot take them."""
        whole = list(blocks(labels_zyx))
        with timed(self.rows, "write_many"):
            ingestor = self.package.Ingestor(self.package.StorageConfig(base_path=folder), "one")
            for name, labels, points in whole:
                ingestor.write_many(labels, name, points)
            ingestor.finalize()

    def ask(self, config: Any, labels_zyx: Labels, what: str) -> None:
        """All points of a small label, of one in the middle, and of the largest."""
        names, counts = np.unique(labels_zyx, return_counts=True)
        order = np.argsort(counts)
        query = self.package.Query(config, cache_size=0)
        query.get_points(int(names[order[0]]))
        for share, size in ((0.1, "small"), (0.5, "middle"), (1.0, "largest")):
            number = order[int(share * (len(order) - 1))]
            with timed(self.rows, f"{what}, {size} label"):
                points = query.get_points(int(names[number]))
            assert len(points) == counts[number]
        query.close()


def libraries(beside: str | None) -> list[Library]:
    from dvidpy import pointclouds
    from dvidpy.pointclouds import optimizing

    found = [Library(pointclouds, optimizing)]
    if beside:
        sys.path.insert(0, beside)
        found.append(Library(__import__("pocaduck"), __import__("optimize_point_cloud")))
    return found


def report(measured: list[Library], points: int, say: Callable[[str], None]) -> None:
    ours = measured[0].rows
    say(f"{points:,} points")
    for name, times in ours.items():
        line = f"{name:32} {median(times) * 1000:10.2f} ms {points / median(times) / 1e6:8.2f} M/s"
        for other in measured[1:]:
            if name in other.rows:
                theirs = median(other.rows[name])
                line += f"   beside {theirs * 1000:10.2f} ms, ratio {theirs / median(times):8.1f}"
        say(line)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--volume", help="npz file of labels")
    parser.add_argument("--side", type=int, default=128, help="voxels of a side of the cube")
    parser.add_argument("--beside", help="folder of PoCADuck")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cpu", action="store_true", help="measure processor time of all threads")
    args = parser.parse_args()
    CLOCK[0] = time.process_time if args.cpu else time.perf_counter
    labels_zyx = volume(args.volume, args.side)
    measured = libraries(args.beside)
    for _ in range(args.rounds):
        for library in measured:
            with tempfile.TemporaryDirectory() as folder:
                library.measure(labels_zyx, str(Path(folder, "store")))
    report(measured, labels_zyx.size, print)


if __name__ == "__main__":
    main()
