"""`dvidpy serve`: run the server."""

from __future__ import annotations

import gc
import os
import platform
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from dvidpy.config import Settings

TUNABLES = "glibc.malloc.hugetlb=1:glibc.malloc.trim_threshold=1000000000:glibc.malloc.mmap_max=0"
"""Measured: unpacking 134 MB takes 30 ms with these and 273 ms without (docs/decisions/004-memory.md)."""
SWITCH_INTERVAL_S = 0.0005
"""Measured: beside a busy thread, a small answer takes 0.22 ms with this and 4 ms with Python's default."""

Config = Annotated[
    Path | None, typer.Argument(help="TOML file; without it, ./dvidpy-data is served.", show_default=False)
]


def serve(
    config: Config = None,
    *,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on.")] = None,
    data: Annotated[Path, typer.Option(help="Folder for the data, where there is no TOML file.")] = Path("dvidpy-data"),
    readonly: Annotated[bool, typer.Option("--readonly", help="Refuse all changes.")] = False,
    fullwrite: Annotated[bool, typer.Option("--fullwrite", help="Allow changes of committed versions.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", help="Log more.")] = False,
    cors: Annotated[str | None, typer.Option(help="Origins that may ask, with commas between; * for all.")] = None,
) -> None:
    """Serve the stores that CONFIG names."""
    _tune_memory()
    from dvidpy.cli.settings import settings_from
    from dvidpy.errors import StoreError

    try:
        settings = settings_from(config, data, host, port, readonly=readonly, fullwrite=fullwrite, cors=cors)
        run(settings, verbose=verbose)
    except StoreError as error:
        typer.echo(f"dvidpy: {error}", err=True)
        raise typer.Exit(1) from None


def _tune_memory() -> None:
    """Start again with allocator settings that glibc reads only once, at the start of a process."""
    if (
        platform.libc_ver()[0] == "glibc"
        and "GLIBC_TUNABLES" not in os.environ
        and "DVIDPY_NO_TUNING" not in os.environ
    ):
        arguments = [sys.executable, "-m", "dvidpy", *sys.argv[1:]]
        os.execve(sys.executable, arguments, {**os.environ, "GLIBC_TUNABLES": TUNABLES})  # noqa: S606  # ourselves


def run(settings: Settings, *, verbose: bool = False) -> None:
    """Serve until a signal ends it."""
    import uvicorn

    from dvidpy.api.wire import WireProtocol
    from dvidpy.app import build_app
    from dvidpy.cli.logging import configure_logging
    from dvidpy.cli.settings import split_address

    configure_logging(verbose=verbose)
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    app = build_app(settings)
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 1000)
    host, port = split_address(settings.server.http_address)
    uvicorn.Server(
        uvicorn.Config(
            app,
            host=host,
            port=port,
            access_log=False,
            log_config=None,
            http=WireProtocol,
            proxy_headers=False,
            server_header=False,
            date_header=False,
            timeout_keep_alive=75,
            timeout_graceful_shutdown=30,
        )
    ).run()
