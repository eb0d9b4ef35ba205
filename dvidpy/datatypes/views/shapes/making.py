"""The process that makes meshes and skeletons: `python -m dvidpy.datatypes.views.shapes.making`.

It reads orders from its input and writes what it made to its output, each as uint32 length and msgpack. It ends when
its input does. Nothing of the server is imported, and what goes wrong here goes wrong here alone.
"""

from __future__ import annotations

import os
import resource
import struct
import sys
import time
from collections.abc import Callable
from typing import IO, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

HEAD = struct.Struct("<I")
MEMORY = 4 << 30
"""Bytes that the process may take."""
SECONDS = 60
"""Of a processor, that one order may take: however busy the machine is, the same is made."""
REDUCTION = 100
"""Triangles are made fewer by this factor, as far as the surface stays within a voxel."""
FEW = 2000
"""Triangles of a small mesh, which stays as it is: little would be left of it."""
DUST = 4
"""Pieces of fewer voxels have no skeleton, unless there is nothing else."""

Points = NDArray[np.float32]
Reply = dict[str, Any]


class Order(msgspec.Struct):
    """Voxels, and what becomes of them."""

    what: str
    """mesh, obj, draco or skeleton."""
    size: tuple[int, int, int]
    """Voxels along z, y, x."""
    bits: bytes
    """Which of them are inside, eight a byte, the lowest bit first."""
    start: tuple[float, float, float]
    """Nanometers x, y, z where the first voxel begins."""
    resolution: tuple[float, float, float]
    """Nanometers of a voxel along x, y, z."""

    def volume(self) -> NDArray[np.uint8]:
        """(x, y, z) 1 inside, 0 outside."""
        count = self.size[0] * self.size[1] * self.size[2]
        flat = np.unpackbits(np.frombuffer(self.bits, np.uint8), count=count, bitorder="little")
        return flat.reshape(self.size).T


def mesh_of(order: Order) -> Any:
    """A closed surface in nanometers: marching cubes, with fewer triangles where it is flat."""
    import zmesh

    mesher = zmesh.Mesher(order.resolution)
    mesher.mesh(order.volume(), close=True)
    mesh = mesher.get(1, reduction_factor=0, max_error=None)
    if len(mesh.faces) > FEW:
        mesh = mesher.get(1, reduction_factor=REDUCTION, max_error=max(order.resolution))
    # closed, it lies one voxel further; and the middle of voxel 0 is at half of one, where the mesher has 0
    mesh.vertices += np.array(order.start, np.float32) - np.float32(0.5) * np.array(order.resolution, np.float32)
    return mesh


def make_mesh(order: Order) -> Reply:
    """Points and triangles as a legacy fragment."""
    mesh = mesh_of(order)
    points, triangles = mesh.vertices.astype("<f4"), mesh.faces.astype("<u4")
    return {"file": HEAD.pack(len(points)) + points.tobytes() + triangles.tobytes()}


def make_obj(order: Order) -> Reply:
    """The same as Wavefront text."""
    mesh = mesh_of(order)
    points = (f"v {x:g} {y:g} {z:g}" for x, y, z in mesh.vertices.tolist())
    triangles = (f"f {a} {b} {c}" for a, b, c in (mesh.faces.astype(np.int64) + 1).tolist())
    return {"file": "\n".join([*points, *triangles, ""]).encode()}


def make_draco(order: Order) -> Reply:
    """The same, packed by Draco; points are rounded to 1 / 2^14 of the size of the body."""
    import DracoPy

    mesh = mesh_of(order)
    return {"file": bytes(DracoPy.encode(mesh.vertices, mesh.faces.astype(np.uint32)))}


def make_skeleton(order: Order) -> Reply:
    """(n, 3) float32 points x, y, z and (n,) radii in nanometers, (m, 2) uint32 edges, as bytes."""
    import kimimaro

    volume, side = order.volume(), max(order.resolution)
    dust = DUST if int(volume.sum()) > DUST else 0
    teasar = {
        "scale": 1.5,
        "const": 10 * side,
        "soma_detection_threshold": 150 * side,
        "soma_acceptance_threshold": 1e9,
    }
    found = kimimaro.skeletonize(
        volume, teasar_params=teasar, anisotropy=order.resolution, dust_threshold=dust, progress=False, parallel=1
    )
    if 1 not in found:
        return {"points": b"", "radii": b"", "edges": b""}
    shift = np.array(order.start, np.float32) + np.float32(0.5) * np.array(order.resolution, np.float32)
    points = (found[1].vertices + shift).astype("<f4")
    return {
        "points": points.tobytes(),
        "radii": found[1].radii.astype("<f4").tobytes(),
        "edges": found[1].edges.astype("<u4").tobytes(),
    }


MAKERS: dict[str, Callable[[Order], Reply]] = {
    "mesh": make_mesh,
    "obj": make_obj,
    "draco": make_draco,
    "skeleton": make_skeleton,
}


def serve(orders: IO[bytes], made: IO[bytes]) -> None:
    """Make what is ordered until there are no more orders."""
    while head := orders.read(HEAD.size):
        order = msgspec.msgpack.decode(orders.read(HEAD.unpack(head)[0]), type=Order)
        _allow_seconds()
        try:
            reply = MAKERS[order.what](order)
        except MemoryError:
            reply = {"error": "memory"}
        except Exception as error:  # told to whoever asked; the next order may go well
            reply = {"error": f"{type(error).__name__}: {error}"}
        text = msgspec.msgpack.encode(reply)
        made.write(HEAD.pack(len(text)) + text)
        made.flush()


def _allow_seconds() -> None:
    """Beyond so many more of a processor, the system kills this process."""
    most = resource.getrlimit(resource.RLIMIT_CPU)[1]
    wanted = int(time.process_time()) + SECONDS + 1
    soft = wanted if most == resource.RLIM_INFINITY else min(wanted, most)
    resource.setrlimit(resource.RLIMIT_CPU, (soft, most))


def main() -> None:
    """Serve on the standard streams; what libraries print goes to the errors."""
    made = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    if sys.platform == "linux":
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.nice(5)
    serve(sys.stdin.buffer, made)


if __name__ == "__main__":
    main()
