"""How commands ask a server: by `dvidpy.client`, refusals as one line."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Annotated, Any

import typer

from dvidpy.client.line import Answer, Body, Line, Query, Refused, path_of
from dvidpy.client.line import Unreachable as Unavailable

__all__ = ["path_of"]

TIMEOUT_S = 600
PATIENCE_S = 60.0
"""How long a request is repeated while the server answers 503."""
PIECE = 1 << 20
"""Bytes of a long answer that are read at once."""

ServerOption = Annotated[str, typer.Option("--server", envvar="DVIDPY_SERVER", help="Address of the running server.")]
DEFAULT_SERVER = "127.0.0.1:8000"
Force = Annotated[bool, typer.Option("--force", help="Write into a committed version, with DVID_ADMIN_TOKEN.")]
UserOption = Annotated[str, typer.Option("--user", help="Who writes annotations; without it who runs the command.")]


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
        token = os.environ.get("DVID_ADMIN_TOKEN", "") if admin else ""
        query = {"admintoken": token} if token else {}
        try:
            self.line = Line(server, query, timeout_s=timeout_s, patience_s=PATIENCE_S, pauses_s=(), kept=0)
        except ValueError as error:
            raise CommandError(str(error)) from None

    def ask(self, method: str, path: str, body: Body = None, query: Query = None) -> bytes:
        """Body of the answer; CommandError with the words of the server where it refuses."""
        with told():
            return self.line.ask(method, path, body, query)

    @contextmanager
    def open(self, method: str, path: str, body: Body = None, query: Query = None) -> Iterator[Answer]:
        """The same, to be read piece by piece."""
        with told(), self.line.open(method, path, body, query) as answer:
            yield answer

    def save(self, path: str, file: Path, query: Query = None) -> None:
        """The answer of a GET as a file, which appears when it is whole."""
        with self.open("GET", path, query=query) as answer, whole_file(file) as out:
            while piece := answer.read(PIECE):
                out.write(piece)

    def json(self, method: str, path: str, body: Body = None, query: Query = None) -> Any:
        """The same as JSON; CommandError where it is none."""
        with told():
            return self.line.json(method, path, body, query)


@contextmanager
def told() -> Iterator[None]:
    """What the client of the server raises inside is a matter of the command."""
    try:
        yield
    except Unavailable as error:
        raise Unreachable(str(error)) from None
    except Refused as error:
        raise CommandError(str(error)) from None


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
