"""What all data instances have."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from dvidpy.client.line import Body, Line, Query, path_of


class Instance:
    """A data instance at one version."""

    def __init__(self, line: Line, uuid: str, name: str, progress: bool | None = None) -> None:
        self.line = line
        self.uuid = uuid
        """The version, as it was asked for."""
        self.name = name
        self.progress = progress
        """Whether bars are shown; None: where a person looks on."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r} at {self.uuid})"

    def path(self, *parts: str) -> str:
        """A path below the instance, its parts quoted."""
        return path_of("node", self.uuid, self.name, *parts)

    def ask(self, method: str, below: str, body: Body = None, query: Query = None) -> bytes:
        """The answer to any request; `below` is the path behind the name of the instance, quoted already."""
        return self.line.ask(method, f"{self.path()}/{below}", body, query)

    def json(self, method: str, below: str, body: Body = None, query: Query = None) -> Any:
        """The same as JSON."""
        return self.line.json(method, f"{self.path()}/{below}", body, query)

    def info(self) -> dict[str, Any]:
        """What the server tells of it, now."""
        found: dict[str, Any] = self.json("GET", "info")
        return found

    @cached_property
    def typename(self) -> str:
        """Its datatype."""
        return str(self.info()["Base"]["TypeName"])

    def beside(self, name: str) -> Instance:
        """Another instance at the same version."""
        return Instance(self.line, self.uuid, name, self.progress)

    def sync(self, *names: str) -> None:
        """Let it follow other instances."""
        self.json_or_nothing("POST", "sync", {"sync": ",".join(names)})

    def json_or_nothing(self, method: str, below: str, body: Body = None, query: Query = None) -> Any:
        """JSON, or None where the answer is empty."""
        import json

        said = self.ask(method, below, body, query)
        return json.loads(said) if said.strip() else None
