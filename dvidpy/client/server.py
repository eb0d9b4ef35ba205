"""A server, and its repos."""

from __future__ import annotations

from typing import Any

from dvidpy.client.line import PATIENCE_S, TIMEOUT_S, Line, path_of
from dvidpy.client.versions import Version


class Server:
    """A server by its address; nothing is asked before it is needed.

    Args:
        address: host:port, or http://host:port.
        user: who edits, for the logs of the server and the fields of neuronjson.
        token: the admin token, for what needs it. With it, committed versions are written to as well.
        progress: whether bars are shown; None: where a person looks on (and tqdm is there).
        timeout_s: seconds without a byte after which an answer is given up.
        patience_s: seconds for which a busy server is asked again.
    """

    def __init__(
        self,
        address: str = "127.0.0.1:8000",
        *,
        user: str = "",
        token: str = "",
        progress: bool | None = None,
        timeout_s: float | None = TIMEOUT_S,
        patience_s: float = PATIENCE_S,
    ) -> None:
        query = {key: value for key, value in (("u", user), ("admintoken", token)) if value}
        self.line = Line(address, query, timeout_s=timeout_s, patience_s=patience_s)
        self.progress = progress

    def info(self) -> dict[str, Any]:
        """What the server tells of itself."""
        found: dict[str, Any] = self.line.json("GET", path_of("server", "info"))
        return found

    def repo(self, uuid: str) -> Version:
        """A version by its uuid, by the beginning of it, or as uuid:branch."""
        return Version(self.line, uuid, self.progress)

    def repos(self) -> dict[str, Any]:
        """Root uuid -> what the server tells of a repo."""
        found: dict[str, Any] = self.line.json("GET", path_of("repos", "info"))
        return {root: one for root, one in found.items() if one}

    def new_repo(self, alias: str = "", description: str = "") -> Version:
        """Make a repo; its first version."""
        made = self.line.json("POST", path_of("repos"), {"alias": alias, "description": description})
        return self.repo(str(made["root"]))

    def close(self) -> None:
        """End the connections."""
        self.line.close()
