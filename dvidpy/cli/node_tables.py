"""`dvidpy node UUID NAME` for annotations of bodies: whole tables in and out of a neuronjson instance."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from dvidpy.cli.client import DEFAULT_SERVER, Client, CommandError, Force, ServerOption, UserOption, path_of, writer

STANDARD_INPUT = "-"


def import_kv(
    context: typer.Context,
    source: Annotated[str, typer.Argument(help="A keyvalue instance of the same repo.")],
    *,
    force: Force = False,
    server: ServerOption = DEFAULT_SERVER,
) -> None:
    """Take over all annotations of a keyvalue instance."""
    uuid, name = context.obj
    found = Client(server, admin=force).json("POST", path_of("node", uuid, name, "import-kv", source))
    typer.echo("Imported {imported} annotations and {schemas} schemas; skipped {skipped}.".format(**found))


def ingest_neuronjson(
    context: typer.Context,
    file: Annotated[str, typer.Argument(help="A JSON list of annotations; - for standard input.")],
    *,
    user: UserOption = "",
    force: Force = False,
    server: ServerOption = DEFAULT_SERVER,
) -> None:
    """Merge a JSON list of annotations into what is there."""
    uuid, name = context.obj
    path = path_of("node", uuid, name, "ingest-neuronjson")
    found = Client(server, admin=force).json("POST", path, read_input(file), writer(user))
    typer.echo(f"Ingested {found['ingested']} annotations.")


def version_changes(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(help="Where the files go; made if it is not there.")],
    *,
    server: ServerOption = DEFAULT_SERVER,
) -> None:
    """Write a file UUID.json for each version that changed annotations: those, and tombstones for deleted ones."""
    uuid, name = context.obj
    client = Client(server, admin=False)
    info: dict[str, Any] = client.json("GET", path_of("repo", uuid, "info"))
    if name not in info["DataInstances"]:
        raise CommandError(f"there is no data instance {name!r} in repo {uuid}")
    versioned = info["DataInstances"][name]["Base"]["Versioned"]
    folder.mkdir(parents=True, exist_ok=True)
    written = 0
    for one in sorted(info["DAG"]["Nodes"]) if versioned else [info["Root"]]:
        said = client.ask("GET", path_of("node", one, name, "version-changes"))
        if said.strip() != b"[]":
            (folder / f"{one}.json").write_bytes(said)
            written += 1
    typer.echo(f"Wrote the changes of {written} versions into {folder}.")


def read_input(file: str) -> bytes:
    """Bytes of a file, or of standard input; CommandError where it cannot be read."""
    if file == STANDARD_INPUT:
        return sys.stdin.buffer.read()
    try:
        return Path(file).read_bytes()
    except OSError as error:
        raise CommandError(f"{file} cannot be read: {error.strerror}") from None
