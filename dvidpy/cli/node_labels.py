"""`dvidpy node UUID NAME` for labels: what they hold as files, their label numbers, their labels over an image."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dvidpy.cli.client import DEFAULT_SERVER, Client, CommandError, ServerOption, path_of, settings_of, typename_of

DUMPS = ("svcount", "mappings", "indices")
Label = Annotated[str, typer.Argument(help="A label.")]


def dump(
    context: typer.Context,
    what: Annotated[str, typer.Argument(help="svcount, mappings or indices; of a labelvol a folder to write into.")],
    file: Annotated[Path | None, typer.Argument(help="File to write, here.")] = None,
    *,
    server: ServerOption = DEFAULT_SERVER,
) -> None:
    """Write all supervoxel counts, mappings or indices of labels into a text file; of a labelvol all runs, as files."""
    client, path = Client(server, admin=False), path_of("node", *context.obj)
    if file is None and typename_of(client, *context.obj) == "labelvol":
        from dvidpy.cli.subvols import dump_subvols

        typer.echo(f"{dump_subvols(client, path, Path(what))} files")
    elif what not in DUMPS or file is None:
        raise CommandError(f"say which dump, one of {', '.join(DUMPS)}, and a file")
    else:
        client.save(f"{path}/dump/{what}", file)


def export_shards(
    context: typer.Context,
    spec: Annotated[Path, typer.Argument(help="JSON of a sharded precomputed volume, its `info`.")],
    dest: Annotated[Path, typer.Argument(help="Folder to write into, here.")],
    scales: Annotated[int, typer.Argument(min=1, help="Number of scales, from full resolution on.")] = 1,
    *,
    server: ServerOption = DEFAULT_SERVER,
) -> None:
    """Write the blocks of a labelmap as Arrow streams, a file a shard of a precomputed volume."""
    from dvidpy.cli.precomputed import read_volume
    from dvidpy.cli.shards import export

    written = export(Client(server, admin=False), path_of("node", *context.obj), read_volume(spec), dest, scales)
    for scale, (chunks, shards, size) in enumerate(written):
        typer.echo(f"scale {scale}: {chunks} chunks in {shards} shards, {size} bytes")


def composite(
    context: typer.Context,
    gray: Annotated[str, typer.Argument(metavar="GRAYSCALE", help="A uint8blk instance.")],
    new: Annotated[str, typer.Argument(metavar="NEW", help="Name of the rgba8blk instance that is made.")],
    *,
    server: ServerOption = DEFAULT_SERVER,
) -> None:
    """Make an image of labels over a gray one: each body in a colour of its own, as bright as the gray value."""
    from dvidpy.cli.composite import compose

    uuid, name = context.obj
    typer.echo(f"{compose(Client(server, admin=False), uuid, name, gray, new)} blocks")


def fvdb(
    context: typer.Context,
    label: Label,
    file: Annotated[Path, typer.Argument(help="File to write, here: NAME.nvdb.")],
    words: Annotated[list[str] | None, typer.Argument(metavar="[grayscale=NAME]", help="An image.")] = None,
    *,
    server: ServerOption = DEFAULT_SERVER,
) -> None:
    """Write the voxels of a body as a NanoVDB grid, and the values that an image has there into FILE-NAME.bin."""
    options = settings_of(words or [])
    if unknown := set(options) - {"grayscale"}:
        raise CommandError(f"{min(unknown)!r} is no option; there is grayscale=NAME")
    client, path = Client(server, admin=False), path_of("node", *context.obj, "fvdb", label)
    client.save(path, file, {"layout": "nanovdb"})
    if gray := options.get("grayscale"):
        client.save(path, file.with_name(f"{file.stem}-{gray}.bin"), {"layout": "nanovdb", "grayscale": gray})


def set_nextlabel(
    context: typer.Context,
    label: Label,
    ceiling: Annotated[str, typer.Argument(help="No new label beyond it; 0 for no ceiling.")] = "",
    *,
    server: ServerOption = DEFAULT_SERVER,
) -> None:
    """Let new labels go on behind a label, in the whole repo; needs DVID_ADMIN_TOKEN."""
    query = {"ceiling": ceiling} if ceiling else {}
    Client(server).ask("POST", path_of("node", *context.obj, "set-nextlabel", label), query=query)


def repair_maxlabel(
    context: typer.Context,
    *,
    commit: Annotated[bool, typer.Option("--commit", help="Store what was found; without it, only say it.")] = False,
    server: ServerOption = DEFAULT_SERVER,
) -> None:
    """Find the largest label of each version anew, in blocks, indices and mappings; needs DVID_ADMIN_TOKEN."""
    query = {"commit": "true"} if commit else {}
    client = Client(server, timeout_s=None)  # all blocks may have to be read
    typer.echo(client.ask("POST", path_of("node", *context.obj, "repair-maxlabel"), query=query), nl=False)
