"""`dvidpy node UUID NAME`: what a server is told to make or to delete in an instance."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from itertools import product
from typing import Annotated, Any

import typer

from dvidpy.cli.client import (
    DEFAULT_SERVER,
    Client,
    CommandError,
    Force,
    ServerOption,
    path_of,
    settings_of,
    typename_of,
)
from dvidpy.cli.node_tables import read_input
from dvidpy.cli.repos import Sure, demand_sure

FLAGS = ("check", "inmemory")
READ = 64 << 20
"""Bytes of blocks that are asked for at once, unless one has more."""
SPANS = ("xrange", "yrange", "zrange")
_HEAD = struct.Struct("<4i")
Span = list[int]


def reload(
    context: typer.Context,
    words: Annotated[list[str] | None, typer.Argument(metavar="[check] [inmemory]", help="Also check=true.")] = None,
    *,
    force: Force = False,
    server: ServerOption = DEFAULT_SERVER,
) -> None:
    """Make the lists of an annotation instance, or the counts of a labelsz instance, again."""
    uuid, name = context.obj
    query = settings_of([f"{word}=true" if word in FLAGS else word for word in words or []])
    if strange := [key for key in query if key not in FLAGS]:
        raise CommandError(f"{strange[0]!r} is no setting of reload; there are {' and '.join(FLAGS)}")
    Client(server, admin=force).ask("POST", path_of("node", uuid, name, "reload"), query=query)
    typer.echo(f"Started the reload of {name!r}; info shows how far it is.")


def delete_all(context: typer.Context, *, imsure: Sure = False, server: ServerOption = DEFAULT_SERVER) -> None:
    """Delete all elements of an annotation instance in this version; needs admin rights."""
    uuid, name = context.obj
    demand_sure(f"all elements of {name!r} in version {uuid}", imsure=imsure)
    Client(server).ask("POST", path_of("node", uuid, name, "delete-all"), query={"imsure": "true"})
    typer.echo(f"Deleted all elements of {name!r}.")


# ---------------------------------------------------------------------- tiles
def generate(
    context: typer.Context,
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[FILE] [key=value…]", help="planes, xrange, yrange, zrange, filename; FILE - is stdin."
        ),
    ] = None,
    *,
    force: Force = False,
    server: ServerOption = DEFAULT_SERVER,
) -> None:
    """Make the tiles of an imagetile instance from its source; FILE has the levels."""
    uuid, name = context.obj
    words = words or []
    files = [word for word in words if "=" not in word]
    settings = {key.lower(): text for key, text in settings_of([word for word in words if "=" in word]).items()}
    files += [settings.pop("filename")] if "filename" in settings else []
    if strange := [key for key in settings if key not in ("planes", *SPANS)]:
        raise CommandError(
            f"{strange[0]!r} is no setting of generate; there are planes, {', '.join(SPANS)} and filename"
        )
    if len(files) > 1:
        raise CommandError(f"{files[1]!r} is too much: one file has the levels")
    body = read_input(files[0]) if files else b""
    path = path_of("node", uuid, name, "generate")
    found = Client(server, admin=force).json("POST", path, body, settings)
    typer.echo(f"Started to make tiles in {found['Generating']['Total']} steps; info shows how far it is.")


# ---------------------------------------------------------------------- regions
def roi(
    context: typer.Context,
    region: Annotated[
        str, typer.Argument(metavar="ROI", help="Instance that takes the region; made if it is not there.")
    ],
    values: Annotated[str, typer.Argument(help="Values of the background, with commas between them.")],
    *,
    force: Force = False,
    server: ServerOption = DEFAULT_SERVER,
) -> None:
    """Make a region of the blocks of a uint8blk instance that have other values than those of the background."""
    uuid, name = context.obj
    client = Client(server, admin=force)
    background = _values(values)
    if (kind := typename_of(client, uuid, name)) != "uint8blk":
        raise CommandError(f"regions are made of uint8blk instances, and this is a {kind}")
    extended = client.json("GET", path_of("node", uuid, name, "info"))["Extended"]
    _demand_region(client, uuid, region, extended["BlockSize"])
    spans = _spans(_foreground(client, path_of("node", uuid, name), extended, background))
    client.ask("POST", path_of("node", uuid, region, "roi"), spans)
    typer.echo(f"Region {region!r} has {sum(x1 - x0 + 1 for _, _, x0, x1 in spans)} blocks.")


def _values(text: str) -> list[int]:
    try:
        found = [int(one) for one in text.split(",")]
    except ValueError:
        found = [-1]
    if not all(0 <= value < 256 for value in found):
        raise CommandError(f"{text!r} are no values from 0 to 255 with commas between them")
    return found


def _demand_region(client: Client, uuid: str, region: str, block: list[int]) -> None:
    """An roi instance with blocks of that size; made where there is none of that name."""
    there: dict[str, Any] = client.json("GET", path_of("repo", uuid, "info"))["DataInstances"]
    if region not in there:
        given = {"typename": "roi", "dataname": region, "BlockSize": ",".join(map(str, block))}
        client.ask("POST", path_of("repo", uuid, "instance"), given)
    elif there[region]["Base"]["TypeName"] != "roi":
        raise CommandError(f"{region!r} is a {there[region]['Base']['TypeName']}, not an roi")
    elif there[region]["Extended"]["BlockSize"] != block:
        raise CommandError(f"{region!r} has other blocks than the image: {there[region]['Extended']['BlockSize']}")


def _foreground(client: Client, path: str, extended: dict[str, Any], background: list[int]) -> Iterator[Span]:
    """z, y, x of the blocks with other values, in that order."""
    import numpy as np

    block = extended["BlockSize"]
    if not extended.get("MinPoint"):
        return
    first = [low // side for low, side in zip(extended["MinPoint"], block, strict=True)]
    counts = [high // side - one + 1 for high, side, one in zip(extended["MaxPoint"], block, first, strict=True)]
    foreground = np.ones(256, np.bool_)
    foreground[background] = False
    step = max(1, READ // (block[0] * block[1] * block[2]))
    for z, y, x in product(range(counts[2]), range(counts[1]), range(0, counts[0], step)):
        sides = [min(step, counts[0] - x) * block[0], block[1], block[2]]
        start = [(one + at) * side for one, at, side in zip(first, (x, y, z), block, strict=True)]
        place = f"{path}/subvolblocks/{'_'.join(map(str, sides))}/{'_'.join(map(str, start))}"
        said = memoryview(client.ask("GET", place, query={"compression": "uncompressed"}))
        while said:
            bx, by, bz, size = _HEAD.unpack_from(said)
            if foreground[np.frombuffer(said[_HEAD.size : _HEAD.size + size], np.uint8)].any():
                yield [bz, by, bx]
            said = said[_HEAD.size + size :]


def _spans(blocks: Iterator[Span]) -> list[Span]:
    """Blocks in a row as one span z, y, x0, x1."""
    spans: list[Span] = []
    for z, y, x in blocks:
        if spans and spans[-1][:2] == [z, y] and spans[-1][3] == x - 1:
            spans[-1][3] = x
        else:
            spans.append([z, y, x, x])
    return spans
