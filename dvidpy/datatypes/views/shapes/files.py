"""Shapes as files. They are kept in memory as long as there is room: a body that did not change is not made again."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Any

import numpy as np

from dvidpy.datatypes.base import Data
from dvidpy.datatypes.views.caching import tag_of
from dvidpy.datatypes.views.precomputed.skeletons import INFO, pack_skeleton
from dvidpy.datatypes.views.shapes.solids import Shaped, choose_scale, digest, read_solid
from dvidpy.datatypes.views.shapes.workshop import WORKSHOP, demand_made

ROOM = 64 << 20
"""Bytes of files that are kept."""
MESHES = {"ngmesh": "mesh", "obj": "obj", "draco": "draco"}
"""What the workshop makes for each format of meshes."""
SKELETON_INFO = INFO


class Kept:
    """Files by what they are made of; those not asked for longest go first."""

    def __init__(self, room: int = ROOM) -> None:
        self._files: OrderedDict[bytes, dict[str, Any]] = OrderedDict()
        self._digests: OrderedDict[tuple[Any, ...], bytes] = OrderedDict()
        self._room = room
        self._lock = threading.Lock()

    def find(self, asked: tuple[Any, ...]) -> dict[str, Any] | None:
        """What was made for the same question, about the same edition of the data."""
        with self._lock:
            known = self._digests.get(asked)
            return None if known is None else self._get(known)

    def get(self, name: bytes) -> dict[str, Any] | None:
        """What was made of the same voxels."""
        with self._lock:
            return self._get(name)

    def _get(self, name: bytes) -> dict[str, Any] | None:
        found = self._files.get(name)
        if found is not None:
            self._files.move_to_end(name)
        return found

    def keep(self, asked: tuple[Any, ...], name: bytes, made: dict[str, Any]) -> None:
        """Remember what was made, and for which question."""
        with self._lock:
            self._files[name] = made
            self._digests[asked] = name
            while sum(map(_weight, self._files.values())) > self._room and len(self._files) > 1:
                self._files.popitem(last=False)
            while len(self._digests) > 4 * len(self._files) + 64:
                self._digests.popitem(last=False)


KEPT = Kept()
"""Those of this program."""


def mesh_file(data: Data, label: int, form: str, scale: int | None) -> bytes:
    """The mesh of a body in a format; NotFound, BadRequest or TooLarge where there is none."""
    found: bytes = _shape(data, label, MESHES[form], scale)["file"]
    return found


def skeleton_file(data: Data, label: int, form: str, scale: int | None) -> bytes:
    """The skeleton of a body, as `swc` in voxels at full resolution or `precomputed` in nanometers."""
    made = _shape(data, label, "skeleton", scale)
    points = np.frombuffer(made["points"], "<f4").reshape(-1, 3)
    edges = np.frombuffer(made["edges"], "<u4").reshape(-1, 2)
    radii = np.frombuffer(made["radii"], "<f4")
    if form == "precomputed":
        return pack_skeleton(points, edges, radii)
    return to_swc(
        points / np.array(_shaped(data).levels()[0].resolution), edges, radii / _shaped(data).levels()[0].resolution[0]
    )


def to_swc(points: Any, edges: Any, radii: Any) -> bytes:
    """Rows of number, kind, x, y, z, radius, parent; parents stand before their children, roots have -1."""
    import networkx as nx

    graph: Any = nx.Graph()
    graph.add_nodes_from(range(len(points)))
    graph.add_edges_from(edges.tolist())
    parents: dict[int, int] = {}
    number: dict[int, int] = {}
    for root in min_degree_roots(graph):
        number[root], parents[root] = len(number) + 1, -1
        for parent, child in nx.bfs_edges(graph, root):
            number[child], parents[child] = len(number) + 1, number[parent]
    rows = (
        f"{number[at]} 0 {points[at][0]:.3f} {points[at][1]:.3f} {points[at][2]:.3f} {radii[at]:.3f} {parents[at]}\n"
        for at in number
    )
    return "".join(rows).encode()


def min_degree_roots(graph: Any) -> list[int]:
    """An end point of each connected piece."""
    import networkx as nx

    return [min(piece, key=lambda at: (graph.degree(at), at)) for piece in nx.connected_components(graph)]


def _shape(data: Data, label: int, what: str, scale: int | None) -> dict[str, Any]:
    demand_made(what)
    volume = _shaped(data)
    asked = (tag_of([data]), label, what, scale, *volume.levels()[0].resolution)
    known = KEPT.find(asked)
    if known is not None:
        return known
    order = read_solid(volume, label, *choose_scale(volume, label, scale)).order(what)
    name = digest(order)
    made = KEPT.get(name) or WORKSHOP.make(order)
    KEPT.keep(asked, name, made)
    return made


def _shaped(data: Data) -> Shaped:
    assert isinstance(data, Shaped)
    return data


def _weight(made: dict[str, Any]) -> int:
    return sum(len(one) for one in made.values()) + 200
