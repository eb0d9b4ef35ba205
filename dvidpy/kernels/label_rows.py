"""Entries of the indices of many bodies as rows: what was there and what changes, made one."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dvidpy.kernels.jit import kernel
from dvidpy.kernels.label_index import Numbers

Rows = NDArray[np.int64]
"""(n, 3) owner, block, voxels; the labels of the rows beside it."""


def merge(some: Rows, labels: Numbers, others: Rows, other_labels: Numbers) -> tuple[Rows, Numbers]:
    """Two lists, each in the order of owner, block and label, as one; equal rows become one with the sum of voxels.

    Rows whose sum is not above 0 are left out.
    """
    out, out_labels = np.empty((len(some) + len(others), 3), np.int64), np.empty(len(some) + len(others), np.uint64)
    size = _merge(some, labels, others, other_labels, out, out_labels)
    return out[:size], out_labels[:size]


@kernel(
    "int64(Array(int64, 2, 'C', readonly=True), Array(uint64, 1, 'C', readonly=True),"
    "Array(int64, 2, 'C', readonly=True), Array(uint64, 1, 'C', readonly=True), int64[:, ::1], uint64[::1])"
)
def _merge(some: Any, labels: Any, others: Any, other_labels: Any, out: Any, out_labels: Any) -> Any:
    i, j, size = 0, 0, 0
    while i < some.shape[0] or j < others.shape[0]:
        order = 0  # which comes first: -1 of some, 1 of the others, 0 both are one
        if j == others.shape[0]:
            order = -1
        elif i == some.shape[0]:
            order = 1
        elif some[i, 0] != others[j, 0]:
            order = -1 if some[i, 0] < others[j, 0] else 1
        elif some[i, 1] != others[j, 1]:
            order = -1 if some[i, 1] < others[j, 1] else 1
        elif labels[i] != other_labels[j]:
            order = -1 if labels[i] < other_labels[j] else 1
        voxels = 0
        if order <= 0:
            out[size, 0], out[size, 1], out_labels[size] = some[i, 0], some[i, 1], labels[i]
            voxels += some[i, 2]
            i += 1
        if order >= 0:
            out[size, 0], out[size, 1], out_labels[size] = others[j, 0], others[j, 1], other_labels[j]
            voxels += others[j, 2]
            j += 1
        out[size, 2] = voxels
        if voxels > 0:
            size += 1
    return size


def merge_plain(
    some: Rows, labels: Numbers, others: Rows, other_labels: Numbers, out: Rows, out_labels: Numbers
) -> int:
    """The plain twin."""
    sums: dict[tuple[int, int, int], int] = {}
    for rows, names in ((some, labels), (others, other_labels)):
        for (owner, block, voxels), label in zip(rows.tolist(), names.tolist(), strict=True):
            sums[owner, block, label] = sums.get((owner, block, label), 0) + voxels
    kept = sorted((key, voxels) for key, voxels in sums.items() if voxels > 0)
    for at, ((owner, block, label), voxels) in enumerate(kept):
        out[at], out_labels[at] = (owner, block, voxels), label
    return len(kept)
