"""A made-up piece of neuropil: cells with dark membranes, mitochondria, vesicles and noise, and whose voxels they are.

numpy only, seeded.
"""

from __future__ import annotations

from itertools import product
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

Field: TypeAlias = npt.NDArray[np.float32]
Point: TypeAlias = npt.NDArray[np.float64]

CELL_ZYX = (40, 22, 26)
"""Spacing of the cells, in voxels."""
MEMBRANE = 2.6
"""Half the width of a membrane, in voxels."""
LUMEN, DARK, NOISE = 165.0, 95.0, 9.0
"""Gray inside a cell, how much darker a membrane is, standard deviation of the noise."""


class Neuropil(NamedTuple):
    """Two volumes of one shape (z, y, x)."""

    gray: npt.NDArray[np.uint8]
    cells: npt.NDArray[np.uint64]
    """Which cell a voxel belongs to, from 1; 0 in membranes."""


def neuropil(shape_zyx: tuple[int, int, int], seed: int = 0) -> Neuropil:
    """A volume of that shape, whose sides are even."""
    random = np.random.default_rng(seed)
    half = tuple(side // 2 for side in shape_zyx)
    gap, shade, cell = _cells(half, random)
    gap, shade = _double(gap), _double(shade)
    cells = np.where(gap > MEMBRANE / 2, np.kron(cell, np.ones((2, 2, 2), np.uint64)), np.uint64(0))
    gray = LUMEN + shade - DARK * np.exp(-np.square(gap / MEMBRANE))
    _add_mitochondria(gray, gap, random)
    _add_vesicles(gray, random)
    gray += random.standard_normal(shape_zyx, np.float32) * np.float32(NOISE)
    return Neuropil(np.clip(gray, 0, 255).astype(np.uint8), cells)


def _cells(half: tuple[int, ...], random: np.random.Generator) -> tuple[Field, Field, npt.NDArray[np.uint64]]:
    """(distance to the nearest border, shade of the cell, the cell) on every second voxel: a warped Voronoi diagram."""
    cell = np.array(CELL_ZYX, np.float32) / 2
    grid = [int(side // step) + 5 for side, step in zip(half, cell, strict=True)]
    centres = random.uniform(0, 1, (*grid, 3)).astype(np.float32)
    shades = random.normal(0, 10, grid).astype(np.float32)
    place = [axis / step + 2 for axis, step in zip(_warped(half, random), cell, strict=True)]
    home = [axis.astype(np.int32) for axis in place]
    nearest = np.full(half, np.inf, np.float32)
    second = nearest.copy()
    shade = np.zeros(half, np.float32)
    numbers = np.arange(1, shades.size + 1, dtype=np.uint64).reshape(shades.shape)
    number_of = np.zeros(half, np.uint64)
    for offset in product((-1, 0, 1), repeat=3):
        at = tuple(axis + step for axis, step in zip(home, offset, strict=True))
        centre = centres[at]
        distance = sum(
            np.square((axis - index - centre[..., number]) * cell[number])
            for number, (axis, index) in enumerate(zip(place, at, strict=True))
        )
        closer = distance < nearest
        second = np.where(closer, nearest, np.minimum(second, distance))
        nearest = np.where(closer, distance, nearest)
        shade = np.where(closer, shades[at], shade)
        number_of = np.where(closer, numbers[at], number_of)
    return (np.sqrt(second) - np.sqrt(nearest)).astype(np.float32), shade, number_of


def _warped(half: tuple[int, ...], random: np.random.Generator) -> list[Field]:
    """Coordinates z, y, x, bent by a few long waves so that no border is straight."""
    axes = np.meshgrid(*(np.arange(side, dtype=np.float32) for side in half), indexing="ij", sparse=True)
    bent = []
    for axis in axes:
        waves = (
            np.sin(sum(k * a for k, a in zip(random.normal(0, 0.09, 3), axes, strict=True)) + random.uniform(0, 6))
            for _ in range(3)
        )
        bent.append((axis + 1.8 * sum(waves)).astype(np.float32).clip(0, None))
    return bent


def _double(field: Field) -> Field:
    """Twice as many voxels along each axis, in between by the mean of two neighbours."""
    for axis in range(3):
        line = np.moveaxis(field, axis, 0)
        wide = np.empty((2 * len(line), *line.shape[1:]), np.float32)
        wide[::2] = line
        wide[1:-1:2] = (line[:-1] + line[1:]) / 2
        wide[-1] = line[-1]
        field = np.moveaxis(wide, 0, axis)
    return np.ascontiguousarray(field)


def _add_mitochondria(gray: Field, gap: Field, random: np.random.Generator) -> None:
    """Dark ellipsoids with striped insides, where no membrane is near."""
    for _ in range(gray.size // 150_000):
        radii = random.uniform((9, 5, 5), (18, 9, 9))
        centre = random.uniform(0, 1, 3) * gray.shape
        box, distance = _ball(gray.shape, centre, radii)
        stripes = 12 * np.sin(distance * 22)
        inside = (distance < 1) & (gap[box] > MEMBRANE)
        gray[box] -= np.where(inside, 45 + stripes - 25 * (distance > 0.8), 0).astype(np.float32)


def _add_vesicles(gray: Field, random: np.random.Generator) -> None:
    """Clouds of small dark rings."""
    for cloud in random.uniform(0, 1, (gray.size // 400_000, 3)) * gray.shape:
        for centre in random.normal(cloud, 7, (60, 3)):
            box, distance = _ball(gray.shape, centre, np.full(3, 2.6))
            gray[box] -= (40 * np.exp(-np.square((distance - 0.7) / 0.25))).astype(np.float32)


def _ball(shape: tuple[int, ...], centre: Point, radii: Point) -> tuple[tuple[slice, ...], Field]:
    """(box around an ellipsoid, cut to the volume; distance from its centre in radii)."""
    low = np.maximum(0, np.floor(centre - radii)).astype(int)
    high = np.maximum(low, np.minimum(shape, np.ceil(centre + radii) + 1).astype(int))
    box = tuple(map(slice, low, high))
    axes = np.ogrid[box]
    squares = (np.square((axis - c) / r) for axis, c, r in zip(axes, centre, radii, strict=True))
    return box, np.sqrt(sum(squares))
