"""zarr, N5 and precomputed volumes, by tensorstore."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from dvidpy.cli.outside.groups import FILES, finest, path_of
from dvidpy.cli.outside.volume import SIDE, Outside, Plan, Voxels
from dvidpy.client.boxes import Box, Zyx

DRIVERS = {"zarr": "zarr3", "zarr2": "zarr", "n5": "n5", "precomputed": "neuroglancer_precomputed"}
XYZ = ("n5", "precomputed")
"""Formats whose first axis is x."""
METERS = {"nm": 1.0, "um": 1e3, "µm": 1e3, "mm": 1e6, "m": 1e9}
"""Nanometers of units."""
OFFSET = "voxel_offset"
"""Attribute of a zarr: where its first voxel lies, z, y, x. As the server's own zarr has it."""


class Tensor(Outside):
    """A volume that tensorstore has opened, its axes z, y, x."""

    def __init__(self, opened: Any, form: str) -> None:
        import tensorstore as ts

        self.dtype = opened.dtype.numpy_dtype
        metadata = opened.spec().to_json().get("metadata") or {}
        self.offset = _offset_of(opened, form, metadata)
        self.resolution = _resolution_of(opened, form, metadata)
        names = opened.domain.labels
        if form == "precomputed":
            opened = opened[ts.d["channel"][0]] if opened.shape[3] == 1 else opened
        if opened.rank != 3:
            raise ValueError(f"it has {opened.rank} axes: one volume of z, y and x is needed")
        if form in XYZ or tuple(names[:3]) == ("x", "y", "z"):
            opened = opened.T
        self._store = opened[ts.d[:].translate_to[0]]
        z, y, x = map(int, self._store.shape)
        self.shape = z, y, x
        grid = [int(side or SIDE) for side in self._store.chunk_layout.write_chunk.shape]
        self.grid = grid[0], grid[1], grid[2]

    def read(self, box: Box) -> Voxels:
        """Voxels of a box."""
        found: Voxels = self._store[box.within((0, 0, 0))].read().result()
        return np.asarray(found)

    def write(self, box: Box, voxels: Voxels) -> None:
        """Write voxels of a box."""
        self._store[box.within((0, 0, 0))].write(voxels).result()


def open_tensor(form: str, place: str, dataset: str) -> Tensor:
    """A volume that is there; ValueError where it is none."""
    import tensorstore as ts

    spec = {"driver": DRIVERS[form], "kvstore": _kvstore(place, "" if form == "precomputed" else dataset)}
    if form in FILES:
        spec["kvstore"] = _kvstore(place, _within(form, place, dataset))
    if form == "precomputed" and dataset:
        spec["scale_index"] = int(dataset.removeprefix("s"))
    return Tensor(ts.open(spec, read=True).result(), form)


def _within(form: str, place: str, dataset: str) -> str:
    """The dataset, or of a group with several scales the finest."""
    import tensorstore as ts

    said = ts.KvStore.open(_kvstore(place, dataset)).result().read(FILES[form]).result().value
    return "/".join(part for part in (dataset.strip("/"), finest(form, said)) if part)


def make_tensor(form: str, place: str, plan: Plan) -> Tensor:
    """A new volume, or one of which part is there."""
    import tensorstore as ts

    spec: dict[str, Any] = {
        "driver": DRIVERS[form],
        "kvstore": _kvstore(place, "" if form == "precomputed" else path_of(plan)),
        **_metadata(form, plan),
    }
    how: Any = {"open": True} if plan.again else {"create": True, "delete_existing": form != "precomputed"}
    return Tensor(ts.open(spec, **how).result(), form)


def _metadata(form: str, plan: Plan) -> dict[str, Any]:
    chunk = [SIDE] * 3
    dtype = plan.dtype.name
    if form == "zarr":
        codecs: list[dict[str, Any]] = [
            {"name": "bytes", "configuration": {"endian": "little"}} if plan.dtype.itemsize > 1 else {"name": "bytes"},
            {"name": "gzip", "configuration": {"level": 1}},
        ]
        if plan.sharded:
            inner = {"chunk_shape": chunk, "codecs": codecs}
            codecs, chunk = [{"name": "sharding_indexed", "configuration": inner}], [4 * SIDE] * 3
        return {
            "metadata": {
                "shape": plan.shape,
                "data_type": dtype,
                "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": chunk}},
                "codecs": codecs,
                "dimension_names": ["z", "y", "x"],
                "attributes": {OFFSET: plan.offset, "resolution": plan.resolution},
            }
        }
    if form == "zarr2":
        return {"metadata": {"shape": plan.shape, "dtype": plan.dtype.newbyteorder("<").str, "chunks": chunk}}
    if form == "n5":
        packing = {"type": "gzip", "level": 1}
        size = list(plan.shape[::-1])
        known = {"axes": ["x", "y", "z"], "units": ["nm"] * 3, "resolution": plan.resolution[::-1], OFFSET: plan.offset}
        whole = {"dimensions": size, "blockSize": chunk, "dataType": dtype, "compression": packing, **known}
        if plan.scale is not None:
            whole["downsamplingFactors"] = [2**plan.scale] * 3
        return {"metadata": whole}
    return _precomputed(plan)


def _precomputed(plan: Plan) -> dict[str, Any]:
    labels = plan.labels and plan.dtype.name in ("uint32", "uint64")
    scale: dict[str, Any] = {
        "size": plan.shape[::-1],
        "voxel_offset": plan.offset[::-1],
        "resolution": plan.resolution[::-1],
        "chunk_size": [SIDE] * 3,
        "encoding": "compressed_segmentation" if labels else "raw",
    }
    if labels:
        scale["compressed_segmentation_block_size"] = [8, 8, 8]
    if plan.sharded:
        scale["sharding"] = {
            "@type": "neuroglancer_uint64_sharded_v1",
            "preshift_bits": 3,
            "minishard_bits": 3,
            "shard_bits": _shard_bits(plan.shape),
            "hash": "identity",
            "minishard_index_encoding": "gzip",
            "data_encoding": "gzip",
        }
    kind = "segmentation" if labels else "image"
    return {
        "multiscale_metadata": {"type": kind, "data_type": plan.dtype.name, "num_channels": 1},
        "scale_metadata": scale,
    }


def _shard_bits(shape: Zyx) -> int:
    """As many as number all chunks of a volume, beside the six bits of a shard's own."""
    bits = sum((-(-side // SIDE) - 1).bit_length() for side in shape)
    return max(0, bits - 6)


def _kvstore(place: str, dataset: str) -> Any:
    """Where it lies, for tensorstore: a path, or a URL as it is."""
    whole = "/".join(part.strip("/") if at else part.rstrip("/") for at, part in enumerate((place, dataset)) if part)
    if "://" in place:
        return whole + "/"
    return {"driver": "file", "path": f"{Path(whole).absolute()}/"}


def _offset_of(opened: Any, form: str, metadata: dict[str, Any]) -> Zyx:
    if form == "precomputed":
        x, y, z = map(int, opened.domain.origin[:3])
    else:
        known = metadata if form == "n5" else metadata.get("attributes") or {}
        z, y, x = map(int, known.get(OFFSET) or (0, 0, 0))
    return z, y, x


def _resolution_of(opened: Any, form: str, metadata: dict[str, Any]) -> tuple[float, float, float] | None:
    """Nanometers; those of a zarr as this program writes them."""
    if form in XYZ:
        units = opened.dimension_units[:3]
        known = [unit is not None and unit.base_unit in METERS for unit in units]
        x, y, z = (float(unit.multiplier) * METERS[unit.base_unit] for unit in units) if all(known) else (0, 0, 0)
    else:
        z, y, x = (metadata.get("attributes") or {}).get("resolution") or (0, 0, 0)
    return (float(z), float(y), float(x)) if z and y and x else None
