"""Small commands: `warm`, `types`."""

from __future__ import annotations

import typer


def warm() -> None:
    """Compile the kernels, so that no request has to wait for it."""
    from dvidpy.kernels import jit

    typer.echo(f"compiled: {', '.join(jit.warm())}")


def types() -> None:
    """List the datatypes."""
    from dvidpy.datatypes.registry import load_types

    for name, kind in load_types().items():
        typer.echo(f"{name}\t{kind.url}")
