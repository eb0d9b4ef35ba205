"""`dvidpy config show`: what a configuration means."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dvidpy.cli.serve import Config

if TYPE_CHECKING:
    from dvidpy.config import Section, Settings

ALWAYS_SHOWN = ("server", "logging", "mutations")
config = typer.Typer(no_args_is_help=True, help="Look at a configuration.")


@config.callback()
def _look() -> None:
    """So that `show` stays a command of its own while it is the only one."""


@config.command()
def show(
    path: Config = None,
    *,
    data: Annotated[Path, typer.Option(help="Folder of the data, where there is no TOML file.")] = Path("dvidpy-data"),
) -> None:
    """Print the settings in effect as TOML, without secrets, and warnings. The exit status says whether they work."""
    import tomli_w

    from dvidpy.api.redaction import redacted
    from dvidpy.cli.settings import settings_from, split_address
    from dvidpy.errors import StoreError
    from dvidpy.storage.stores import demand_ours

    try:
        settings = settings_from(path, data)
        split_address(settings.server.http_address)
        for warning in settings.warnings:
            typer.echo(f"warning: {warning}", err=True)
        typer.echo(redacted(tomli_w.dumps(_tables(settings)), settings.server.admin_token), nl=False)
        for store in settings.stores.values():
            demand_ours(store.engine, store.path)
    except StoreError as error:
        typer.echo(f"dvidpy: {error}", err=True)
        raise typer.Exit(1) from None


def _tables(settings: Settings) -> dict[str, Any]:
    """All settings with their names in the file; most sections only where they stand there."""
    single = {
        name: _table(section)
        for name in ("server", "logging", "mutations", "auth", "email", "kafka", "groupcache")
        for section in [getattr(settings, name)]
        if name in ALWAYS_SHOWN or section.model_fields_set
    }
    named: dict[str, dict[str, Section]] = {"store": {**settings.stores}, "backend": {**settings.backends}}
    named |= {name: sections for name, sections in settings.others.items() if sections}
    return single | {name: {key: _table(each) for key, each in sections.items()} for name, sections in named.items()}


def _table(section: Section) -> dict[str, Any]:
    return section.model_dump(mode="json", by_alias=True, exclude_none=True)
