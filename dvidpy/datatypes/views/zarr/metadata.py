"""What a zarr group and its arrays say of themselves."""

from __future__ import annotations

from typing import Any

from dvidpy.datatypes.views.volumes import Level, Scaled

AXES = ("z", "y", "x")
SPACE = {"type": "space", "unit": "nanometer"}
GZIP_LEVEL = 1
"""What the metadata says; readers need not know it."""


def group_metadata(volume: Scaled, name: str) -> dict[str, Any]:
    """The group, with that of its arrays, so that clients need not ask for each."""
    arrays = {f"s{number}": array_metadata(volume, level) for number, level in enumerate(volume.levels())}
    return {
        "zarr_format": 3,
        "node_type": "group",
        "attributes": {"ome": _multiscales(volume, name)},
        "consolidated_metadata": {"kind": "inline", "must_understand": False, "metadata": arrays},
    }


def array_metadata(volume: Scaled, level: Level) -> dict[str, Any]:
    """One scale. Its first voxel is 0, wherever it lies; `attributes` has its place as voxels z, y, x."""
    channels = [volume.voxel_channels] * is_coloured(volume)
    return {
        "zarr_format": 3,
        "node_type": "array",
        "shape": [*channels, *level.bounds.size],
        "data_type": volume.voxel_type,
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [*channels, *level.chunk]}},
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
        "fill_value": 0,
        "codecs": _codecs(volume),
        "dimension_names": [axis["name"] for axis in _axes(volume)],
        "attributes": {"voxel_offset": list(level.bounds.start)},
    }


def is_coloured(volume: Scaled) -> bool:
    """Its arrays have channels before z, y, x."""
    return volume.voxel_channels > 1


def _codecs(volume: Scaled) -> list[dict[str, Any]]:
    """Numbers, lowest byte first; labels are packed, voxels of images would hardly become less."""
    plain: dict[str, Any] = {"name": "bytes"}
    if volume.voxel_type != "uint8":
        plain["configuration"] = {"endian": "little"}
    packed = {"name": "gzip", "configuration": {"level": GZIP_LEVEL}}
    return [plain, packed] if volume.are_labels else [plain]


def _multiscales(volume: Scaled, name: str) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "version": "0.5",
        "multiscales": [{"name": name, "axes": _axes(volume), "datasets": _datasets(volume)}],
    }
    return shown | ({"image-label": {}} if volume.are_labels else {})


def _axes(volume: Scaled) -> list[dict[str, Any]]:
    channels = [{"name": "c", "type": "channel"}] * is_coloured(volume)
    return [*channels, *({"name": axis, **SPACE} for axis in AXES)]


def _datasets(volume: Scaled) -> list[dict[str, Any]]:
    levels = volume.levels()
    return [
        {"path": f"s{number}", "coordinateTransformations": _transformations(volume, levels[0], level)}
        for number, level in enumerate(levels)
    ]


def _transformations(volume: Scaled, finest: Level, level: Level) -> list[dict[str, Any]]:
    """Size and place of voxels in nanometers. The place of a voxel is its middle; that of the finest voxel 0 is 0."""
    size, least = level.resolution[::-1], finest.resolution[::-1]
    place = [at * side + (side - small) / 2 for at, side, small in zip(level.bounds.start, size, least, strict=True)]
    one, none = ([1.0], [0.0]) if is_coloured(volume) else ([], [])
    return [{"type": "scale", "scale": [*one, *size]}, {"type": "translation", "translation": [*none, *place]}]
