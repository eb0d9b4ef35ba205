"""`dvidpy repo UUID`: instances and versions of one repo."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from dvidpy.cli.client import DEFAULT_SERVER, Client, CommandError, ServerOption, one_line, path_of, settings_of
from dvidpy.cli.repos import Passcode, Sure, demand_sure

repo = typer.Typer(no_args_is_help=True, help="Look at and change one repo of a running server.")

Name = Annotated[str, typer.Argument(help="Name of the data instance.")]
Note = Annotated[str, typer.Option(help="Note of the new version.")]
Child = Annotated[str, typer.Argument(help="Uuid of the new version; made up where there is none.")]


@repo.callback()
def at(context: typer.Context, uuid: Annotated[str, typer.Argument(help="Any version of the repo.")]) -> None:
    """Look at and change one repo of a running server."""
    context.obj = uuid


@repo.command()
@one_line()
def info(context: typer.Context, *, server: ServerOption = DEFAULT_SERVER) -> None:
    """Show versions, instances and log, as JSON."""
    found = Client(server).json("GET", path_of("repo", context.obj, "info"))
    typer.echo(json.dumps(found, indent=2, ensure_ascii=False))


@repo.command()
@one_line()
def new(
    context: typer.Context,
    typename: Annotated[str, typer.Argument(metavar="TYPE", help="Datatype; `dvidpy types` lists them.")],
    name: Name,
    settings: Annotated[
        list[str] | None, typer.Argument(help="key=value settings; `dvidpy help TYPE` lists them.")
    ] = None,
    *,
    server: ServerOption = DEFAULT_SERVER,
) -> None:
    """Make a data instance."""
    given = settings_of(settings or []) | {"typename": typename, "dataname": name}
    typer.echo(Client(server).json("POST", path_of("repo", context.obj, "instance"), given)["result"])


@repo.command()
@one_line()
def branch(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Name of the branch, new in the repo.")],
    child: Child = "",
    *,
    note: Note = "",
    server: ServerOption = DEFAULT_SERVER,
) -> None:
    """Make an open version on a new branch, of a committed one; prints its uuid."""
    _grow(Client(server), context.obj, "branch", {"branch": name, "note": note, "uuid": child})


@repo.command()
@one_line()
def newversion(
    context: typer.Context, child: Child = "", *, note: Note = "", server: ServerOption = DEFAULT_SERVER
) -> None:
    """Make an open version on the same branch, of a committed one; prints its uuid."""
    _grow(Client(server), context.obj, "newversion", {"note": note, "uuid": child})


@repo.command()
@one_line()
def merge(
    context: typer.Context,
    others: Annotated[list[str], typer.Argument(metavar="UUID…", help="The other parents.")],
    *,
    note: Note = "",
    server: ServerOption = DEFAULT_SERVER,
) -> None:
    """Make an open version of UUID and other committed ones; prints its uuid."""
    parents = {"mergeType": "conflict-free", "parents": [context.obj, *others], "note": note}
    typer.echo(Client(server).json("POST", path_of("repo", context.obj, "merge"), parents)["child"])


@repo.command()
@one_line()
def delete(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Name or data uuid of the instance.")],
    passcode: Passcode = "",
    *,
    imsure: Sure = False,
    server: ServerOption = DEFAULT_SERVER,
) -> None:
    """Delete a data instance in all versions."""
    client = Client(server)
    name = _by_data(client, context.obj, name)
    demand_sure(f"instance {name!r} of repo {context.obj}", imsure=imsure)
    query = {"imsure": "true"} | ({"passcode": passcode} if passcode else {})
    client.ask("DELETE", path_of("repo", context.obj, name), query=query)
    typer.echo(f"Started deletion of data instance {name!r}.")


@repo.command()
@one_line()
def rename(
    context: typer.Context,
    name: Name,
    wanted: Annotated[str, typer.Argument(metavar="NEW", help="Its new name.")],
    passcode: Passcode = "",
    *,
    server: ServerOption = DEFAULT_SERVER,
) -> None:
    """Give a data instance another name, in all versions."""
    query = {"passcode": passcode} if passcode else {}
    Client(server).ask("POST", path_of("repo", context.obj, name, "rename"), {"name": wanted}, query=query)
    typer.echo(f"Renamed data instance {name!r} to {wanted!r}.")


def _grow(client: Client, uuid: str, action: str, given: dict[str, str]) -> None:
    given = {key: text for key, text in given.items() if text}
    typer.echo(client.json("POST", path_of("node", uuid, action), given)["child"])


def _by_data(client: Client, uuid: str, name: str) -> str:
    """Name of the instance whose data uuid this is; else the name itself, as the reference has it."""
    instances = client.json("GET", path_of("repo", uuid, "info"))["DataInstances"]
    by_data = {shown["Base"]["DataUUID"]: other for other, shown in instances.items()}
    found: str = by_data.get(name, name)
    if found not in instances:
        raise CommandError(f"there is no data instance {name!r} in repo {uuid}")
    return found
