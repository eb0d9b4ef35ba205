"""`dvidpy check`: does a store hold what it should?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dvidpy.cli.serve import Config


def check(
    config: Config = None,
    *,
    data: Annotated[Path, typer.Option(help="Folder of the data, where there is no TOML file.")] = Path("dvidpy-data"),
    sweep: Annotated[bool, typer.Option("--sweep", help="Remove orphaned parts of large values.")] = False,
) -> None:
    """Walk all stores and list every broken invariant. The server must not be running."""
    from dvidpy.cli.settings import settings_from
    from dvidpy.datatypes.base import judge_by_type
    from dvidpy.datatypes.registry import load_types
    from dvidpy.errors import StoreError
    from dvidpy.versioning.check import check_datastore, sweep_orphans
    from dvidpy.versioning.datastore import Datastore

    load_types()
    try:
        datastore = Datastore(settings_from(config, data))
    except StoreError as error:
        typer.echo(f"dvidpy: {error}", err=True)
        raise typer.Exit(1) from None
    try:
        if sweep:
            typer.echo(f"{sweep_orphans(datastore)} orphaned parts removed")
        report = check_datastore(datastore, judge_by_type)
    finally:
        datastore.close()
    for fault in report.faults:
        typer.echo(fault, err=True)
    typer.echo(report.summary())
    raise typer.Exit(1 if report.faults else 0)
