"""What the demo knows of its cells: a segmentation, a table of bodies, synapses with their counts, a region."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from dvidpy.cli.demo import BLOCK, GRID, post_slab, slabs_of

if TYPE_CHECKING:
    import numpy.typing as npt

    from dvidpy.cli.client import Client

    Labels = npt.NDArray[np.uint64]

NAME = "segmentation"
SYNAPSES, CLEFT = 400, 6
"""Synapses, and voxels between their two sides."""
JOINED = (3, 2, 2)
"""Supervoxels of the first bodies, the largest ones; all others are bodies of their own."""
NAMED = 40
"""Bodies of the table."""
TYPES = ("KC", "PN", "MBON", "APL")
REGION = {"typename": "roi", "dataname": "core", "BlockSize": "32,32,32"}


def load_bodies(client: Client, root: str, cells: Labels) -> None:
    """Every cell is a supervoxel; some are joined. Their meshes are made by the server when somebody looks at them."""
    settings = {"typename": "labelmap", "dataname": NAME, "MaxDownresLevel": "2", **GRID}
    client.ask("POST", f"/api/repo/{root}/instance", settings)
    for number, slab in enumerate(slabs_of(cells)):
        post_slab(client, root, NAME, slab, number * BLOCK)
    found, sizes = np.unique(cells[cells > 0], return_counts=True)
    largest = found[np.argsort(-sizes.astype(int), kind="stable")].tolist()
    pieces = _join(client, root, largest)
    _name(client, root, pieces)
    _connect(client, root, cells)
    _mark_core(client, root, cells.shape)


def _join(client: Client, root: str, largest: list[int]) -> dict[int, int]:
    """Bodies of the table and how many supervoxels each has."""
    pieces, left = {}, iter(largest)
    for count in JOINED:
        body, *others = (next(left) for _ in range(count))
        client.ask("POST", f"/api/node/{root}/{NAME}/merge", [body, *others], {"u": "demo"})
        pieces[body] = count
    pieces.update((next(left), 1) for _ in range(NAMED - len(pieces)))
    return pieces


def _name(client: Client, root: str, pieces: dict[int, int]) -> None:
    client.ask("POST", f"/api/repo/{root}/instance", {"typename": "neuronjson", "dataname": f"{NAME}_annotations"})
    for number, (body, count) in enumerate(pieces.items()):
        kind = TYPES[number % len(TYPES)]
        status = "traced" if number < NAMED // 2 else "rough"
        neuron = {"bodyid": body, "type": kind, "instance": f"{kind}_{number}", "status": status, "pieces": count}
        client.ask("POST", f"/api/node/{root}/{NAME}_annotations/key/{body}", neuron, {"u": "demo"})


def _connect(client: Client, root: str, cells: Labels) -> None:
    """Synapses across membranes, and how many each body has."""
    made = ({"typename": "annotation", "dataname": "synapses"}, {"typename": "labelsz", "dataname": "synapses_labelsz"})
    for settings, followed in zip(made, (NAME, "synapses"), strict=True):
        client.ask("POST", f"/api/repo/{root}/instance", settings)
        client.ask("POST", f"/api/node/{root}/{settings['dataname']}/sync", {"sync": followed})
    client.ask("POST", f"/api/node/{root}/synapses/elements", synapses_of(cells), {"u": "demo"})


def synapses_of(cells: Labels) -> list[dict[str, Any]]:
    """Two elements for each: before the cleft, and behind it along x in another cell."""
    left, right = cells[:, :, :-CLEFT], cells[:, :, CLEFT:]
    places = np.argwhere((left > 0) & (right > 0) & (left != right))
    chosen = places[np.random.default_rng(1).choice(len(places), min(SYNAPSES, len(places)), replace=False)]
    elements = []
    for z, y, x in chosen.tolist():
        pre, post = [x, y, z], [x + CLEFT, y, z]
        elements.append(_side("PreSyn", pre, "PreSynTo", post))
        elements.append(_side("PostSyn", post, "PostSynTo", pre))
    return elements


def _side(kind: str, at: list[int], relation: str, to: list[int]) -> dict[str, Any]:
    return {"Pos": at, "Kind": kind, "Tags": [], "Prop": {"conf": "0.9"}, "Rels": [{"Rel": relation, "To": to}]}


def _mark_core(client: Client, root: str, shape: tuple[int, ...]) -> None:
    """A region of the inner blocks."""
    client.ask("POST", f"/api/repo/{root}/instance", REGION)
    depth, height, width = (side // 32 for side in shape)
    spans = [[z, y, 1, width - 2] for z in range(1, depth - 1) for y in range(1, height - 1)]
    client.ask("POST", f"/api/node/{root}/core/roi", spans)
