"""An index, open to be read: a table of parts by label, mapped from its file, so that a look-up touches a few pages."""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import ExitStack, closing
from functools import cached_property
from typing import Literal

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dvidpy.pointclouds.found import Found
from dvidpy.pointclouds.parts import runs_of
from dvidpy.pointclouds.places import Place
from dvidpy.pointclouds.unified import FACTS, Facts, read_facts, table_of

Labels = npt.NDArray[np.uint64]


class Index:
    """An index; of an object store a copy, for as long as it is open. Its database is opened when it is asked."""

    def __init__(self, place: Place, path: str, threads: int) -> None:
        if not place.exists(path):
            raise FileNotFoundError(f"there is no index {path}; Ingestor.consolidate_indexes makes it")
        self._store, self._path, self._threads = place, path, max(1, int(threads))
        with ExitStack() as opening:
            self._opened = opening
            self.facts, self._parts = self._read()
            self._opened = opening.pop_all()
        self._labels: list[Labels] = [chunk.to_numpy() for chunk in self._parts.column("label").chunks if len(chunk)]
        """Of each stretch of the table, ascending."""
        self._lasts = np.array([labels[-1] for labels in self._labels], np.uint64)
        self._starts = np.cumsum([0, *map(len, self._labels)])

    def _read(self) -> tuple[Facts, pa.Table]:
        beside = table_of(self._path)
        if not self._store.exists(beside):  # somebody moved the database alone
            return read_facts(self.database), self.database.sql("SELECT * FROM parts ORDER BY label").to_arrow_table()
        file = self._opened.enter_context(self._store.reading_locally(beside))
        source = self._opened.enter_context(pa.memory_map(str(file)))
        table = pa.ipc.open_file(source).read_all()
        return Facts(**json.loads(table.schema.metadata[FACTS])), table

    @cached_property
    def database(self) -> duckdb.DuckDBPyConnection:
        """The same in SQL: the tables `parts` and `store`, and PoCADuck's `point_cloud_index`."""
        file = self._opened.enter_context(self._store.reading_locally(self._path))
        database = self._opened.enter_context(closing(duckdb.connect(str(file), read_only=True)))
        database.execute(f"SET threads = {self._threads}")
        read_facts(database)  # is it one of ours
        root = self._store.shown("").replace("'", "''")
        database.execute(
            "CREATE TEMP VIEW point_cloud_index AS SELECT label, block_id, "  # noqa: S608 -- quoted
            f"if(starts_with(file_path, '/'), '', '{root}') || file_path AS file_path, point_count FROM parts"
        )
        return database

    def find(self, label: int) -> Found:
        """Where the points of a label are."""
        first, past = self._place_of(label, "left"), self._place_of(label, "right")
        return Found(self._parts.slice(first, past - first))

    def find_all(self, labels: Iterable[int]) -> Found:
        """Where the points of some labels are, by file and row."""
        parts = pa.concat_tables([self.find(label).parts for label in labels])
        names = parts.schema.get_field_index("file_path")
        parts = parts.set_column(names, "file_path", parts.column(names).cast(pa.string()))
        return Found(parts.sort_by([("file_path", "ascending"), ("first_row", "ascending")]))

    def _place_of(self, label: int, side: Literal["left", "right"]) -> int:
        """Number of the first part of a label, or of the one behind its last."""
        wanted = np.uint64(label)
        stretch = int(np.searchsorted(self._lasts, wanted, side))
        inside = int(np.searchsorted(self._labels[stretch], wanted, side)) if stretch < len(self._labels) else 0
        return int(self._starts[stretch]) + inside

    def labels(self) -> Labels:
        """All labels, ascending."""
        return self.counts()[0]

    def counts(self) -> tuple[Labels, npt.NDArray[np.int64]]:
        """(all labels, ascending; points of each as they were written, some perhaps twice)."""
        counts = [chunk.to_numpy().astype(np.int64) for chunk in self._parts.column("point_count").chunks if len(chunk)]
        sums = [_summed(*one) for one in zip(self._labels, counts, strict=True)]
        labels = np.concatenate([np.empty(0, np.uint64), *(one for one, _ in sums)])
        return _summed(labels, np.concatenate([np.empty(0, np.int64), *(some for _, some in sums)]))

    def close(self) -> None:
        """Close its files, and remove the copies."""
        self._opened.close()


def _summed(labels: Labels, counts: npt.NDArray[np.int64]) -> tuple[Labels, npt.NDArray[np.int64]]:
    """Each of ascending labels once, with the sum of its counts."""
    if not len(labels):
        return labels, counts
    firsts, _ = runs_of(labels)
    return labels[firsts], np.add.reduceat(counts, firsts)
