"""`dvidpy import` and `dvidpy export`: volumes of other formats into an instance, and out of it."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from dvidpy.cli.client import DEFAULT_SERVER, Client, CommandError, Force, ServerOption, told

Uuid = Annotated[str, typer.Argument(help="The version.")]
Name = Annotated[str, typer.Argument(help="Name of the data instance.")]
Format = Annotated[
    str, typer.Option("--format", help="zarr, zarr2, n5, precomputed, hdf5, nrrd, tiff or png; else by the name.")
]
Dataset = Annotated[str, typer.Option("--dataset", help="Path of the volume in it; of precomputed the scale.")]
Workers = Annotated[int, typer.Option("--workers", min=1, help="Pieces under way at a time.")]
Restart = Annotated[bool, typer.Option("--restart", help="Begin anew, whatever was done before.")]


def import_(
    uuid: Uuid,
    name: Name,
    source: Annotated[str, typer.Argument(help="File, folder or URL.")],
    *,
    form: Format = "",
    dataset: Dataset = "",
    offset: Annotated[str, typer.Option("--offset", help="x,y,z of the first voxel; else as the source says.")] = "",
    new: Annotated[str, typer.Option("--new", help="Datatype of the instance, which is made.")] = "",
    workers: Workers = 4,
    restart: Restart = False,
    force: Force = False,
    server: ServerOption = DEFAULT_SERVER,
) -> None:
    """Read a volume of another format into an image or label instance, whose index and coarser scales follow."""
    from dvidpy.cli.outside.formats import open_outside
    from dvidpy.cli.transferring import Job, bring_in

    outside = open_outside(source, form, dataset)
    with told():
        job = Job(Client(server, admin=force).line, uuid, name, workers, restart=restart)
        count = bring_in(job, outside, source, dataset, _point(offset), new)
    typer.echo(f"{count} voxels")


def export(
    uuid: Uuid,
    name: Name,
    dest: Annotated[str, typer.Argument(help="File or folder.")],
    *,
    form: Format = "",
    dataset: Annotated[str, typer.Option("--dataset", help="Path of the volume in it (zarr, N5, HDF5).")] = "",
    box: Annotated[str, typer.Option("--box", help="FIRST:END as x,y,z:x,y,z, END outside; else the extents.")] = "",
    scale: Annotated[int, typer.Option("--scale", min=0, help="0 is full resolution.")] = 0,
    scales: Annotated[str, typer.Option("--scales", help="How many, from that one on, or `all`.")] = "",
    supervoxels: Annotated[bool, typer.Option("--supervoxels", help="Labels as they are stored, not bodies.")] = False,
    sharded: Annotated[bool, typer.Option("--sharded", help="Many chunks a file (zarr, precomputed).")] = False,
    workers: Workers = 4,
    restart: Restart = False,
    server: ServerOption = DEFAULT_SERVER,
) -> None:
    """Write the voxels of an image or label instance as a volume of another format."""
    from dvidpy.cli.exporting import Asked, take_out
    from dvidpy.cli.transferring import Job

    with told():
        job = Job(Client(server, admin=False).line, uuid, name, workers, restart=restart)
        asked = Asked(form, dataset, _box(box), scale, scales, supervoxels=supervoxels, sharded=sharded)
        count = take_out(job, dest, asked)
    typer.echo(f"{count} voxels")


def _point(text: str) -> Any:
    from dvidpy.cli.targets import parse_point

    return parse_point(text)[::-1] if text else None


def _box(text: str) -> Any:
    if not text:
        return None
    first, _, end = text.partition(":")
    low, high = _point(first), _point(end)
    if low is None or high is None or any(b <= a for a, b in zip(low, high, strict=True)):
        raise CommandError(f"{text!r} is no box x,y,z:x,y,z")
    return low, high
