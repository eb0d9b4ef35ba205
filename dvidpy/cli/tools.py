"""Small commands: `warm`, `types`, `about`, `help`, `repair`, `shutdown`."""

from __future__ import annotations

import platform
from typing import Annotated

import typer

from dvidpy.cli.client import DEFAULT_SERVER, Client, ServerOption, one_line


def warm() -> None:
    """Compile the kernels, so that no request has to wait for it."""
    from dvidpy.kernels import jit

    typer.echo(f"compiled: {', '.join(jit.warm())}")


def types() -> None:
    """List the datatypes."""
    from dvidpy.datatypes.registry import load_types

    for name, kind in load_types().items():
        typer.echo(f"{name}\t{kind.url}")


def about() -> None:
    """Show versions, datatypes and storage engines of this program."""
    from dvidpy import __version__
    from dvidpy.datatypes.registry import load_types
    from dvidpy.storage.stores import ENGINES

    typer.echo(f"dvidpy {__version__}, Python {platform.python_version()}")
    typer.echo(f"datatypes: {', '.join(load_types())}")
    typer.echo(f"storage engines: {', '.join(ENGINES)}")


def help_(
    context: typer.Context,
    about: Annotated[str, typer.Argument(metavar="TYPE", help="A datatype, or a command.")] = "",
) -> None:
    """Show the help of the program, of a datatype or of a command."""
    program = context.find_root()
    command = getattr(program.command, "commands", {}).get(about)
    if command is not None:
        typer.echo(command.get_help(typer.Context(command, info_name=about, parent=program)))
    elif about in ("", "server"):
        typer.echo(program.get_help())
    else:
        typer.echo(_help_of_type(about))


def _help_of_type(name: str) -> str:
    from dvidpy.datatypes.registry import load_types

    types = load_types()
    if name not in types:
        typer.echo(f"dvidpy: there is no datatype or command {name!r}; datatypes are {', '.join(types)}", err=True)
        raise typer.Exit(1)
    return types[name].help


def repair(words: Annotated[list[str] | None, typer.Argument(metavar="[ENGINE PATH]")] = None) -> None:
    """Say what to do with a damaged store."""
    typer.echo(
        "dvidpy: nothing was changed. LevelDB mends its own log when a store is opened: start the server.\n"
        "  dvidpy check --data FOLDER             lists what is wrong, while the server is down\n"
        "  dvidpy check --data FOLDER --repair    rewrites damaged mutation logs from their records\n"
        "  dvidpy check --data FOLDER --sweep     removes orphaned parts of large values\n"
        "For any other fault put a backup back.",
        err=True,
    )
    raise typer.Exit(1)


@one_line()
def shutdown(*, server: ServerOption = DEFAULT_SERVER) -> None:
    """End a running server as SIGTERM does."""
    typer.echo(Client(server).ask("POST", "/api/server/shutdown").decode().strip())
