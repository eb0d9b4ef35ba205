"""`dvidpy check`: does a store hold what it should?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from dvidpy.config import Settings


def check(
    config: Annotated[
        Path | None,
        typer.Argument(help="TOML file, or the folder of the data; without it, ./dvidpy-data.", show_default=False),
    ] = None,
    *,
    data: Annotated[Path, typer.Option(help="Folder of the data, where there is no TOML file.")] = Path("dvidpy-data"),
    sweep: Annotated[bool, typer.Option("--sweep", help="Remove orphaned parts of large values.")] = False,
    repair: Annotated[bool, typer.Option("--repair", help="Rewrite damaged mutation logs from their records.")] = False,
) -> None:
    """Walk all stores and list every broken invariant. The server must not be running."""
    from dvidpy.datatypes.registry import load_types
    from dvidpy.errors import StoreError
    from dvidpy.versioning.check import check_datastore, repair_logs, sweep_orphans
    from dvidpy.versioning.datastore import Datastore

    load_types()
    try:
        datastore = Datastore(_settings_of(config, data), working=False)
    except StoreError as error:
        typer.echo(f"dvidpy: {error}", err=True)
        raise typer.Exit(1) from None
    try:
        if sweep:
            typer.echo(f"{sweep_orphans(datastore)} orphaned parts removed")
        if repair:
            typer.echo(f"{len(repair_logs(datastore))} mutation logs rewritten")
        report = check_datastore(datastore)
    finally:
        datastore.close()
    for note in report.notes:
        typer.echo(f"note: {note}")
    for fault in report.faults:
        typer.echo(fault, err=True)
    typer.echo(report.summary())
    raise typer.Exit(1 if report.faults else 0)


def _settings_of(config: Path | None, data: Path) -> Settings:
    """Those of a TOML file or a folder. StoreError where a store is not there: looking for one makes none."""
    from dvidpy.cli.settings import settings_from
    from dvidpy.errors import StoreError

    is_folder = config is not None and config.is_dir()
    settings = settings_from(None if is_folder else config, config if is_folder and config else data)
    for store in settings.key_value_stores().values():
        if store.path and not Path(store.path).is_dir():
            raise StoreError(f"there is no store in {store.path}: name the TOML file, or the folder that was served")
    return settings
