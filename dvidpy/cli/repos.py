"""`dvidpy repos`: repos are made and deleted."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from dvidpy.cli.client import DEFAULT_SERVER, Client, CommandError, ServerOption, one_line, path_of, settings_of

SETTINGS = ("uuid=", "passcode=")
"""Words of `new` that are no texts, as the reference has them."""

repos = typer.Typer(no_args_is_help=True, help="Make and delete repos of a running server.")

Sure = Annotated[bool, typer.Option("--imsure", help="Do not ask.")]
Passcode = Annotated[str, typer.Argument(help="The passcode of the repo, where it has one.")]


@repos.command()
@one_line()
def new(
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="[ALIAS] [DESCRIPTION] [uuid=UUID] [passcode=TEXT]", help="All optional."),
    ] = None,
    *,
    uuid: Annotated[str, typer.Option(help="Uuid of the first version.")] = "",
    passcode: Annotated[str, typer.Option(help="Asked for by deletions and renames.")] = "",
    server: ServerOption = DEFAULT_SERVER,
) -> None:
    """Make a repo; prints the uuid of its first version."""
    words = words or []
    settings = settings_of([word for word in words if word.startswith(SETTINGS)])
    texts = [word for word in words if not word.startswith(SETTINGS)]
    if len(texts) > 2:
        raise CommandError(f"{texts[2]!r} is too much: put a description of several words in quotes")
    given = dict(zip(("alias", "description"), texts, strict=False))
    given |= {"root": settings.get("uuid", uuid), "passcode": settings.get("passcode", passcode)}
    typer.echo(Client(server).json("POST", "/api/repos", {key: text for key, text in given.items() if text})["root"])


@repos.command()
@one_line()
def delete(uuid: str, passcode: Passcode = "", *, imsure: Sure = False, server: ServerOption = DEFAULT_SERVER) -> None:
    """Delete a repo with all its versions and instances."""
    demand_sure(f"repo {uuid}", imsure=imsure)
    query = {"imsure": "true"} | ({"passcode": passcode} if passcode else {})
    gone = Client(server).json("DELETE", path_of("repo", uuid), query=query)["deleted"]
    typer.echo(f"Started deletion of repo {gone}.")


def demand_sure(what: str, *, imsure: bool) -> None:
    """Ask the person at the terminal; a script is not asked."""
    if not imsure and person_is_there():
        typer.confirm(f"Delete {what}? This cannot be undone.", abort=True)


def person_is_there() -> bool:
    """Whether somebody can be asked."""
    return sys.stdin.isatty()
