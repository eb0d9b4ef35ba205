"""Whole instances in and out: from a keyvalue instance, from a list of annotations, and what a version changed.

The reference has these as commands of its program; here they are routes too, and functions for whoever drives them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from dvidpy.datatypes.keyvalues import keys as text_keys
from dvidpy.datatypes.neuronjson import records
from dvidpy.datatypes.neuronjson.annotations import Annotations, read_posted
from dvidpy.datatypes.neuronjson.keys import ANNOTATION, body_of, parse_body
from dvidpy.datatypes.neuronjson.merging import Writer, demand_signs
from dvidpy.datatypes.neuronjson.records import Annotation
from dvidpy.datatypes.neuronjson.schemas import Schema
from dvidpy.datatypes.settings import read_json
from dvidpy.errors import BadRequest, DvidError
from dvidpy.storage.keys import TOMBSTONE, cell
from dvidpy.versioning.found import Found

TOGETHER = 1000
"""Annotations of an edit."""
_PIECE = 1 << 20
"""Bytes that are gathered before they are written to a file."""


def import_keyvalue(data: Annotations, name: str) -> dict[str, int]:
    """Take over what a keyvalue instance of the repo has in this version, as it stands there -> how many of what.

    Schemas go by their names. Keys that are no body ids, and values that are no annotations of theirs, are skipped.
    Each thousand annotations are one edit. BadRequest where there is no such instance.
    """
    source = data.sibling(name)
    if source.type != "keyvalue":
        raise BadRequest(f"{name!r} is of type {source.type}, not keyvalue")
    version = data.node.version if source.versioned else source.root_version
    view = data.datastore.values(source).at(version).frozen()
    counts: Counter[str] = Counter(imported=0, schemas=0, skipped=0)
    waiting: dict[int, Annotation] = {}
    for key, found in view.range(text_keys.FIRST, text_keys.PAST):
        _take_over(data, text_keys.key_of(key), found, waiting, counts)
        if len(waiting) >= TOGETHER:
            data.put(waiting, "importneuronjson")
            waiting = {}
    if waiting:
        data.put(waiting, "importneuronjson")
    return dict(counts)


def _take_over(data: Annotations, key: str, found: Found, waiting: dict[int, Annotation], counts: Counter[str]) -> None:
    try:
        if key in Schema.__members__:
            data.put_schema(Schema[key], found.read())
            counts["schemas"] += 1
            return
        body = parse_body(key)
        waiting[body] = _as_it_stands(body, found.read())
        counts["imported"] += 1
    except BadRequest:
        counts["skipped"] += 1


def _as_it_stands(body: int, text: bytes) -> Annotation:
    """An annotation that was kept as bytes; its body's id is added where it is missing."""
    annotation = {field: value for field, value in records.parse(text).items() if value is not None}
    records.demand_body(annotation | {"bodyid": annotation.get("bodyid", body)}, body)
    demand_signs(annotation)
    return annotation | {"bodyid": body}


def ingest(data: Annotations, body: bytes, writer: Writer) -> dict[str, int]:
    """Merge a JSON list of annotations into what is there -> how many.

    All are looked at before the first is stored; then each thousand are one edit. BadRequest for one that cannot be
    taken, which stores nothing.
    """
    given = read_json(body)
    if not isinstance(given, list):
        raise BadRequest("expected a JSON list of annotations")
    schema = data.schema(Schema.json_schema)
    taken = [read_posted(_key_of(one, at), orjson.dumps(one), schema, writer) for at, one in enumerate(given)]
    for at in range(0, len(taken), TOGETHER):
        data.store(taken[at : at + TOGETHER], writer, "ingestneuronjson")
    return {"ingested": len(taken)}


def _key_of(annotation: Any, at: int) -> str:
    if not isinstance(annotation, dict):
        raise BadRequest(f"member {at} of the list is no JSON object")
    try:
        return str(records.demand_body(records.tidy(annotation)))
    except DvidError as error:
        raise BadRequest(f"member {at} of the list: {error}") from None


# ---------------------------------------------------------------------- what versions changed
def changes(data: Annotations) -> Iterator[bytes]:
    """JSON of each annotation that this version stored, with all its fields, or deleted: {"bodyid", "tombstone"}."""
    for body, version, kind in _cells(data):
        if version == data.version and (text := _text(data, body, version, kind)) is not None:
            yield text


def write_changes(data: Annotations, folder: Path) -> list[Path]:
    """Files "<uuid>.json" with the changes of each version that has some, as JSON lists; the folder is made."""
    folder.mkdir(parents=True, exist_ok=True)
    pieces: dict[int, bytearray] = {}
    for body, version, kind in _cells(data):
        text = _text(data, body, version, kind)
        if text is None:
            continue
        if version not in pieces:
            _file(data, folder, version).write_bytes(b"")
        piece = pieces.setdefault(version, bytearray(b"["))
        piece += text + b","
        if len(piece) > _PIECE:
            _append(_file(data, folder, version), piece)
            piece.clear()
    for version, piece in pieces.items():
        _append(_file(data, folder, version), piece)
        with _file(data, folder, version).open("r+b") as file:
            file.seek(-1, 2)  # the comma behind the last one
            file.write(b"]")
    return sorted(_file(data, folder, version) for version in pieces)


def _file(data: Annotations, folder: Path, version: int) -> Path:
    return folder / f"{data.datastore.catalogue.node(version).uuid}.json"


def _append(file: Path, piece: bytearray) -> None:
    with file.open("ab") as out:
        out.write(piece)


def _cells(data: Annotations) -> Iterator[tuple[int, int, int]]:
    """(body, version, kind) of every annotation that was ever stored or deleted."""
    for key, cells in data.view.of.rows():
        if key.startswith(ANNOTATION):
            for version, kind in cells:
                yield body_of(key), version, kind


def _text(data: Annotations, body: int, version: int, kind: int) -> bytes | None:
    if kind == TOMBSTONE:
        return b'{"bodyid":%d,"tombstone":true}' % body
    stored = data.view.reader.get(data.view.prefix + ANNOTATION + body.to_bytes(8) + cell(version, kind))
    if stored is None:  # an edit came between
        return None
    return records.to_json(records.decode(Found(data.view, kind, stored).read()))
