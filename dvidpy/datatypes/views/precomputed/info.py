"""What a precomputed volume says of itself."""

from __future__ import annotations

from typing import Any

from dvidpy.datatypes.views.volumes import Level, Scaled
from dvidpy.geometry import to_wire

COMPRESSED_SEGMENTATION = "compressed_segmentation"


def volume_info(volume: Scaled, encoding: str, prefix: str = "") -> dict[str, Any]:
    """The volume with its chunks in one encoding; `prefix` stands before the keys of its scales."""
    return {
        "@type": "neuroglancer_multiscale_volume",
        "type": "segmentation" if volume.are_labels else "image",
        "data_type": volume.voxel_type,
        "num_channels": volume.voxel_channels,
        "scales": [_scale(f"{prefix}s{number}", level, encoding) for number, level in enumerate(volume.levels())],
    }


def _scale(key: str, level: Level, encoding: str) -> dict[str, Any]:
    bounds = level.bounds
    shown = {
        "key": key,
        "size": to_wire(bounds.size),
        "resolution": level.resolution,
        "voxel_offset": to_wire(bounds.start),
        "chunk_sizes": [to_wire(level.chunk)],
        "encoding": encoding,
    }
    return shown | ({"compressed_segmentation_block_size": [8, 8, 8]} if encoding == COMPRESSED_SEGMENTATION else {})
