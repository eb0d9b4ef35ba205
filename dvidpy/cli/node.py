"""`dvidpy node UUID NAME`: data go into one version of one instance."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from dvidpy.cli.client import DEFAULT_SERVER, Client, CommandError, ServerOption, one_line, path_of

node = typer.Typer(no_args_is_help=True, help="Put data into a version of an instance of a running server.")

Force = Annotated[bool, typer.Option("--force", help="Write into a committed version, with DVID_ADMIN_TOKEN.")]
NEGATIVE = {"ignore_unknown_options": True}
"""An offset may begin with a minus."""


@node.callback()
def at(
    context: typer.Context,
    uuid: Annotated[str, typer.Argument(help="The version.")],
    name: Annotated[str, typer.Argument(help="Name of the data instance.")],
) -> None:
    """Put data into a version of an instance of a running server."""
    context.obj = (uuid, name)


@node.command(context_settings=NEGATIVE)
@one_line()
def load(
    context: typer.Context,
    offset: Annotated[str, typer.Argument(help="Of the first voxel: x,y,z.")],
    images: Annotated[list[str], typer.Argument(metavar="GLOB…", help="XY pictures (PNG, TIFF…), first slice first.")],
    *,
    force: Force = False,
    server: ServerOption = DEFAULT_SERVER,
) -> None:
    """Load a stack of pictures into an image instance."""
    from dvidpy.cli.loading import load_pictures

    uuid, name = context.obj
    load_pictures(Client(server, admin=force), uuid, name, "xy", offset, images)


@node.command(context_settings=NEGATIVE)
@one_line()
def put(
    context: typer.Context,
    words: Annotated[list[str], typer.Argument(metavar="KEY | PLANE OFFSET GLOB…", help="A key, or pictures.")],
    *,
    force: Force = False,
    server: ServerOption = DEFAULT_SERVER,
) -> None:
    """Put standard input under a KEY of a keyvalue instance, or pictures of a PLANE (xy, xz, yz) into an image."""
    client = Client(server, admin=force)
    uuid, name = context.obj
    if words[0] in ("local", "remote") and len(words) > 1:
        words = words[1:]  # the reference asks who reads the files; here it is always the one who sends them
    if _typename(client, uuid, name) == "keyvalue":
        if len(words) != 1:
            raise CommandError("one KEY is needed; its value comes from standard input")
        client.ask("POST", path_of("node", uuid, name, "key", words[0]), sys.stdin.buffer)
        return
    if len(words) < 3:
        raise CommandError("PLANE, OFFSET and pictures are needed")
    from dvidpy.cli.loading import load_pictures

    load_pictures(client, uuid, name, words[0], words[1], words[2:])


def _typename(client: Client, uuid: str, name: str) -> str:
    info: dict[str, Any] = client.json("GET", path_of("node", uuid, name, "info"))
    return str(info["Base"]["TypeName"])
