"""`dvidpy serve`: run the server."""

from __future__ import annotations

import gc
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from dvidpy.cli.logfile import LogFile
    from dvidpy.config import Settings

SWITCH_INTERVAL_S = 0.0005
"""Measured: beside a busy thread, a small answer takes 0.22 ms with this and 4 ms with Python's default."""

app = typer.Typer(add_completion=False)
"""The program with this command alone; `commands` has all of them."""

Config = Annotated[
    Path | None, typer.Argument(help="TOML file; without it, ./dvidpy-data is served.", show_default=False)
]


@app.callback()
def _alone() -> None:
    """Keeps `serve` a word of the command line."""


@app.command()
def serve(
    config: Config = None,
    *,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on.")] = None,
    data: Annotated[Path, typer.Option(help="Folder for the data, where there is no TOML file.")] = Path("dvidpy-data"),
    readonly: Annotated[bool, typer.Option("--readonly", help="Refuse all changes.")] = False,
    fullwrite: Annotated[bool, typer.Option("--fullwrite", help="Allow changes of committed versions.")] = False,
    numcpu: Annotated[int, typer.Option(help="Threads for heavy work.")] = 0,
    verbose: Annotated[bool, typer.Option("--verbose", help="Log more.")] = False,
    cors: Annotated[str | None, typer.Option(help="Origins that may ask, with commas between; * for all.")] = None,
) -> None:
    """Serve the stores that CONFIG names."""
    from dvidpy.cli.settings import settings_from
    from dvidpy.errors import DvidError, StoreError

    try:
        settings = settings_from(config, data, host, port, readonly=readonly, fullwrite=fullwrite, cors=cors)
        if numcpu > 0:
            server = settings.server.model_copy(update={"workers": numcpu})
            settings = settings.model_copy(update={"server": server})
        run(settings, verbose=verbose)
    except (StoreError, DvidError) as error:
        typer.echo(f"dvidpy: {error}", err=True)
        raise typer.Exit(1) from None


def run(settings: Settings, *, verbose: bool = False) -> None:
    """Serve until a signal ends it."""
    gc.disable()  # what is loaded now stays
    from dvidpy.cli.settings import split_address
    from dvidpy.cli.sockets import listening_sockets
    from dvidpy.optional import without

    sockets = listening_sockets(*split_address(settings.server.http_address))
    with without("rich"):  # it would colour a log that is JSON
        import structlog

    from dvidpy.app import build_app
    from dvidpy.cli.listening import listen
    from dvidpy.cli.logging import configure_logging

    stream = _log_file(settings)
    configure_logging(verbose=verbose, stream=stream)
    for warning in settings.warnings:
        structlog.get_logger().warning(warning)
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    app = build_app(settings, log_stream=stream)
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 1000)
    gc.enable()
    listen(app, sockets, settings.server)


def _log_file(settings: Settings) -> LogFile | None:
    from dvidpy.cli.logfile import MB, LogFile

    wanted = settings.logging
    if not wanted.logfile:
        return None
    typer.echo(f"dvidpy: the log is in {wanted.logfile}", err=True)
    return LogFile(Path(wanted.logfile), (wanted.max_log_size or 100) * MB, wanted.max_log_age)
