"""How commands ask a server: plain HTTP, refusals as one line. http.client alone, so that commands start quickly."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any
from urllib.parse import quote, urlencode, urlsplit

import typer

if TYPE_CHECKING:
    from http.client import HTTPConnection, HTTPResponse

TIMEOUT_S = 600
PATIENCE_S = 60.0
"""How long a request is repeated while the server answers 503."""
PIECE = 1 << 20
"""Bytes of a long answer that are read at once."""

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
    """Asks one server. With `admin`, requests carry DVID_ADMIN_TOKEN. None waits for an answer for ever."""

    def __init__(self, server: str = DEFAULT_SERVER, *, admin: bool = True, timeout_s: int | None = TIMEOUT_S) -> None:
        try:
            address = urlsplit(server if "://" in server else f"http://{server}")
            self._host, self._port = address.hostname or "127.0.0.1", address.port
        except ValueError:
            raise CommandError(f"{server!r} is not host:port") from None
        self._secure = address.scheme == "https"
        self._server, self._timeout_s = server, timeout_s
        self._token = os.environ.get("DVID_ADMIN_TOKEN", "") if admin else ""

    def ask(self, method: str, path: str, body: Body = None, query: dict[str, str] | None = None) -> bytes:
        """Body of the answer; CommandError with the words of the server where it refuses."""
        with self.open(method, path, body, query) as answer, self._going():
            return answer.read()

    @contextmanager
    def open(
        self, method: str, path: str, body: Body = None, query: dict[str, str] | None = None
    ) -> Iterator[HTTPResponse]:
        """The same, to be read piece by piece."""
        query = dict(query or {}) | ({"admintoken": self._token} if self._token else {})
        place = f"{path}?{urlencode(query)}" if query else path
        until = time.monotonic() + PATIENCE_S
        repeated = body is None or isinstance(body, bytes | dict | list)
        while True:
            with closing(self._connection()) as connection:
                answer = self._begin(connection, method, place, body)
                if answer.status == 503 and repeated and time.monotonic() <= until:
                    time.sleep(1)
                    continue
                if answer.status >= 400:
                    with self._going():
                        said = answer.read().decode(errors="replace").strip()
                    raise CommandError(f"{method} {path}: {said}")
                yield answer
                return

    def save(self, path: str, file: Path, query: dict[str, str] | None = None) -> None:
        """The answer of a GET as a file, which appears when it is whole."""
        with self.open("GET", path, query=query) as answer, whole_file(file) as out:
            while piece := self.read(answer, PIECE):
                out.write(piece)

    def read(self, answer: HTTPResponse, size: int) -> bytes:
        """The next bytes of an answer; fewer at its end alone."""
        with self._going():
            piece = answer.read(size)
        if len(piece) < size and answer.length:
            raise Unreachable(f"the answer of {self._server} breaks off")
        return piece

    def json(self, method: str, path: str, body: Body = None, query: dict[str, str] | None = None) -> Any:
        """The same as JSON; CommandError where it is none."""
        said = self.ask(method, path, body, query)
        try:
            return json.loads(said)
        except ValueError:
            raise CommandError(f"{method} {path}: the answer is no JSON, is this the right server?") from None

    def _begin(self, connection: HTTPConnection, method: str, place: str, body: Body) -> HTTPResponse:
        with self._going():
            connection.request(method, place, json.dumps(body) if isinstance(body, dict | list) else body)
            return connection.getresponse()

    def _connection(self) -> HTTPConnection:
        from http.client import HTTPConnection, HTTPSConnection  # `serve` does without

        kind = HTTPSConnection if self._secure else HTTPConnection
        return kind(self._host, self._port, timeout=self._timeout_s)

    @contextmanager
    def _going(self) -> Iterator[None]:
        """Unreachable where the line breaks inside."""
        from http.client import HTTPException

        try:
            yield
        except (OSError, HTTPException) as error:
            raise Unreachable(f"no server answers at {self._server}: {error}") from None


@contextmanager
def whole_file(file: Path) -> Iterator[IO[bytes]]:
    """A file to write, which appears under its name when all went well inside; CommandError where it cannot."""
    part = file.with_name(f"{file.name}.part")
    try:
        with part.open("wb") as out:
            yield out
        part.replace(file)
    except OSError as error:
        raise CommandError(f"{file} cannot be written: {error.strerror or error}") from None
    finally:
        part.unlink(missing_ok=True)


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
