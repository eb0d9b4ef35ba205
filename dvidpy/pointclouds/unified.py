"""The index of a whole store: what the workers' index files say, by label.

It is a table that `Index` finds parts in, and beside it a DuckDB database of the same, for those who ask in SQL.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dvidpy.pointclouds.columns import common_type
from dvidpy.pointclouds.parts import AXES, SCHEMA, Header, open_index
from dvidpy.pointclouds.places import Place
from dvidpy.pointclouds.storage_config import StorageConfig

UNIFIED = "unified_index.db"
WITH_FILE = SCHEMA.append(pa.field("file_path", pa.dictionary(pa.int32(), pa.string())))
TABLE = pa.schema([pa.field(one.name, pa.string()) if one.name == "block_id" else one for one in WITH_FILE])
"""Columns of an index."""
FACTS = b"store"
"""Name of what a table's metadata says of the store."""
STRETCH = 1 << 18
"""Parts that are written at once into the table."""


@dataclass(frozen=True)
class Facts:
    """What an index says of its store as a whole."""

    dtype: str
    dimensions: int
    generation: str
    """Changes whenever what is indexed does."""


def consolidate(config: StorageConfig, output_path: str | None = None) -> str:
    """Make the index of all that stands; gives its path. ValueError where what workers wrote does not go together."""
    place = Place(config)
    headers = dict(_headers(place))
    facts = facts_of(headers)
    write_index(place, UNIFIED if output_path is None else place.given(output_path), facts, _batches(place, headers))
    return place.shown(UNIFIED) if output_path is None else output_path


def write_index(place: Place, path: str, facts: Facts, batches: Iterator[pa.RecordBatch], clause: str = "") -> None:
    """Write an index of parts, by label; of which parts, a clause of SQL may say. The table goes first: it is asked."""
    with place.writing_locally(path) as file, closing(duckdb.connect(str(file))) as database:
        database.register("incoming", pa.RecordBatchReader.from_batches(WITH_FILE, batches))
        database.execute(
            f"CREATE TABLE parts AS SELECT * FROM incoming {clause} ORDER BY label, block_id, file_path, first_row"  # noqa: S608 -- of this program
        )
        write_facts(database, facts)
        _write_table(place, table_of(path), facts, database)


def table_of(path: str) -> str:
    """Path of the table that stands beside the database of an index."""
    return f"{path.removesuffix('.db')}.arrow"


def _write_table(place: Place, path: str, facts: Facts, database: duckdb.DuckDBPyConnection) -> None:
    """The database's parts as an Arrow file, which is read without being unpacked."""
    names = database.sql("SELECT DISTINCT file_path FROM parts ORDER BY ALL").to_arrow_table().column(0)
    files = names.cast(pa.string()).combine_chunks()
    schema = TABLE.with_metadata({FACTS: json.dumps(facts.__dict__)})
    parts = database.sql("SELECT * FROM parts").to_arrow_reader(STRETCH)
    with place.writing(path) as stream, pa.ipc.new_file(stream, schema) as writer:
        for batch in parts:
            rows = dict(zip(batch.schema.names, batch.columns, strict=True))
            numbers = pc.index_in(rows["file_path"].cast(pa.string()), files)
            rows |= {"file_path": pa.DictionaryArray.from_arrays(numbers, files)}
            rows |= {"block_id": rows["block_id"].cast(pa.string())}
            writer.write_batch(pa.record_batch([rows[name] for name in schema.names], schema=schema))


def write_facts(database: duckdb.DuckDBPyConnection, facts: Facts) -> None:
    """Put what is true of the whole into a database of an index."""
    database.execute("CREATE TABLE store (facts VARCHAR)")
    database.execute("INSERT INTO store VALUES (?)", [json.dumps(facts.__dict__)])


def read_facts(database: duckdb.DuckDBPyConnection) -> Facts:
    """What `write_facts` put there; ValueError where the database is no index of this kind."""
    try:
        rows = database.execute("SELECT facts FROM store").fetchall()
    except duckdb.CatalogException:
        raise ValueError("this index was not made by this program") from None
    return Facts(**json.loads(rows[0][0]))


def facts_of(headers: dict[str, Header]) -> Facts:
    """What the index files have in common."""
    kinds = [header for header in headers.values() if header.file]
    dimensions = {header.dimensions for header in kinds}
    if len(dimensions) > 1:
        raise ValueError(f"workers wrote points of {' and '.join(map(str, sorted(dimensions)))} coordinates")
    dtype: np.dtype[Any] | None = None
    for name in sorted({header.dtype for header in kinds}):
        dtype = np.dtype(name) if dtype is None else common_type(dtype, np.dtype(name))
    digest = hashlib.sha256(json.dumps([header.__dict__ for _, header in sorted(headers.items())]).encode())
    return Facts((dtype or np.dtype(np.int64)).str, min(dimensions, default=AXES), digest.hexdigest())


def _headers(place: Place) -> Iterator[tuple[str, Header]]:
    """(path, header) of all index files of workers."""
    for path in place.names(recursive=True):
        parts = path.split("/")
        if len(parts) == 3 and parts[0].startswith("worker_") and parts[1] == "index" and path.endswith(".arrow"):
            with place.open(path) as file:
                yield path, open_index(file)[0]


def _batches(place: Place, headers: dict[str, Header]) -> Iterator[pa.RecordBatch]:
    """All parts that were not deleted since."""
    deleted: dict[str, list[dict[str, int]]] = {}
    for header in headers.values():
        for block, below in header.deleted.items():
            deleted.setdefault(block, []).append(below)
    for path, header in headers.items():
        worker, number = _name_of(path)
        gone = [
            block for block, all_below in deleted.items() if any(number < below.get(worker, 0) for below in all_below)
        ]
        with place.open(path) as file:
            for batch in open_index(file)[1]:
                blocks = batch.column("block_id").cast(pa.string())
                kept = batch.filter(pc.invert(pc.is_in(blocks, pa.array(gone, pa.string()))))
                yield with_file(kept, header.file)


def with_file(batch: pa.RecordBatch, path: str) -> pa.RecordBatch:
    """Rows of an index file with the name of its data file."""
    zeros = pa.array(np.zeros(len(batch), np.int32))
    return pa.record_batch([*batch.columns, pa.DictionaryArray.from_arrays(zeros, pa.array([path]))], schema=WITH_FILE)


def _name_of(path: str) -> tuple[str, int]:
    worker, _, number = path.rpartition("/")[2].removesuffix(".arrow").rpartition("-")
    return worker, int(number)
