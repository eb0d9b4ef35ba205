"""Label volumes changed voxel by voxel: labels chosen by a mask, and half the resolution by vote."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dvidpy.kernels.jit import kernel
from dvidpy.kernels.label_blocks import Labels
from dvidpy.kernels.label_reads import Bits
from dvidpy.kernels.label_runs import voxels_of


def choose(places: Labels, bits: Bits, labels: Labels) -> NDArray[np.int64]:
    """Turn places among the labels of a block into labels, by a mask; (n, 2) voxels of each label outside and inside.

    Args:
        places: (z, y, x), C-contiguous, each below n; changed to labels.
        bits: masks of its sub-blocks.
        labels: (n, 2): the label that each place stands for outside the mask, and inside.
    """
    voxels = np.zeros(labels.shape, np.int64)
    _choose(places, bits, labels, voxels)
    return voxels


def vote(labels: Labels, out: Labels) -> None:
    """Half the resolution: of each 2 x 2 x 2 voxels the label with most votes; the smaller one of several.

    Label 0 has no vote; it is left where nobody has. `labels` is a (z, y, x) array, `out` one with half its sides;
    both may have any strides.
    """
    _vote(labels, out)


@kernel(
    "void(uint64[:, :, ::1], Array(uint8, 2, 'C', readonly=True), Array(uint64, 2, 'C', readonly=True), int64[:, ::1])"
)
def _choose(places: Any, bits: Any, labels: Any, voxels: Any) -> None:
    depth, height, width = places.shape
    for z in range(depth):
        for y in range(height):
            cube = ((z >> 3) * (height >> 3) + (y >> 3)) * (width >> 3)
            row = (z & 7) * 8 + (y & 7)
            for x in range(width):
                side = (bits[cube + (x >> 3), row] >> (x & 7)) & 1
                place = np.int64(places[z, y, x])
                places[z, y, x] = labels[place, side]
                voxels[place, side] += 1


def choose_plain(places: Labels, bits: Bits, labels: Labels, voxels: NDArray[np.int64]) -> None:
    """The plain twin."""
    depth, height, width = places.shape
    side = voxels_of(bits, (depth // 8, height // 8, width // 8)).astype(np.int64)
    np.add.at(voxels, (places, side), 1)
    places[...] = labels[places, side]


@kernel("void(Array(uint64, 3, 'A', readonly=True), uint64[:, :, :])")
def _vote(labels: Any, out: Any) -> None:
    depth, height, width = out.shape
    votes = np.empty(8, np.uint64)
    for z in range(depth):
        for y in range(height):
            one, two = labels[2 * z, 2 * y], labels[2 * z, 2 * y + 1]
            three, four = labels[2 * z + 1, 2 * y], labels[2 * z + 1, 2 * y + 1]
            for x in range(width):
                a, b, c, d = one[2 * x], one[2 * x + 1], two[2 * x], two[2 * x + 1]
                e, f, g, h = three[2 * x], three[2 * x + 1], four[2 * x], four[2 * x + 1]
                if ((a ^ b) | (a ^ c) | (a ^ d) | (a ^ e) | (a ^ f) | (a ^ g) | (a ^ h)) == 0:
                    out[z, y, x] = a
                    continue
                votes[0], votes[1], votes[2], votes[3] = a, b, c, d
                votes[4], votes[5], votes[6], votes[7] = e, f, g, h
                best, most = np.uint64(0), 0
                for i in range(8):
                    if votes[i] == 0 or (votes[i] == best and most):
                        continue
                    number = 0
                    for j in range(8):
                        number += votes[j] == votes[i]
                    if number > most or (number == most and votes[i] < best):
                        best, most = votes[i], number
                    if most > 4:
                        break
                out[z, y, x] = best


def vote_plain(labels: Labels, out: Labels) -> None:
    """The plain twin: the most votes, then the smallest label."""
    depth, height, width = out.shape
    eight = labels.reshape(depth, 2, height, 2, width, 2).transpose(0, 2, 4, 1, 3, 5).reshape(-1, 8)
    votes = (eight[:, :, None] == eight[:, None, :]).sum(axis=2) * (eight != 0)
    top = votes == votes.max(axis=1, keepdims=True)
    best = np.where(top, eight, np.uint64(2**64 - 1)).min(axis=1)
    out[...] = np.where(votes.any(axis=1), best, np.uint64(0)).reshape(out.shape)
