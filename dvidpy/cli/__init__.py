"""The command line: `dvidpy serve` and other commands. Only here are argv and the environment read."""

from __future__ import annotations

import typer

from dvidpy.cli.check import check
from dvidpy.cli.config import config
from dvidpy.cli.demo import demo
from dvidpy.cli.serve import serve
from dvidpy.cli.tools import types, warm

app = typer.Typer(no_args_is_help=True, add_completion=False, help=(__doc__ or "").split(".")[0] + ".")
for command in (serve, check, warm, demo, types):
    app.command()(command)
app.add_typer(config, name="config")
