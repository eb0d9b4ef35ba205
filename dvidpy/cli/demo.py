"""`dvidpy demo`: a server with something in it, to look at and to try."""

from __future__ import annotations

import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dvidpy.cli.client import Client, CommandError, Unreachable, one_line
from dvidpy.cli.stacks import files_of, slices_of
from dvidpy.config import is_built, viewer_folder

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from dvidpy.cli.neuropil import Neuropil

    Voxels = npt.NDArray[np.integer[Any]]

SHAPE_ZYX = (128, 256, 256)
"""The made-up volume."""
VOXEL_NM = 8
BLOCK = 64
"""Voxels along the side of a block, and slices that are sent at once."""
GRID = {
    "BlockSize": ",".join([str(BLOCK)] * 3),
    "VoxelSize": ",".join([str(VOXEL_NM)] * 3),
    "VoxelUnits": "nanometers,nanometers,nanometers",
}
PATIENCE_S = 30.0
"""How long the server may take to start."""
EDITED = "edited"
"""Branch with a change."""
LOADED = "the demo is loaded"
"""Last line of the log of a repo that is complete."""
HOST = "127.0.0.1"


@one_line()
def demo(
    *,
    images: Annotated[str, typer.Option(help="Gray slices to load instead, such as 'stack/*.png'.")] = "",
    data: Annotated[Path, typer.Option(help="Folder for the data.")] = Path("demo-data"),
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 8000,
    once: Annotated[bool, typer.Option("--once", help="End after the data is loaded.")] = False,
) -> None:
    """Serve a sample volume, loading it first where the folder does not have it yet; until Ctrl-C."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    server = start_server(data, port)
    try:
        uuids = _repo(Client(f"{HOST}:{port}"), images)
        typer.echo(_guide(port, data, **uuids, made_up=not images))
        if not once:
            server.wait()
    except KeyboardInterrupt:
        pass
    finally:
        server.terminate()
        server.wait()


def start_server(data: Path, port: int) -> subprocess.Popen[bytes]:
    """A server in a process of its own, when it answers. Its log lies in the data folder."""
    with socket.socket() as probe:
        if probe.connect_ex((HOST, port)) == 0:
            raise CommandError(f"port {port} is taken; choose another one with --port")
    data.mkdir(parents=True, exist_ok=True)
    log = data / "server.log"
    place = ("--host", HOST, "--port", str(port), "--data", str(data), "--cors", "*")
    with log.open("ab") as stream:
        command = [sys.executable, "-m", "dvidpy", "serve", *place]
        server = subprocess.Popen(command, stdout=stream, stderr=stream)  # noqa: S603  # ourselves
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until and server.poll() is None:
        try:
            Client(f"{HOST}:{port}").ask("GET", "/healthz")
        except Unreachable:
            time.sleep(0.05)
        else:
            return server
    server.kill()
    raise CommandError(f"the server does not start; {log} says why")


# ---------------------------------------------------------------------- what is loaded
def _repo(client: Client, images: str) -> dict[str, str]:
    """Uuids of the first version and of the edited one, loaded now or by an earlier demo."""
    alias = f"demo of {images}" if images else "demo"
    for root, repo in client.json("GET", "/api/repos/info").items():
        nodes = repo["DAG"]["Nodes"]
        edited = [uuid for uuid, node in nodes.items() if node["Branch"] == EDITED]
        if repo["Alias"] == alias and edited and repo["Log"][-1:] and repo["Log"][-1].endswith(LOADED):
            return {"root": root, "edited": edited[0]}
    return _load(client, alias, images)


def _load(client: Client, alias: str, images: str) -> dict[str, str]:
    sample = None if images else _sample()
    slabs = _stack(images) if sample is None else slabs_of(sample.gray)
    first = next(slabs)
    root = client.json("POST", "/api/repos", {"alias": alias, "description": "made by dvidpy demo"})["root"]
    _make_instances(client, root)
    depth = 0
    for slab in chain([first], slabs):
        post_slab(client, root, "grayscale", slab, depth)
        depth += len(slab)
    if sample is not None:
        from dvidpy.cli.demo_bodies import load_bodies

        load_bodies(client, root, sample.cells)
    last_xyz = [first.shape[2] - 1, first.shape[1] - 1, depth - 1]
    client.ask("POST", f"/api/node/{root}/grayscale/extents", {"MinPoint": [0, 0, 0], "MaxPoint": last_xyz})
    client.ask("POST", f"/api/node/{root}/notes/key/about", {"nm": VOXEL_NM, "from": images or "dvidpy.cli.neuropil"})
    client.ask("POST", f"/api/node/{root}/commit", {"note": "first volume"})
    edited = client.json("POST", f"/api/node/{root}/branch", {"branch": EDITED, "note": "a block is dimmed"})["child"]
    post_slab(client, edited, "grayscale", first[:BLOCK, :BLOCK, :BLOCK] // 4, 0)
    client.ask("POST", f"/api/repo/{root}/log", {"log": [LOADED]})
    return {"root": root, "edited": edited}


def _make_instances(client: Client, root: str) -> None:
    """One for the voxels, with lower resolutions, and one for notes."""
    gray = {"typename": "uint8blk", "dataname": "grayscale", "Pyramid": "2", **GRID}
    client.ask("POST", f"/api/repo/{root}/instance", gray)
    client.ask("POST", f"/api/repo/{root}/instance", {"typename": "keyvalue", "dataname": "notes"})


def post_slab(client: Client, uuid: str, name: str, voxels: Voxels, z: int) -> None:
    """Write slices from z on, filled up to whole blocks: extents say where the image ends."""
    import numpy as np

    whole = np.pad(voxels, [(0, -side % BLOCK) for side in voxels.shape])
    size = "_".join(map(str, whole.shape[::-1]))
    client.ask("POST", f"/api/node/{uuid}/{name}/raw/0_1_2/{size}/0_0_{z}", whole.tobytes())


def _sample() -> Neuropil:
    from dvidpy.cli.neuropil import neuropil

    return neuropil(SHAPE_ZYX)


def slabs_of(volume: Voxels) -> Iterator[Voxels]:
    """A volume piece by piece along z."""
    return (volume[z : z + BLOCK] for z in range(0, len(volume), BLOCK))


def _stack(images: str) -> Iterator[Voxels]:
    """Slabs of a stack of pictures, in the order of their names; CommandError for pictures that are no stack."""
    import numpy as np

    slices = (found for _, found in slices_of(files_of([images]), "uint8"))
    while slab := list(islice(slices, BLOCK)):
        yield np.stack(slab)


# ---------------------------------------------------------------------- what is said
def _guide(port: int, data: Path, root: str, edited: str, *, made_up: bool) -> str:
    """What to open and to type."""
    server = f"http://{HOST}:{port}"
    viewer = "Neuroglancer" if is_built(viewer_folder()) else "not built yet: `dvidpy neuroglancer` does it"
    node, child = f"{server}/api/node/{root[:8]}", f"{server}/api/node/{edited[:8]}"
    bodies = (
        f"""  {node}/segmentation/pseudocolor/xy/256_256/0_0_60         its bodies, each in a colour
  {node}/synapses/label/LABEL?relationships=true     synapses of a body, of those in
  {node}/segmentation_annotations/all                a table of bodies
"""
        if made_up
        else ""
    )
    return f"""
dvidpy serves {server} from {data.resolve()}

Open
  {server}/                                        the console: versions, slices, and each instance in Neuroglancer
  {server}/neuroglancer/                           {viewer}
  {server}/docs                                    every route, to try out
  {server}/api/help                                help, in plain words
  {node}/grayscale/raw/xy/256_256/0_0_60/png       a slice
  {child}/grayscale/raw/xy/256_256/0_0_10/png      a slice of the branch {EDITED!r}
{bodies}
Type
  curl {server}/api/repos/info
  curl {server}/api/repo/{root[:8]}/info
  curl {node}/grayscale/info
  curl -o cube.raw {node}/grayscale/raw/0_1_2/64_64_64/100_100_30
  curl {node}/notes/key/about
  curl -d 'good morning' {child}/notes/key/greeting
  curl {child}/notes/keys

The first version is committed and never changes; the branch {EDITED!r} is open.
Ctrl-C ends it. `dvidpy check --data {shlex.quote(str(data))}` proves the store sound then.
"""
