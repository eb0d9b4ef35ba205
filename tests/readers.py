"""Programs of others that read what the server shows. They are no part of `make install`: `make readers`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from served import Served

Voxels = NDArray[Any]
PRECOMPUTED = ("tensorstore", "cloudvolume")


def reader(name: str) -> Any:
    """A program's module; where it is not installed, the test is skipped."""
    return pytest.importorskip(name, reason=f"needs {name}: make readers")


def url_of(served: Served, path: str, form: str = "precomputed") -> str:
    """Where an instance is shown in a format."""
    return f"http://127.0.0.1:{served.port}{path}/{form}"


def read_precomputed(name: str, url: str, scale: int = 0) -> tuple[Voxels, tuple[int, ...]]:
    """(z, y, x) or (channel, z, y, x) voxels of a whole scale, and where they begin (z, y, x)."""
    if name == "tensorstore":
        spec = {"driver": "neuroglancer_precomputed", "kvstore": url + "/", "scale_index": scale}
        found = reader(name).open(spec, read=True).result()
        voxels, start = found.read().result(), tuple(found.domain.origin[2::-1])
    else:
        volume = cloud_volume(url, mip=scale)
        voxels, start = np.asarray(volume[:]), tuple(int(at) for at in volume.bounds.minpt[::-1])
    whole = np.asarray(voxels).transpose(3, 2, 1, 0)
    return (whole[0] if len(whole) == 1 else whole), start


def cloud_volume(url: str, **how: Any) -> Any:
    """cloud-volume's view of a volume."""
    return reader("cloudvolume").CloudVolume(f"precomputed://{url}", progress=False, use_https=True, **how)


def cloud_annotations(url: str) -> Any:
    """cloud-volume's view of an annotation collection."""
    reader("cloudvolume")
    return reader("cloudvolume.cloudvolume").from_cloudpath(f"precomputed://{url}", progress=False)


ZARR = ("tensorstore", "zarr")


def read_zarr(name: str, url: str, scale: int = 0) -> Voxels:
    """(z, y, x) or (channel, z, y, x) voxels of a whole scale of an OME-Zarr; its metadata says where they begin."""
    if name == "tensorstore":
        spec = {"driver": "zarr3", "kvstore": f"{url}/s{scale}/"}
        return np.asarray(reader(name).open(spec, read=True).result().read().result())
    return np.asarray(zarr_group(url)[f"s{scale}"][...])


def zarr_group(url: str) -> Any:
    """zarr-python's view of a group."""
    for needed in ("aiohttp", "fsspec"):
        reader(needed)
    return reader("zarr").open_group(url, mode="r", zarr_format=3)
