"""`dvidpy node UUID NAME`: data go into one version of one instance, and out of it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Annotated

import typer

from dvidpy.cli.client import (
    DEFAULT_SERVER,
    Client,
    CommandError,
    Force,
    ServerOption,
    UserOption,
    one_line,
    path_of,
    settings_of,
    typename_of,
    writer,
)
from dvidpy.cli.node_labels import composite, dump, export_shards, fvdb, repair_maxlabel, set_nextlabel
from dvidpy.cli.node_orders import delete_all, generate, reload, roi
from dvidpy.cli.node_tables import import_kv, ingest_neuronjson, version_changes

node = typer.Typer(no_args_is_help=True, help="Put data into a version of an instance of a running server, or get it.")

NEGATIVE = {"ignore_unknown_options": True}
"""An offset may begin with a minus."""


@node.callback()
def at(
    context: typer.Context,
    uuid: Annotated[str, typer.Argument(help="The version.")],
    name: Annotated[str, typer.Argument(help="Name of the data instance.")],
) -> None:
    """Put data into a version of an instance of a running server, or get it."""
    context.obj = (uuid, name)


@node.command(context_settings=NEGATIVE)
@one_line()
def load(
    context: typer.Context,
    offset: Annotated[str, typer.Argument(help="Of the first voxel: x,y,z.")],
    words: Annotated[
        list[str],
        typer.Argument(metavar="GLOB… [proc=noindex]", help="XY pictures (PNG, TIFF…), first slice first."),
    ],
    *,
    force: Force = False,
    server: ServerOption = DEFAULT_SERVER,
) -> None:
    """Load a stack of pictures into an image or labels; with proc=noindex no index and no scale follows.

    Into a multichan16 instance: `local FILE`, a V3D Raw file.
    """
    from dvidpy.cli.loading import load_channels, load_pictures

    uuid, name = context.obj
    if offset in WHO:
        load_channels(Client(server, admin=force), uuid, name, words)
        return
    images = [word for word in words if not word.startswith("proc=")]
    if not images:
        raise CommandError("no pictures are named")
    options = settings_of([word for word in words if word.startswith("proc=")])
    if options.get("proc", "noindex") != "noindex":
        raise CommandError(f"proc={options['proc']} is unknown; there is proc=noindex")
    load_pictures(Client(server, admin=force), uuid, name, "xy", offset, images, indexing=not options)


@node.command(context_settings=NEGATIVE)
@one_line()
def put(
    context: typer.Context,
    words: Annotated[list[str], typer.Argument(metavar="KEY | PLANE OFFSET GLOB…", help="A key, or pictures.")],
    *,
    user: UserOption = "",
    force: Force = False,
    server: ServerOption = DEFAULT_SERVER,
) -> None:
    """Put standard input under a KEY (keyvalue, neuronjson), or pictures of a PLANE (xy, xz, yz) into an image."""
    client = Client(server, admin=force)
    uuid, name = context.obj
    if words[0] in WHO and len(words) > 1:
        words = words[1:]
    kind = typename_of(client, uuid, name)
    if kind in ("keyvalue", "neuronjson"):
        if len(words) != 1:
            raise CommandError("one KEY is needed; its value comes from standard input")
        client.ask(
            "POST",
            path_of("node", uuid, name, "key", words[0]),
            sys.stdin.buffer,
            writer(user) if kind == "neuronjson" else None,
        )
        return
    if len(words) < 3:
        raise CommandError("PLANE, OFFSET and pictures are needed")
    from dvidpy.cli.loading import load_pictures

    load_pictures(client, uuid, name, words[0], words[1], words[2:])


WHO = ("local", "remote")
"""The reference asks who reads files; here it is always the one who sends them."""
ORDERS: dict[str, Callable[..., None]] = {
    "reload": reload,
    "delete-all": delete_all,
    "roi": roi,
    "generate": generate,
    "import-kv": import_kv,
    "ingest-neuronjson": ingest_neuronjson,
    "version-changes": version_changes,
    "dump": dump,
    "export-shards": export_shards,
    "composite": composite,
    "fvdb": fvdb,
    "set-nextlabel": set_nextlabel,
    "repair-maxlabel": repair_maxlabel,
}
for word, order in ORDERS.items():
    node.command(word)(one_line()(order))
