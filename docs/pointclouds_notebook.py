# %% [markdown]
# # Clouds of a segmentation, cell by cell
#
# Open this file as a notebook (VS Code, Jupytext) or run it: `python pointclouds_notebook.py [VOLUME.npz]`. Without a
# volume it makes one up. It takes dvidpy with `dvidpy[pointclouds]`, and no server.

# %%
import sys
import tempfile
import time

import numpy as np

from dvidpy.pointclouds import Ingestor, Query, StorageConfig, consolidate_optimized_indices, optimize_point_clouds

if len(sys.argv) > 1 and sys.argv[1].endswith(".npz"):
    with np.load(sys.argv[1]) as arrays:
        labels_zyx = arrays[arrays.files[0]]
else:
    seeds = np.random.default_rng(0).integers(0, 96, (40, 3))
    grid = np.indices((96, 96, 96)).reshape(3, -1).T
    nearest = np.argmin([((grid - seed) ** 2).sum(1) for seed in seeds], axis=0)
    labels_zyx = (nearest + 1).astype(np.uint64).reshape(96, 96, 96)
print(labels_zyx.shape, labels_zyx.dtype, f"{len(np.unique(labels_zyx))} labels")

# %% [markdown]
# ## Write: the voxels of surfaces, block by block
#
# A worker takes blocks of 64 voxels a side. A voxel lies on a surface where one of its six neighbours has another
# label; so a block is read with one voxel around it. `replace_block` may be called again for a block that was written
# before.

# %%
SIDE = 64


def surface(start):
    """(labels, points z, y, x) of the voxels on surfaces in a block."""
    start = np.array(start)
    stop = np.minimum(start + SIDE, labels_zyx.shape)
    low, high = np.maximum(start - 1, 0), np.minimum(stop + 1, labels_zyx.shape)
    around = labels_zyx[tuple(map(slice, low, high))]
    found = np.zeros(around.shape, bool)
    for axis in range(3):
        differs = np.diff(around, axis=axis) != 0
        rest = [slice(None)] * 3
        for part in (slice(None, -1), slice(1, None)):
            rest[axis] = part
            found[tuple(rest)] |= differs
    inside = tuple(map(slice, start - low, stop - low))
    found &= around != 0
    return around[inside][found[inside]], np.argwhere(found[inside]) + start


store = StorageConfig(base_path=tempfile.mkdtemp(prefix="clouds-"))
begin = time.perf_counter()
count = 0
with Ingestor(store, worker_id="one") as ingestor:
    for start in np.ndindex(*(-(-side // SIDE) for side in labels_zyx.shape)):
        labels, points = surface(np.array(start) * SIDE)
        ingestor.replace_block("_".join(map(str, start)), labels, points)
        count += len(points)
Ingestor.consolidate_indexes(store)
print(f"{count:,} points in {time.perf_counter() - begin:.1f} s")

# %% [markdown]
# ## Ask: the largest surface, whole and in a box

# %%
query = Query(store)
counts = {int(label): query.get_point_count(label) for label in query.get_labels()}
largest = max(counts, key=counts.get)
points = query.get_points(largest)
low, high = points.min(0), points.max(0) + 1
print(f"label {largest}: {len(points):,} points in {len(query.get_blocks_for_label(largest))} blocks")
print(f"from {low.tolist()} to {high.tolist()}, around {points.mean(0).round(1).tolist()}")
half = query.get_points(largest, box=(low, ((low + high) // 2 + 1)))
print(f"{len(half):,} of them in the first eighth of that box")
assert set(map(tuple, half)) <= set(map(tuple, points))
assert (labels_zyx[tuple(points.T)] == largest).all()

# %% [markdown]
# ## Which bodies touch the largest one?
#
# The voxels next to its surface, and whose they are.

# %%
neighbours = np.concatenate([points + step for step in (*np.eye(3, dtype=int), *-np.eye(3, dtype=int))])
neighbours = neighbours[((neighbours >= 0) & (neighbours < labels_zyx.shape)).all(1)]
touched, faces = np.unique(labels_zyx[tuple(neighbours.T)], return_counts=True)
order = [at for at in np.argsort(-faces) if touched[at] not in (0, largest)]
for at in order[:5]:
    print(f"label {touched[at]}: {faces[at]:,} faces")

# %% [markdown]
# ## Once more, label by label
#
# Where clouds are asked for often, `optimize_point_clouds` writes them together; workers may share the labels.

# %%
query.close()
optimize_point_clouds(store, f"{store.base_path}/unified_index.db", verbose=False)
consolidate_optimized_indices(store, verbose=False)
with Query(store) as query:
    assert query.using_optimized_data
    again, timing = query.get_points(largest, timing=True)
    assert np.array_equal(again, points)
    print(f"{len(again):,} points in {timing['total_time'] * 1000:.1f} ms from {timing['files_queried']} file")
