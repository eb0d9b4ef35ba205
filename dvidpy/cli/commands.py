"""All commands as one program. Only `serve` does without it: it listens before the others are loaded."""

from __future__ import annotations

import typer

from dvidpy.cli.check import check
from dvidpy.cli.client import one_line
from dvidpy.cli.config import config
from dvidpy.cli.demo import demo
from dvidpy.cli.neuroglancer import neuroglancer
from dvidpy.cli.node import node
from dvidpy.cli.points import points
from dvidpy.cli.repo import repo
from dvidpy.cli.repos import repos
from dvidpy.cli.serve import serve
from dvidpy.cli.tools import about, help_, repair, shutdown, types, warm
from dvidpy.cli.transfer import export, import_

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Versioned images, segmentations and annotations.")
for command in (serve, check, warm, demo, neuroglancer, types, about, repair, shutdown):
    app.command()(command)
app.command("help")(help_)
app.command("import")(one_line()(import_))
app.command()(one_line()(export))
for name, group in (("repos", repos), ("repo", repo), ("node", node), ("config", config), ("points", points)):
    app.add_typer(group, name=name)
