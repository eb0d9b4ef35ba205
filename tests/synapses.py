"""Synapses on real boundaries between bodies: the same ones in every run.

A pair is a PreSyn element in a body and a PostSyn element in another one, in voxels that touch along an axis, each
related to the other. Half of them have swapped roles; tags and a confidence are drawn. No voxel has two elements.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

SEED = 20240607
SPARE = 2
"""Boundaries drawn for each pair: some share a voxel, and all but one of those are dropped."""
TAGS = ("traced", "review", "auto", "two words")
Labels = NDArray[np.unsignedinteger[Any]]
Points = NDArray[np.int64]


def pairs(labels: Labels, count: int, seed: int = SEED) -> tuple[Points, Points]:
    """Points (count, 3) x, y, z of both sides of `count` boundaries of a volume z, y, x between labels other than 0."""
    chance = np.random.default_rng(seed)
    starts, steps = _boundaries(labels)
    chosen = chance.choice(len(starts), min(len(starts), SPARE * count), replace=False)
    sides = np.stack([starts[chosen], starts[chosen] + steps[chosen]])
    swapped = chance.random(len(chosen)) < 0.5
    sides[:, swapped] = sides[::-1, swapped]
    _, first = np.unique(sides.T.ravel(), return_index=True)
    own = np.zeros(2 * len(chosen), np.bool_)
    own[first] = True
    kept = np.flatnonzero(own.reshape(-1, 2).all(axis=1))[:count]
    if len(kept) < count:
        raise ValueError(f"the volume has boundaries for {len(kept)} pairs, not {count}")
    pre, post = (_points(side[kept], labels.shape) for side in sides)
    return pre, post


def _boundaries(labels: Labels) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(place of a voxel in the flat volume, step to the one it touches, of another label) of all boundaries."""
    starts, steps = [], []
    for axis in range(3):
        low = labels[tuple(slice(None, -1) if a == axis else slice(None) for a in range(3))]
        high = labels[tuple(slice(1, None) if a == axis else slice(None) for a in range(3))]
        found = np.nonzero((low != high) & (low != 0) & (high != 0))
        starts.append(np.ravel_multi_index(found, labels.shape).astype(np.int64))
        steps.append(np.full(len(found[0]), int(np.prod(labels.shape[axis + 1 :])), np.int64))
    return np.concatenate(starts), np.concatenate(steps)


def _points(places: NDArray[np.int64], shape: tuple[int, ...]) -> Points:
    return np.stack(np.unravel_index(places, shape)[::-1], axis=1).astype(np.int64)


def posted(pre: Points, post: Points, seed: int = SEED) -> bytes:
    """The JSON list of their elements, as clients post it."""
    chance = np.random.default_rng(seed)
    tags = chance.integers(0, len(TAGS) + 1, (len(pre), 2)).tolist()
    sure = chance.integers(1, 100, len(pre)).tolist()
    out = []
    for one, other, (first, second), percent in zip(pre.tolist(), post.tolist(), tags, sure, strict=True):
        prop = {"conf": f"0.{percent:02d}", "user": "generator"}
        for at, to, kind, rel, tag in (
            (one, other, "PreSyn", "PreSynTo", first),
            (other, one, "PostSyn", "PostSynTo", second),
        ):
            out.append({"Pos": at, "Kind": kind, "Tags": list(TAGS[tag : tag + 1]), "Prop": prop})
            out[-1]["Rels"] = [{"Rel": rel, "To": to}]
    return orjson.dumps(out)
