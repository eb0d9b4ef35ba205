"""Values by key, annotations of bodies, elements at points."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote

from dvidpy.client.boxes import Box
from dvidpy.client.instances import Instance
from dvidpy.client.line import Refused
from dvidpy.client.tables import arrow_of, pandas_of


class KeyValue(Instance):
    """A keyvalue instance, used as a dictionary of bytes."""

    def __getitem__(self, key: str) -> bytes:
        try:
            return self.ask("GET", f"key/{quote(key, safe='')}")
        except Refused as refusal:
            raise (KeyError(key) if refusal.status == 404 else refusal) from None

    def __setitem__(self, key: str, value: bytes) -> None:
        self.ask("POST", f"key/{quote(key, safe='')}", bytes(value))

    def __delitem__(self, key: str) -> None:
        self.ask("DELETE", f"key/{quote(key, safe='')}")

    def __contains__(self, key: str) -> bool:
        try:
            self.ask("HEAD", f"key/{quote(key, safe='')}")
        except Refused as refusal:
            if refusal.status == 404:
                return False
            raise
        return True

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())

    def keys(self, first: str = "", last: str = "") -> list[str]:
        """All keys in byte order, or those from one to another, itself included."""
        if not (first or last):
            return [*map(str, self.json("GET", "keys"))]
        words = quote(first or "\0", safe=""), quote(last or "\U0010ffff", safe="")
        return [*map(str, self.json("GET", f"keyrange/{words[0]}/{words[1]}"))]

    def many(self, keys: Iterable[str]) -> dict[str, bytes]:
        """Values of many keys; a key without one has no bytes."""
        said = self.ask("GET", "keyvalues", list(keys), {"jsontar": "true"})
        with tarfile.open(fileobj=io.BytesIO(said)) as tar:
            found = {member.name: tar.extractfile(member) for member in tar}
            return {name: file.read() if file is not None else b"" for name, file in found.items()}


class NeuronJson(Instance):
    """Annotations of bodies: dictionaries by body, and tables."""

    def __getitem__(self, body: int) -> dict[str, Any]:
        try:
            found: dict[str, Any] = self.json("GET", f"key/{int(body)}")
        except Refused as refusal:
            raise (KeyError(body) if refusal.status == 404 else refusal) from None
        return found

    def __setitem__(self, body: int, fields: Mapping[str, Any]) -> None:
        """Replace what a body has; `update` adds to it."""
        self._post(body, fields, {"replace": "true"})

    def __delitem__(self, body: int) -> None:
        self.ask("DELETE", f"key/{int(body)}")

    def update(self, body: int, fields: Mapping[str, Any]) -> None:
        """Put fields into what a body has; None removes one."""
        self._post(body, fields, {})

    def rows(self, fields: Iterable[str] = (), where: Any = None) -> list[dict[str, Any]]:
        """Annotations of all bodies, or of those that meet conditions (as `query` takes them), some fields or all."""
        names = ",".join(fields)
        query = {"fields": names} if names else {}
        found: list[dict[str, Any]] = (
            self.json("GET", "all", query=query) if where is None else self.json("POST", "query", where, query)
        )
        return found or []

    def arrow(self, fields: Iterable[str] = (), where: Any = None) -> Any:
        """The same as a pyarrow table, `bodyid` (uint64) first."""
        return arrow_of(self.rows(fields, where), ["bodyid"])

    def pandas(self, fields: Iterable[str] = (), where: Any = None) -> Any:
        """The same as a pandas frame, by `bodyid`."""
        return pandas_of(self.arrow(fields, where)).set_index("bodyid")

    def _post(self, body: int, fields: Mapping[str, Any], query: dict[str, str]) -> None:
        user = {} if "u" in self.line.query else {"u": "dvidpy"}
        self.ask("POST", f"key/{int(body)}", {**fields, "bodyid": int(body)}, query | user)


class Annotations(Instance):
    """Elements at points: dictionaries as the server has them (Pos is x, y, z), and tables."""

    def elements(self, box: Box | None = None, *, tag: str = "", label: int | None = None) -> list[dict[str, Any]]:
        """All elements, or those in a box (z, y, x), with a tag, or of a body."""
        if box is not None:
            found = self.json("GET", f"elements/{box.words()}")
        elif tag:
            found = self.json("GET", f"tag/{quote(tag, safe='')}", query={"relationships": "true"})
        elif label is not None:
            found = self.json("GET", f"label/{int(label)}", query={"relationships": "true"})
        else:
            blocks = self.json("GET", "all-elements") or {}
            found = [one for block in blocks.values() for one in block]
        return found or []

    def add(self, elements: Iterable[Mapping[str, Any]]) -> None:
        """Add elements; one takes the place of another at its point."""
        self.ask("POST", "elements", [dict(one) for one in elements])

    def delete(self, point_zyx: Iterable[int]) -> None:
        """Delete the element at a point."""
        z, y, x = map(int, point_zyx)
        self.ask("DELETE", f"element/{x}_{y}_{z}")

    def arrow(self, box: Box | None = None, *, tag: str = "", label: int | None = None) -> Any:
        """The same as a pyarrow table: z, y, x, Kind, Tags, properties each a column."""
        rows = []
        for one in self.elements(box, tag=tag, label=label):
            x, y, z = one["Pos"]
            place = {"z": z, "y": y, "x": x, "Kind": one["Kind"], "Tags": one.get("Tags") or []}
            rows.append(place | (one.get("Prop") or {}))
        return arrow_of(rows, ["z", "y", "x", "Kind", "Tags"])

    def pandas(self, box: Box | None = None, *, tag: str = "", label: int | None = None) -> Any:
        """The same as a pandas frame."""
        return pandas_of(self.arrow(box, tag=tag, label=label))
