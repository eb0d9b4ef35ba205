"""The same points once more, label by label: files for fast queries, made by any number of workers, in steps.

`shard_labels` divides the labels, `optimize_point_clouds` writes the files of some, `consolidate_optimized_indices`
makes the index of these files, which `Query` uses as long as the store has not changed since. A worker that was
interrupted goes on after its last whole file.
"""

from __future__ import annotations

import argparse
import json
import sys
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from dvidpy.pointclouds.columns import NARROW, Points, narrowed, sorted_unique, together
from dvidpy.pointclouds.datafiles import DataFile, joined
from dvidpy.pointclouds.index import Index
from dvidpy.pointclouds.parts import Header, Pieces, open_index
from dvidpy.pointclouds.places import Place
from dvidpy.pointclouds.reading import DataFiles
from dvidpy.pointclouds.storage_config import StorageConfig
from dvidpy.pointclouds.unified import UNIFIED, Facts, with_file, write_index

BATCH_POINTS = 1 << 24
"""Points that are sorted at once, unless one label has more."""
FLUSHED = 1 << 20
"""Points that are written at once."""
MEBIBYTE = 1 << 20


def shard_labels(
    storage_config: StorageConfig,
    source_index_path: str,
    num_shards: int,
    output_dir: str | None = None,
    verbose: bool = True,
) -> list[str]:
    """Divide the labels among files of labels, one a line, of as many labels each; their paths."""
    if num_shards < 1:
        raise ValueError("num_shards must be at least 1")
    place = Place(storage_config)
    with closing(Index(place, place.given(source_index_path), 1)) as index:
        labels = index.labels()
    size = -(-len(labels) // num_shards)
    folder = Path(output_dir or ".")
    folder.mkdir(parents=True, exist_ok=True)
    written: list[str] = []
    for start in range(0, len(labels), max(1, size)):
        path = folder / f"labels_shard_{len(written) + 1}.txt"
        path.write_text("\n".join(map(str, labels[start : start + size])), encoding="ascii")
        written.append(str(path))
    _say(verbose, f"{len(labels)} labels in {len(written)} files of at most {size}")
    return written


# ---------------------------------------------------------------------- one worker
def optimize_point_clouds(
    storage_config: StorageConfig,
    source_index_path: str,
    target_path: str | None = None,
    worker_id: str = "default",
    target_file_size: int = 500 * MEBIBYTE,
    batch_size: int = 100,
    labels_to_process: Iterable[int] | None = None,
    threads: int | None = None,
    verbose: bool = True,
) -> str:
    """Write optimised files of labels, all without `labels_to_process`; gives the path of the worker's metadata.

    `target_file_size` is that of the points in memory, in bytes. Labels that whole files of this worker have already
    are passed over; files of a store that has changed since are removed. It needs memory for the largest cloud.
    """
    if batch_size < 1:
        raise ValueError("batch_size must be at least 1")
    place = Place(storage_config)
    folder = f"{place.given(target_path) if target_path else 'optimized'}/optimize_{worker_id}"
    with closing(Index(place, place.given(source_index_path), threads or 1)) as index:
        done = _done(place, folder, index.facts)
        files = DataFiles(place, threads or 1)
        worker = _Worker(place, folder, index.facts, target_file_size)
        try:
            wanted = _wanted(index, labels_to_process, done)
            for labels in _batches_of(wanted, batch_size):
                worker.add(_clouds(index, files, labels))
                _say(verbose, f"{worker_id}: labels up to {labels[-1]} are read")
            worker.end()
        finally:
            files.close()
    return _write_metadata(place, folder, worker_id, index.facts)


def _indexes(place: Place, folder: str) -> Iterator[tuple[str, Header, list[pa.RecordBatch]]]:
    """(path, header, batches) of the index files of a worker's folder."""
    for path in place.names(folder):
        if path.endswith(".arrow"):
            with place.open(path) as file:
                header, reader = open_index(file)
                yield path, header, list(reader)


def _done(place: Place, folder: str, facts: Facts) -> set[int]:
    """Labels of whole files of this store; other files are removed."""
    labels: set[int] = set()
    kept = set()
    for path, header, batches in _indexes(place, folder):
        if header.generation == facts.generation:
            kept |= {path, header.file}
            labels.update(label for batch in batches for label in batch.column("label").to_pylist())
    for path in place.names(folder):
        if path not in kept:
            place.delete(path)
    return labels


def _wanted(index: Index, chosen: Iterable[int] | None, done: set[int]) -> list[tuple[int, int]]:
    """(label, number of points as written) of what is to be done, ascending."""
    only = None if chosen is None else {int(label) for label in chosen}
    return [
        (label, count)
        for label, count in zip(*(column.tolist() for column in index.counts()), strict=True)
        if label not in done and (only is None or label in only)
    ]


def _batches_of(wanted: list[tuple[int, int]], size: int) -> Iterator[list[int]]:
    """Labels that are read together."""
    labels: list[int] = []
    points = 0
    for label, count in wanted:
        if labels and (len(labels) == size or points + count > BATCH_POINTS):
            yield labels
            labels, points = [], 0
        labels.append(label)
        points += count
    if labels:
        yield labels


def _clouds(index: Index, files: DataFiles, labels: list[int]) -> Iterator[tuple[int, Points]]:
    """(label, its points in order) of some labels. Groups of rows that hold several of them are read once."""
    found = index.find_all(labels)
    of_part, counts = found.parts.column("label").to_numpy(), found.rows()[:, 1]
    points = together(files.read(found.ranges()), np.dtype(index.facts.dtype))
    ordered = Pieces(of_part, np.zeros(len(of_part), np.int32), np.cumsum(counts) - counts, counts).in_order()
    if len(labels) > 1:
        points = points[ordered.rows()]
    heads = ordered.heads()
    ends = np.cumsum(np.add.reduceat(ordered.counts, heads))
    starts = np.concatenate(([0], ends[:-1]))
    for label, start, end in zip(ordered.labels[heads], starts, ends, strict=True):
        yield int(label), sorted_unique(points[start:end])


class _Worker:
    """Writes clouds one after another, into files of about one size."""

    def __init__(self, place: Place, folder: str, facts: Facts, file_bytes: int) -> None:
        self._place, self._folder, self._facts, self._file_bytes = place, folder, facts, file_bytes
        self._file: DataFile | None = None
        self._waiting: list[tuple[Points, Pieces]] = []
        self._points = 0
        self._bytes = 0

    def add(self, clouds: Iterable[tuple[int, Points]]) -> None:
        for label, points in clouds:
            zero, count = np.zeros(1, np.int64), np.array([len(points)], np.int64)
            block = np.zeros(1, np.int32)
            self._waiting.append((points.T, Pieces(np.array([label], np.uint64), block, zero, count)))
            self._points += len(points)
            self._bytes += points.nbytes + 8 * len(points)
            if self._points >= FLUSHED:
                self._flush()
            if self._bytes >= self._file_bytes:
                self.end()

    def _flush(self) -> None:
        dtype = np.dtype(self._facts.dtype)
        columns, pieces = joined(self._waiting, dtype)
        self._waiting, self._points = [], 0
        columns = narrowed(columns)
        if self._file is not None and self._file.kept == NARROW != columns.dtype:
            self.end()
        kept = self._current().kept or columns.dtype
        self._current().append(dtype, columns.astype(kept, copy=False), [pieces])

    def _current(self) -> DataFile:
        if self._file is None:
            name = f"{self._folder}/optimized_{uuid.uuid4().hex}"
            self._file = DataFile(self._place, f"{name}.parquet", f"{name}.arrow", self._facts.generation)
            self._file.number_of("")
        return self._file

    def end(self) -> None:
        if self._waiting:
            self._flush()
        if self._file is not None:
            self._file.close({})
        self._file, self._bytes = None, 0


def _write_metadata(place: Place, folder: str, worker_id: str, facts: Facts) -> str:
    files = {
        header.file: {
            "labels_count": sum(map(len, batches)),
            "points_count": sum(sum(batch.column("point_count").to_pylist()) for batch in batches),
        }
        for _, header, batches in _indexes(place, folder)
    }
    stats = {
        "total_labels": sum(file["labels_count"] for file in files.values()),
        "total_points": sum(file["points_count"] for file in files.values()),
    }
    said = {"worker_id": worker_id, "generation": facts.generation, "files": files, "stats": stats}
    path = f"{folder}/metadata.json"
    place.write(path, json.dumps(said, indent=2).encode())
    return path if path.startswith("/") else place.shown(path)


# ---------------------------------------------------------------------- all workers
def consolidate_optimized_indices(
    storage_config: StorageConfig,
    target_path: str | None = None,
    target_index_path: str | None = None,
    threads: int | None = None,
    verbose: bool = True,
) -> None:
    """Make the index of all optimised files of the store as it is now. A label that several workers did counts once."""
    place = Place(storage_config)
    target = place.given(target_path) if target_path else "optimized"
    facts = _facts_now(place, threads or 1)
    beside = (path.rpartition("/")[0] for path in place.names(target, recursive=True) if path.endswith(".arrow"))
    folders = {folder for folder in beside if folder.rpartition("/")[2].startswith("optimize_")}
    found = [one for folder in sorted(folders) for one in _indexes(place, folder)]
    generations = {header.generation for _, header, _ in found}
    if facts is None and len(generations) == 1:
        facts = _facts_of(found)
    if facts is None or facts.generation not in generations:
        _say(verbose, "there are no optimised files of this store as it is now")
        return
    generation = facts.generation
    batches = (
        with_file(batch, header.file) for _, header, all_ in found if header.generation == generation for batch in all_
    )
    once = "QUALIFY row_number() OVER (PARTITION BY label ORDER BY file_path) = 1"
    path = place.given(target_index_path) if target_index_path else f"{target}/optimized_index.db"
    write_index(place, path, facts, batches, once)
    _say(verbose, f"the index of {sum(len(batch) for _, _, all_ in found for batch in all_)} optimised clouds is made")


def _facts_now(place: Place, threads: int) -> Facts | None:
    """What the store's index says of it; None where it is gone."""
    if not place.exists(UNIFIED):
        return None
    with closing(Index(place, UNIFIED, threads)) as index:
        return index.facts


def _facts_of(found: list[tuple[str, Header, list[Any]]]) -> Facts:
    header = found[0][1]
    return Facts(header.dtype, header.dimensions, header.generation)


def _say(verbose: bool, line: str) -> None:
    if verbose:
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()


# ---------------------------------------------------------------------- as a program
def main(arguments: Sequence[str] | None = None) -> None:
    """`--action shard`, `optimize` or `consolidate`, with the arguments of PoCADuck's optimize_point_cloud.py."""
    parser = _parser()
    args = parser.parse_args(arguments)
    storage_config = StorageConfig.from_args(args)
    source = args.source_index or f"{args.base_path.rstrip('/')}/{UNIFIED}"
    verbose = not args.quiet
    if args.action == "optimize":
        optimize_point_clouds(
            storage_config=storage_config,
            source_index_path=source,
            target_path=args.target_path,
            worker_id=args.worker_id,
            target_file_size=args.target_file_size,
            batch_size=args.batch_size,
            labels_to_process=_chosen(args),
            threads=args.threads,
            verbose=verbose,
        )
    elif args.action == "consolidate":
        consolidate_optimized_indices(
            storage_config=storage_config,
            target_path=args.target_path,
            target_index_path=args.target_index,
            threads=args.threads,
            verbose=verbose,
        )
    elif not args.num_shards:
        parser.error("--num-shards is required for --action shard")
    else:
        shard_labels(
            storage_config=storage_config,
            source_index_path=source,
            num_shards=args.num_shards,
            output_dir=args.shard_output_dir,
            verbose=verbose,
        )


def _chosen(args: argparse.Namespace) -> list[int] | None:
    if args.labels:
        return [int(label) for label in args.labels.split(",")]
    if args.labels_file:
        return [int(line) for line in Path(args.labels_file).read_text(encoding="ascii").split()]
    return None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Write point clouds once more, label by label")
    parser.add_argument("--action", required=True, choices=["optimize", "consolidate", "shard"], help="What to do")
    parser.add_argument("--source-index", help="Index to read; unified_index.db of the store")
    parser.add_argument("--target-path", help="Folder of the optimised files; `optimized` of the store")
    parser.add_argument("--target-index", help="Index to make; optimized_index.db of the target")
    parser.add_argument("--target-file-size", type=int, default=500 * MEBIBYTE, help="Bytes of points of a file")
    parser.add_argument("--batch-size", type=int, default=100, help="Labels that are read together")
    parser.add_argument("--threads", type=int, help="Threads that read")
    parser.add_argument(
        "--worker-id", default=uuid.uuid4().hex[:8], help="Name of this worker; to go on, the same again"
    )
    parser.add_argument("--num-shards", type=int, help="Number of files of labels to make")
    parser.add_argument("--shard-output-dir", help="Folder of the files of labels")
    parser.add_argument("--labels", help="Labels to do, with commas between; all without")
    parser.add_argument("--labels-file", help="File of labels to do, one a line")
    parser.add_argument("--quiet", action="store_true", help="Say nothing")
    StorageConfig.add_storage_args(parser)
    return parser


if __name__ == "__main__":
    main()
