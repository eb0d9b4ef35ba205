"""The annotations of an instance at one version: reading, posting, deleting."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from copy import copy
from datetime import UTC, datetime
from typing import NamedTuple

import orjson
from msgspec import Raw

from dvidpy.datatypes.base import Data
from dvidpy.datatypes.exchange import Piece
from dvidpy.datatypes.neuronjson import records
from dvidpy.datatypes.neuronjson.conditions import Query
from dvidpy.datatypes.neuronjson.keys import ALL, bodies_of, body_of, parse_body, span, typekey
from dvidpy.datatypes.neuronjson.merging import Writer, demand_signs, merged
from dvidpy.datatypes.neuronjson.records import Annotation, Shown, demand_body
from dvidpy.datatypes.neuronjson.schemas import BY_KEY, Schema, compiled, validated
from dvidpy.datatypes.neuronjson.table import FIELDS, Changes, Matches, Table, packed_of
from dvidpy.datatypes.neuronjson.tables import tables_of
from dvidpy.errors import BadRequest, Busy, DvidError
from dvidpy.kernels.unpacking import FIRST
from dvidpy.storage import codecs
from dvidpy.storage.keys import LARGE
from dvidpy.versioning.commits import Change
from dvidpy.versioning.datastore import Datastore
from dvidpy.versioning.found import Found
from dvidpy.versioning.records import Instance, Node

TOGETHER = 128
"""Annotations that are looked up together."""


class Posted(NamedTuple):
    """One member of a post: an annotation of a body, or a schema under its name."""

    key: str
    size: int
    """Bytes as sent."""
    body: int = 0
    annotation: Annotation = {}  # noqa: RUF012  # never changed
    schema: Schema | None = None
    text: bytes = b""


class Annotations(Data):
    """Annotations by body, as one version sees them."""

    __slots__ = ()

    # ------------------------------------------------------------------ reading
    def find(self, body: int) -> bytes | None:
        """The stored form of an annotation; None where there is none."""
        return self.view.get(typekey(body))

    def frozen(self) -> Annotations:
        """The same annotations, unchanging."""
        other = copy(self)
        other.view = self.view.frozen()
        return other

    @property
    def newest(self) -> bool:
        """Whether this is the newest version of master, which the reference keeps in memory and answers by number."""
        return not self.instance.versioned or self.repo.heads().get("") == self.node

    def bodies(self, first: int, last: int) -> list[int]:
        """Bodies first <= body <= last: by number in the newest version of master, elsewhere by digits, as recorded."""
        table = tables_of(self.datastore).at_hand(self)
        if table is not None:
            found = table.bodies()
            bodies: list[int] = found[(found >= first) & (found <= last)].tolist()
        else:
            bodies = bodies_of(self.view.keys(*span(first, last))) if first <= last else []
        return self.in_order(bodies)

    def in_order(self, bodies: list[int]) -> list[int]:
        """Bodies that ascend, in the order of the version: by number, or by digits."""
        return bodies if self.newest else sorted(bodies, key=str)

    def matches(self, found: Matches) -> list[bytes]:
        """What a table found, packed, in the same order."""
        if self.newest:
            return found.packed
        places = sorted(range(len(found.bodies)), key=lambda place: str(found.bodies[place]))
        return [found.packed[place] for place in places]

    def items(self, first: int, last: int) -> Iterator[tuple[int, bytes]]:
        """(body, stored form) of a range in the order of the version, all from one moment."""
        if first > last:
            return iter(())
        if self.newest:
            return ((body_of(key), found.read()) for key, found in self.view.range(*span(first, last)))
        frozen = self.frozen()
        found = frozen.many(frozen.bodies(first, last))
        return ((body, stored) for body, stored in found if stored is not None)

    def everything(self) -> Iterator[tuple[int, bytes]]:
        """(body, stored form) of all, by number."""
        return ((body_of(key), found.read()) for key, found in self.view.range(*ALL))

    def notes(self) -> Iterator[tuple[int, Annotation]]:
        """(body, its fields) of all, by number, without who wrote them and when (`views.companions`)."""
        return ((body, orjson.loads(records.plain_part(stored))) for body, stored in self.everything())

    def many(self, bodies: Sequence[int]) -> Iterator[tuple[int, bytes | None]]:
        """(body, stored form or None) in the order asked, looked up a few at a time."""
        for at in range(0, len(bodies), TOGETHER):
            some = bodies[at : at + TOGETHER]
            for body, value in zip(some, self.view.read_many(map(typekey, some)), strict=True):
                yield body, value.read() if isinstance(value, Found) else value

    def objects(self, keys: Sequence[str], bodies: Sequence[int]) -> Iterator[Piece]:
        """JSON {key: annotation without who and when} of the bodies that have one, named as asked, in pieces."""
        front = "{"
        for at, found in self._packed(bodies):
            names = [key for key, one in zip(keys[at:], found, strict=False) if one is not None]
            if names:
                texts = (front + '"' + '":|,"'.join(names) + '":|').encode().split(b"|")  # keys are digits
                yield codecs.decode_between(texts, [one for one in found if one is not None], FIRST)
                front = ","
        yield b"{}" if front == "{" else b"}"

    def _packed(self, bodies: Sequence[int]) -> Iterator[tuple[int, list[bytes | None]]]:
        """(place of the first, packed annotations or None) of some bodies together, from memory where that is free."""
        table, view = tables_of(self.datastore).at_hand(self), None
        held = None if table is None else table.look_up(bodies)
        for at in range(0, len(bodies), TOGETHER):
            if held is not None:
                yield at, held[at : at + TOGETHER]
            else:
                view = view or self.view.frozen()
                found = view.find_many(map(typekey, bodies[at : at + TOGETHER]))
                yield at, [None if one is None else packed_of(one) for one in found]

    def matching_soon(self, queries: Collection[Query]) -> Matches | None:
        """What meets one of the queries, where that is known at once: of few annotations, in memory, by no pattern."""
        table = tables_of(self.datastore).at_hand(self)
        return None if table is None else table.select_soon(queries)

    def schema(self, which: Schema) -> bytes | None:
        """A schema as it was posted."""
        return self.view.get(which.typekey)

    def whole(self) -> Iterator[bytes] | None:
        """JSON list of all annotations without who and when, in pieces; None where they are not in memory."""
        table = tables_of(self.datastore).at_hand(self)
        return None if table is None else table.whole()

    def picked(self, asked: Shown) -> list[bytes] | None:
        """JSON of some fields of all annotations; None where all fields are asked for, or they are not in memory."""
        table = tables_of(self.datastore).at_hand(self)
        names = asked.names()
        return table.picked(names) if table is not None and 0 < len(names) <= FIELDS else None

    def table(self) -> Table:
        """The annotations in memory; for worker threads."""
        return tables_of(self.datastore).of(self)

    # ------------------------------------------------------------------ writing
    def post(self, pairs: Iterable[tuple[str, bytes]], writer: Writer, action: str) -> None:
        """Merge annotations into what is there, as one edit.

        The first one that cannot be taken ends it: those before it are stored, then it is refused.
        """
        taken: list[Posted] = []
        refused: DvidError | None = None
        schema = self.schema(Schema.json_schema)
        for key, text in pairs:
            try:
                taken.append(read_posted(key, text, schema, writer))
            except DvidError as error:
                refused = error
                break
        if taken:
            self.store(taken, writer, action)
        if refused is not None:
            raise refused

    def store(self, taken: Sequence[Posted], writer: Writer, action: str) -> None:
        """Merge members of a post into what is there, as one edit."""
        with tables_of(self.datastore).turn(self, {one.body for one in taken if one.schema is None}):
            self.commit(*self.edit(taken, writer, action))

    def edit(self, taken: Sequence[Posted], writer: Writer, action: str) -> tuple[Change, dict[int, bytes]]:
        """(the edit that does so, stored form of each body), for who has the turn of the bodies."""
        change = self.change(*self._messages(action, ((one.key, one.size) for one in taken)))
        had = self._had(change, list({one.body for one in taken if one.schema is None}))
        kept: dict[int, bytes] = {}
        for one in taken:
            if one.schema is not None:
                self.view.put(change, one.schema.typekey, one.text)
            else:
                kept[one.body] = merged(kept.get(one.body) or had.get(one.body), one.annotation, writer)
        for body, value in kept.items():
            self.view.put(change, typekey(body), value)
        return change, kept

    def _had(self, change: Change, bodies: Sequence[int]) -> dict[int, bytes]:
        """Stored forms of the bodies that have one and are about to change."""
        had: dict[int, bytes] = {}
        for at in range(0, len(bodies), TOGETHER):
            some = bodies[at : at + TOGETHER]
            found = zip(some, self.view.find_many(map(typekey, some), change), strict=True)
            had.update((body, one.read()) for body, one in found if one is not None)
        return had

    def put(self, annotations: Mapping[int, Annotation], action: str) -> None:
        """Store annotations as they are, in place of what is there."""
        with tables_of(self.datastore).turn(self, annotations):
            stored = {body: records.encode(annotation) for body, annotation in annotations.items()}
            change = self.change(*self._messages(action, ((str(body), len(value)) for body, value in stored.items())))
            for body, value in stored.items():
                self.view.put(change, typekey(body), value)
            self.commit(change, stored)

    def delete(self, body: int) -> None:
        """Delete an annotation; one that is not there leaves a record all the same."""
        with tables_of(self.datastore).turn(self, (body,)):
            change = self.change(*self._messages("deleteneuronjson", [(str(body), 0)]))
            self.view.delete(change, typekey(body))
            self.commit(change, {body: None})

    def put_schema(self, which: Schema, text: bytes) -> None:
        """Keep a schema; BadRequest where it must be a JSON schema and is none."""
        demand_schema(which, text)
        change = self.change(*self._messages("postschema", [(which.name, len(text))]))
        self.view.put(change, which.typekey, text)
        self.view.commit(change)

    def delete_schema(self, which: Schema) -> None:
        """Delete a schema; no error where there is none."""
        change = self.change(*self._messages("deleteschema", [(which.name, 0)]))
        self.view.delete(change, which.typekey)
        self.view.commit(change)

    def commit(self, change: Change, stored: Changes) -> None:
        """Make an edit durable, then let the tables know."""
        try:
            self.view.commit(change)
        except Busy:
            self.view.forget(change)
            raise
        tables_of(self.datastore).edited(self, *self.told(change, stored))

    def told(self, change: Change, stored: Changes) -> tuple[Changes, int]:
        """(what tables are told of an edit that is in the store: packed annotations by body, id of the mutation)."""
        packed = {cell[0]: cell[2] for cell in change.cells if cell[1] != LARGE}
        rows = {body: self.view.prefix + typekey(body) for body in stored}
        changes = {
            body: None if value is None else packed.get(rows[body], bytes(1) + value) for body, value in stored.items()
        }
        return changes, change.mutation.id if change.mutation is not None else 0

    def _messages(self, action: str, members: Iterable[tuple[str, int]]) -> Iterator[Raw]:
        """What the mutation log says of keys, each with the bytes sent: they are digits, or names of schemas."""
        said = {"UUID": self.node.uuid}
        if self.call is not None and (user := self.call.query.get("u")):
            said["User"] = user
        said["Timestamp"] = datetime.now(UTC).isoformat(sep=" ")
        begin, end = b'{"Action":' + orjson.dumps(action) + b',"Key":"', orjson.dumps(said)[1:]
        return (Raw(b'%b%b","Bytes":%d,%b' % (begin, key.encode(), size, end)) for key, size in members)


def prepare(datastore: Datastore, instance: Instance, node: Node) -> None:
    """Have the annotations of a version in memory soon."""
    repo = datastore.catalogue.place(node.uuid).repo
    tables_of(datastore).prepare(Annotations(datastore, repo, node, instance, None))


def demand_schema(which: Schema, text: bytes) -> None:
    """BadRequest where a json_schema is none."""
    if which is Schema.json_schema:
        compiled(text)


def read_posted(key: str, text: bytes, schema: bytes | None, writer: Writer) -> Posted:
    """One member of a post; BadRequest where it cannot be taken."""
    if not writer.user:
        raise BadRequest("cannot alter annotations without a user: add ?u=name")
    if key in BY_KEY:
        return Posted(key, len(text), schema=BY_KEY[key], text=text)
    body = parse_body(key)
    annotation = records.parse(text)
    if schema is not None:
        annotation = validated(schema, annotation)
    demand_body(annotation, body)
    demand_signs(annotation)
    return Posted(key, len(text), body, annotation)
