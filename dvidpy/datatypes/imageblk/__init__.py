"""Grayscale and other voxels in blocks."""

from __future__ import annotations

from dvidpy.datatypes.base import DataType

DATATYPES: tuple[DataType, ...] = ()
