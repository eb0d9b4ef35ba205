"""Writing points: one Ingestor a worker, any number of workers at once."""

from __future__ import annotations

import logging
import re
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import PurePosixPath
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from dvidpy.pointclouds.columns import (
    NARROW,
    Points,
    checked,
    checked_label,
    checked_labels,
    common_type,
    kept_type,
    put_rows,
)
from dvidpy.pointclouds.datafiles import DataFile
from dvidpy.pointclouds.parts import Header, Pieces, index_bytes, runs_of
from dvidpy.pointclouds.places import Place
from dvidpy.pointclouds.storage_config import StorageConfig

BUFFERED = 1 << 20
"""Points that are gathered before they are written."""
WORKER = re.compile(r"[\w.@+=-]+")
logger = logging.getLogger(__name__)


class Ingestor:
    """Writes the points of labels, block by block, into files of its own.

    Points may be of any integer or float type of at most 64 bits; they are kept as they are. All points of a store have
    the same number of coordinates. What is written shows to `consolidate_indexes` file by file: when a file has
    `max_points_per_file` points, or when the worker is finalized. A worker that is started again goes on beside its
    files. Not to be used by several threads at once; each process or thread has its own worker.
    """

    def __init__(
        self,
        storage_config: StorageConfig,
        worker_id: str | int,
        max_points_per_file: int = 10_000_000,
        verbose: bool = False,
    ) -> None:
        if max_points_per_file < 1:
            raise ValueError("max_points_per_file must be at least 1")
        self.storage_config = storage_config
        self.worker_id = str(worker_id)
        if not WORKER.fullmatch(self.worker_id):
            raise ValueError(f"a worker's name is letters, digits and _.@+=-, not {self.worker_id!r}")
        self.max_points_per_file = max_points_per_file
        self.verbose = verbose
        self.current_points_count = 0
        """Points of the file that is being written."""
        self._place = Place(storage_config)
        self._folder = f"worker_{self.worker_id}"
        self.worker_dir = self._place.shown(self._folder)
        self.data_dir = self._place.shown(f"{self._folder}/data")
        for name in ("data", "index"):
            self._place.make_folder(f"{self._folder}/{name}")
        self.file_counter = numbers_of(self._place).get(self.worker_id, 0)
        """Number of the file that is being written."""
        self._file: DataFile | None = None
        self._kind: tuple[np.dtype[Any], int] | None = None
        self._waiting: list[tuple[str, Pieces]] = []
        self._kept = NARROW
        """Type of the columns that points are gathered in."""
        self._columns: list[npt.NDArray[Any]] = []
        """Those that are being filled, and those that are being written meanwhile."""
        self._buffered = 0
        """Rows of them that are in use."""
        self._deleted: dict[str, dict[str, int]] = {}
        self._writer: ThreadPoolExecutor | None = ThreadPoolExecutor(1, thread_name_prefix="points")
        self._written: Future[None] | None = None
        self._failed: BaseException | None = None

    # ------------------------------------------------------------------ writing
    def write(self, label: int, block_id: str, points: Points) -> None:
        """Write points (N, D) of a label within a block; ValueError."""
        points = checked(points)
        one = np.array([checked_label(label)], np.uint64)
        if len(points):
            self._add(block_id, points, one, np.zeros(1, np.int64), np.array([len(points)], np.int64))

    def write_many(self, labels: npt.NDArray[Any], block_id: str, points: Points) -> None:
        """Write points (N, D) within a block, each of the label that stands beside it in labels (N,); ValueError."""
        points = checked(points)
        labels = checked_labels(labels, points)
        if len(labels):
            firsts, counts = runs_of(labels)
            self._add(block_id, points, labels[firsts].astype(np.uint64), firsts, counts)

    def _add(
        self,
        block_id: str,
        points: Points,
        labels: npt.NDArray[np.uint64],
        firsts: npt.NDArray[np.int64],
        counts: npt.NDArray[np.int64],
    ) -> None:
        """Gather runs of points, file by file."""
        self._demand_open(block_id)
        self._settle(points)
        self._make_room(len(points))
        start = 0
        while start < len(points):
            if self.current_points_count == self.max_points_per_file:
                self._end_file()
            room = min(self.max_points_per_file - self.current_points_count, BUFFERED - self._buffered)
            end = min(len(points), start + room)
            if not put_rows(points[start:end], self._columns[0][:, self._buffered : self._buffered + end - start]):
                self._keep_as(points.dtype, points.shape[1])
                continue
            first, last = np.searchsorted(firsts, start, "right") - 1, np.searchsorted(firsts, end, "left")
            begin = np.maximum(firsts[first:last], start)
            until = np.minimum(firsts[first:last] + counts[first:last], end)
            blocks = np.full(last - first, self._current().number_of(block_id), np.int32)
            pieces = Pieces(labels[first:last], blocks, begin - start + self._buffered, until - begin)
            self._waiting.append((block_id, pieces))
            self._buffered += end - start
            self.current_points_count += end - start
            start = end
            if self._buffered == BUFFERED:
                self._flush()

    def _make_room(self, count: int) -> None:
        """End what is being written where that keeps points together: a block in two parts is slower to count."""
        if self.max_points_per_file - self.current_points_count < count <= self.max_points_per_file:
            self._end_file()
        elif BUFFERED - self._buffered < count <= BUFFERED:
            self._flush()

    def _demand_open(self, block_id: str) -> None:
        if self._failed is not None:
            raise self._failed
        if self._writer is None:
            raise ValueError("this worker is finalized")
        if not isinstance(block_id, str):
            raise ValueError(f"a block's name is a text, not {block_id!r}")  # noqa: TRY004 -- bad input is a ValueError

    def _settle(self, points: Points) -> None:
        """Begin another file where points are of another type than those before."""
        self._demand_fitting(points)
        kind = (points.dtype, points.shape[1])
        if self._kind not in (None, kind) and self.current_points_count:
            self._end_file()
        if self._kind != kind:
            self._kind = kind
            self._keep_as(kept_type(points.dtype), points.shape[1])

    def _demand_fitting(self, points: Points) -> None:
        """ValueError for points that do not go with those before."""
        if self._kind is not None:
            if self._kind[1] != points.shape[1]:
                raise ValueError(f"points have {self._kind[1]} coordinates here, not {points.shape[1]}")
            common_type(self._kind[0], points.dtype)

    def _keep_as(self, dtype: np.dtype[Any], dimensions: int) -> None:
        """Gather points of a type from now on, in another file."""
        if self.current_points_count:
            self._end_file()
        self._wait()
        self._kept, self._buffered = dtype, 0
        self._columns = [np.empty((dimensions, BUFFERED), dtype) for _ in range(2)]

    def _current(self) -> DataFile:
        if self._file is None:
            name = f"{self.worker_id}-{self.file_counter}"
            self._file = DataFile(self._place, f"{self._folder}/data/{name}.parquet", index_path(self.worker_id, name))
        return self._file

    # ------------------------------------------------------------------ files
    def _do(self, work: Any, *args: Any) -> None:
        """Have it done beside, when what was to be done before is done."""
        self._wait()
        assert self._writer is not None
        self._written = self._writer.submit(work, *args)

    def _wait(self) -> None:
        written, self._written = self._written, None
        if written is not None:
            self._failed = written.exception()
            if self._failed is not None:
                self._abandon()
                raise self._failed

    def _flush(self) -> None:
        waiting, self._waiting = [pieces for _, pieces in self._waiting], []
        rows, self._buffered = self._buffered, 0
        if waiting:
            assert self._kind is not None
            self._do(self._current().append, self._kind[0], self._columns[0][:, :rows], waiting)
            self._columns.reverse()  # what was written before is written by now

    def _end_file(self) -> None:
        self._flush()
        file, self._file = self._file, None
        assert file is not None
        deleted, self._deleted = self._deleted, {}
        self._do(file.close, deleted)
        if self.verbose:
            logger.info(
                "worker %s: file %d has %d points", self.worker_id, self.file_counter, self.current_points_count
            )
        self.file_counter += 1
        self.current_points_count = 0

    def finalize(self) -> None:
        """Write what is left; afterwards all of it stands, synced. Again, it does nothing.

        Raises what went wrong while writing, as `write` does; whole files stand all the same.
        """
        if self._failed is not None:
            raise self._failed
        if self._writer is None:
            return
        if self.current_points_count:
            self._end_file()
        elif self._deleted:
            path = index_path(self.worker_id, f"{self.worker_id}-{self.file_counter}")
            self._do(self._place.write, path, index_bytes(Header(deleted=self._deleted), []))
        self._wait()
        self._writer.shutdown()
        self._writer = None

    def _abandon(self) -> None:
        """Give up: what is not in whole files is gone."""
        if self._writer is not None:
            self._writer.shutdown()
            self._writer = None
        if self._file is not None:
            self._file.abandon()
            self._file = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.finalize()
        else:
            self._abandon()

    # ------------------------------------------------------------------ blocks again
    def delete_block(self, block_id: str) -> None:
        """Delete what was written of a block so far: by this worker, and of others what they have in whole files.

        It holds from the next consolidation on, once this worker's file, or the worker, is finished.
        """
        self._demand_open(block_id)
        self._wait()
        gone = sum(int(pieces.counts.sum()) for block, pieces in self._waiting if block == block_id)
        self._waiting = [waiting for waiting in self._waiting if waiting[0] != block_id]
        self.current_points_count -= gone
        self._current().forget(block_id)
        self._deleted[block_id] = numbers_of(self._place) | {self.worker_id: self.file_counter}

    def replace_block(self, block_id: str, labels: npt.NDArray[Any], points: Points) -> None:
        """Delete what was written of a block so far, and write these points of it, as `write_many` does; ValueError,
        and nothing is deleted, for what that refuses.
        """
        points = checked(points)
        checked_labels(labels, points)
        self._demand_fitting(points)
        self.delete_block(block_id)
        self.write_many(labels, block_id, points)

    @staticmethod
    def consolidate_indexes(storage_config: StorageConfig, output_path: str | None = None) -> str:
        """Make the index of all that the workers have written so far; gives its path. Done again, it gives the same."""
        from dvidpy.pointclouds.unified import consolidate

        return consolidate(storage_config, output_path)


def index_path(worker: str, name: str) -> str:
    """Path of the index of a data file of a worker."""
    return f"worker_{worker}/index/{name}.arrow"


def numbers_of(place: Place) -> dict[str, int]:
    """Of each worker the number of its next file."""
    found: dict[str, int] = {}
    for path in place.names(recursive=True):
        parts = PurePosixPath(path).parts
        if len(parts) == 3 and parts[0].startswith("worker_") and parts[1] in ("data", "index"):
            worker, _, number = PurePosixPath(parts[2]).stem.rpartition("-")
            if number.isdecimal():
                found[worker] = max(found.get(worker, 0), int(number) + 1)
    return found
