"""How commands ask a server: plain HTTP, refusals as one line. http.client alone, so that commands start quickly."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Annotated, Any
from urllib.parse import quote, urlencode, urlsplit

import typer

TIMEOUT_S = 600
PATIENCE_S = 60.0
"""How long a request is repeated while the server answers 503."""

ServerOption = Annotated[str, typer.Option("--server", envvar="DVIDPY_SERVER", help="Address of the running server.")]
DEFAULT_SERVER = "127.0.0.1:8000"
Force = Annotated[bool, typer.Option("--force", help="Write into a committed version, with DVID_ADMIN_TOKEN.")]
UserOption = Annotated[str, typer.Option("--user", help="Who writes annotations; without it who runs the command.")]
Body = bytes | dict[str, Any] | list[Any] | IO[bytes] | None


class CommandError(Exception):
    """The command cannot go on; the message says why."""


class Unreachable(CommandError):
    """Nobody answers."""


@contextmanager
def one_line() -> Iterator[None]:
    """What goes wrong inside is told in one line, and ends the program with status 1. Also a decorator."""
    try:
        yield
    except CommandError as error:
        typer.echo(f"dvidpy: {error}", err=True)
        raise typer.Exit(1) from None


class Client:
    """Asks one server. With `admin`, requests carry DVID_ADMIN_TOKEN."""

    def __init__(self, server: str = DEFAULT_SERVER, *, admin: bool = True) -> None:
        try:
            address = urlsplit(server if "://" in server else f"http://{server}")
            self._host, self._port = address.hostname or "127.0.0.1", address.port
        except ValueError:
            raise CommandError(f"{server!r} is not host:port") from None
        self._secure = address.scheme == "https"
        self._server = server
        self._token = os.environ.get("DVID_ADMIN_TOKEN", "") if admin else ""

    def ask(self, method: str, path: str, body: Body = None, query: dict[str, str] | None = None) -> bytes:
        """Body of the answer; CommandError with the words of the server where it refuses."""
        query = dict(query or {}) | ({"admintoken": self._token} if self._token else {})
        place = f"{path}?{urlencode(query)}" if query else path
        until = time.monotonic() + PATIENCE_S
        while True:
            status, said = self._ask_once(method, place, json.dumps(body) if isinstance(body, dict | list) else body)
            again = status == 503 and (body is None or isinstance(body, bytes | dict | list))
            if not again or time.monotonic() > until:
                break
            time.sleep(1)
        if status >= 400:
            raise CommandError(f"{method} {path}: {said.decode(errors='replace').strip()}")
        return said

    def json(self, method: str, path: str, body: Body = None, query: dict[str, str] | None = None) -> Any:
        """The same as JSON; CommandError where it is none."""
        said = self.ask(method, path, body, query)
        try:
            return json.loads(said)
        except ValueError:
            raise CommandError(f"{method} {path}: the answer is no JSON, is this the right server?") from None

    def _ask_once(self, method: str, place: str, body: bytes | str | IO[bytes] | None) -> tuple[int, bytes]:
        from http.client import HTTPConnection, HTTPException, HTTPSConnection  # `serve` does without

        kind = HTTPSConnection if self._secure else HTTPConnection
        connection = kind(self._host, self._port, timeout=TIMEOUT_S)
        try:
            connection.request(method, place, body)
            answer = connection.getresponse()
            return answer.status, answer.read()
        except (OSError, HTTPException) as error:
            raise Unreachable(f"no server answers at {self._server}: {error}") from None
        finally:
            connection.close()


def path_of(*parts: str) -> str:
    """A path below /api, its parts quoted."""
    return "/".join(("/api", *(quote(part, safe=":~") for part in parts)))


def typename_of(client: Client, uuid: str, name: str) -> str:
    """Type of an instance."""
    return str(client.json("GET", path_of("node", uuid, name, "info"))["Base"]["TypeName"])


def writer(user: str) -> dict[str, str]:
    """Query that says who writes: `user`, or else who runs the command, if that is known."""
    if not user:
        from getpass import getuser

        try:
            user = getuser()
        except (OSError, KeyError):  # a container may have numbers of users alone
            return {}
    return {"u": user}


def settings_of(words: list[str]) -> dict[str, str]:
    """`key=value` words as a dictionary; CommandError for a word that is none."""
    pairs = [word.partition("=") for word in words]
    if wrong := [key for key, sign, _ in pairs if not (key and sign)]:
        raise CommandError(f"{wrong[0]!r} is not key=value")
    return {key: value for key, _, value in pairs}
