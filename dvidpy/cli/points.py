"""`dvidpy points`: stores of point clouds, without a server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dvidpy.cli.client import CommandError, one_line

if TYPE_CHECKING:
    from dvidpy.pointclouds import StorageConfig

points = typer.Typer(no_args_is_help=True, help="Point clouds by label: ingest, ask, optimise, export.")

Store = Annotated[str, typer.Argument(metavar="STORE", help="Folder of the store, or s3://, gs:// or azure:// URL.")]
Box = Annotated[str, typer.Option(help="FIRST:END in the first coordinates, such as 0,0,0:64,64,64; END is outside.")]
Region = Annotated[str, typer.Option("--s3-region", envvar="AWS_REGION", help="Region of an S3 store.")]
Project = Annotated[
    str, typer.Option("--gcs-project-id", envvar="GOOGLE_CLOUD_PROJECT", help="Project of a Google store.")
]
Account = Annotated[
    str,
    typer.Option(
        "--azure-connection-string",
        envvar="AZURE_STORAGE_CONNECTION_STRING",
        help="Connection string of an Azure store.",
    ),
]
BLOCK = 64
"""Voxels of a side of a block of `ingest`."""


@contextmanager
def told() -> Iterator[None]:
    """What the library refuses is told in one line."""
    try:
        import dvidpy.pointclouds  # noqa: F401 -- whether it can be

        yield
    except ImportError as error:
        raise CommandError(f"{error}: pip install 'dvidpy[pointclouds]'") from None
    except (ValueError, OSError) as error:
        raise CommandError(str(error)) from None


def _config(store: str, region: str, project: str, account: str) -> StorageConfig:
    from dvidpy.pointclouds import StorageConfig

    return StorageConfig(
        store,
        s3_region=region or None,
        gcs_project_id=project or None,
        azure_storage_connection_string=account or None,
    )


@points.command()
@one_line()
@told()
def ingest(
    store: Store,
    volume: Annotated[Path, typer.Argument(metavar="VOLUME", help="Labels z, y, x in an npy or npz file.")],
    *,
    offset: Annotated[str, typer.Option(help="Of the first voxel: z,y,x.")] = "0,0,0",
    worker: Annotated[str, typer.Option(help="Name of this worker; each its own.")] = "1",
    background: Annotated[bool, typer.Option("--background", help="Label 0 as well.")] = False,
    region: Region = "",
    project: Project = "",
    account: Account = "",
) -> None:
    """Write the voxels of every label of a volume, in blocks of 64 voxels a side; replaces such blocks."""
    from dvidpy.cli.cloud_volumes import blocks_of, opened
    from dvidpy.pointclouds import Ingestor

    labels_zyx = opened(volume)
    first = _numbers(offset, 3)
    config = _config(store, region, project, account)
    count = 0
    with Ingestor(config, worker) as ingestor:
        for name, labels, voxels in blocks_of(labels_zyx, first, BLOCK, background=background):
            ingestor.replace_block(name, labels, voxels)
            count += len(voxels)
    Ingestor.consolidate_indexes(config)
    typer.echo(f"{count:,} points")


def _numbers(text: str, count: int, kind: Callable[[str], Any] = int) -> list[Any]:
    try:
        numbers = [kind(number) for number in text.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) != count:
        what = "whole numbers" if kind is int else "numbers"
        raise CommandError(f"{text!r} is not {count} {what} with commas between")
    return numbers


def _box(text: str) -> Any:
    """((first, …), (end, …)), or None."""
    if not text:
        return None
    first, _, end = text.partition(":")
    axes = first.count(",") + 1
    return tuple(tuple(_numbers(part, axes, _coordinate)) for part in (first, end))


def _coordinate(text: str) -> float:
    """A whole number as one, however large; else a float."""
    return int(text) if text.strip().lstrip("-").isdecimal() else float(text)


@points.command()
@one_line()
@told()
def query(
    store: Store,
    label: Annotated[
        str, typer.Argument(metavar="[LABEL]", help="A label; without it all labels and their counts.")
    ] = "",
    *,
    box: Box = "",
    blocks: Annotated[bool, typer.Option("--blocks", help="Its blocks instead of its points.")] = False,
    region: Region = "",
    project: Project = "",
    account: Account = "",
) -> None:
    """List labels with their numbers of points; or the points of a label, one a line."""
    from dvidpy.pointclouds import Query

    with Query(_config(store, region, project, account)) as asked:
        if not label:
            for one in asked.get_labels():
                typer.echo(f"{one}\t{asked.get_point_count(one)}")
        elif blocks:
            typer.echo("".join(f"{name}\n" for name in asked.get_blocks_for_label(_label(label))), nl=False)
        else:
            for point in asked.get_points(_label(label), box=_box(box)):
                typer.echo(" ".join(map(str, point.tolist())))


def _label(text: str) -> int:
    if not text.isdecimal():
        raise CommandError(f"{text!r} is no label")
    return int(text)


@points.command()
@one_line()
@told()
def optimize(
    store: Store,
    *,
    shard: Annotated[str, typer.Option(help="I/N: the I-th of N parts of the labels, for N commands at once.")] = "1/1",
    region: Region = "",
    project: Project = "",
    account: Account = "",
) -> None:
    """Write all clouds once more, label by label, for fast queries. Interrupted, it goes on where it was."""
    from dvidpy.pointclouds import Query, consolidate_optimized_indices, optimize_point_clouds

    number, parts = _numbers(shard.replace("/", ","), 2)
    if not 1 <= number <= parts:
        raise CommandError(f"{shard!r} is no part: 1/4 to 4/4")
    config = _config(store, region, project, account)
    with Query(config) as asked:
        labels = asked.get_labels()[number - 1 :: parts]
    index = f"{store.rstrip('/')}/unified_index.db"
    optimize_point_clouds(
        config, index, worker_id=f"{number}-{parts}", labels_to_process=map(int, labels), verbose=False
    )
    consolidate_optimized_indices(config, verbose=False)
    typer.echo(f"{len(labels)} clouds")


@points.command()
@one_line()
@told()
def export(
    store: Store,
    label: Annotated[str, typer.Argument(metavar="LABEL", help="A label.")],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A file .parquet, .arrow, .npy or .csv.")],
    *,
    box: Box = "",
    region: Region = "",
    project: Project = "",
    account: Account = "",
) -> None:
    """Write the points of a label into a file: columns c0, c1, …, or for .npy an array (N, D)."""
    from dvidpy.cli.cloud_volumes import save
    from dvidpy.pointclouds import Query

    with Query(_config(store, region, project, account)) as asked:
        cloud = asked.get_points(_label(label), use_cache=False, box=_box(box))
    save(cloud, file)
    typer.echo(f"{len(cloud):,} points")
