"""`python -m benchmarks.kernels [VOLUME.npz]`: what a voxel costs in each step over label blocks, in nanoseconds.

CPU time of one thread, the best of some passes over blocks of 64^3: those of a made-up segmentation, or of the array
`labels` of a file. Every pass has all blocks, none is warm in a cache.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dvidpy.datatypes.labels import blocks, index, runs, segmentation, several, splits
from dvidpy.datatypes.labels.block_keys import keys_of
from dvidpy.datatypes.labels.blocks import LabelBlock
from dvidpy.datatypes.labels.downres import downres
from dvidpy.datatypes.labels.index import Entries, LabelIndex
from dvidpy.datatypes.labels.mappings import Mapping
from dvidpy.datatypes.labels.masks import mask_of_runs, masks_of
from dvidpy.datatypes.voxels.cutting import cut

SIDE, PASSES = 64, 5
SIZE = (SIDE, SIDE, SIDE)
Labels = NDArray[np.uint64]
Steps = Iterator[tuple[str, Callable[[], object]]]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.kernels", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("volume", nargs="?", type=Path, help="npz file with an array `labels` (z, y, x)")
    parser.add_argument("--side", type=int, default=256, help="voxels along each side that are measured")
    options = parser.parse_args()
    volume = _read(options.volume, options.side) if options.volume else made_up(options.side)
    pieces = [piece for _, piece in cut(volume, (0, 0, 0), SIZE)]
    found = [blocks.from_volume(piece) for piece in pieces]
    size = sum(len(block.encode()) for block in found) / len(found)
    labels = np.median([block.labels.size for block in found])
    print(f"{len(found)} blocks, {size / 1000:.1f} kB and {labels:.0f} labels in a middling one")
    for name, step in steps(pieces, found):
        print(f"{name:<44} {best(step) / volume.size * 1e9:8.3f} ns/voxel")
    for name, step in index_steps():
        print(f"{name:<44} {best(step) * 1e3:8.2f} ms")


def _read(path: Path, side: int) -> Labels:
    with np.load(path) as file:
        return np.asarray(file["labels"][:side, :side, :side], np.uint64)


def made_up(side: int) -> Labels:
    """Warped cells around random points: about 40 labels a block."""
    draw = np.random.default_rng(1)
    cells = (side // 20) ** 3
    seeds = draw.random((cells, 3)) * side
    bins = np.zeros((side // 16 + 2,) * 3, np.int64)
    bins[tuple((seeds / 16 + 0.5).astype(int).T)] = np.arange(1, cells + 1)
    wave = np.sin(np.arange(side) / 9) * 5
    z, y, x = np.meshgrid(*[np.arange(side)] * 3, indexing="ij", sparse=True)
    places = [
        np.clip((at + wave[other]) / 16 + 0.5, 0, side // 16 + 1).astype(int) for at, other in ((z, y), (y, x), (x, z))
    ]
    return np.asarray(draw.integers(1, 2**40, cells + 1, np.uint64)[bins[tuple(places)]], np.uint64)


def best(step: Callable[[], object]) -> float:
    """Seconds of CPU."""
    step()
    seconds = []
    for _ in range(PASSES):
        start = time.process_time()
        step()
        seconds.append(time.process_time() - start)
    return min(seconds)


def steps(pieces: list[Labels], found: list[LabelBlock]) -> Steps:
    """Each over all blocks."""
    packed = [block.encode() for block in found]
    room = np.empty(SIZE, np.uint64)
    known = np.unique(np.concatenate([block.labels for block in found]))
    mapping = Mapping(known, known + np.uint64(7))
    target = int(max(found, key=lambda block: block.labels.size).labels[0])
    wanted = np.array([target], np.uint64)
    tenth = known[::10]
    half = mask_of_runs(np.array([(0, y, z, 32) for y in range(SIDE) for z in range(SIDE)], np.int32), (0, 0, 0), SIZE)
    cuts = {target: splits.Cut(1, 2)}

    def read() -> Iterator[LabelBlock]:
        return (blocks.parse(one, SIZE) for one in packed)

    def paste(block: LabelBlock) -> Labels:
        blocks.paste(block, (0, 0, 0), room, (0, 0, 0))
        return room

    def trace(labels: Labels) -> object:
        return runs.traced(masks_of(several.together([((0, 0, x), block) for x, block in enumerate(read())]), labels))

    yield "encode", lambda: [blocks.from_volume(piece).encode() for piece in pieces]
    yield "decode", lambda: [paste(block) for block in read()]
    yield "decode with a mapping", lambda: [paste(one.with_labels(mapping.apply(one.labels))) for one in read()]
    yield "count per label", lambda: [blocks.count(block) for block in read()]
    yield "runs of one label", lambda: trace(wanted)
    yield "runs of a tenth of the labels", lambda: trace(tenth)
    yield "halve eight blocks", lambda: [downres([*read()][at : at + 8], SIZE) for at in range(0, len(packed), 8)]
    yield "relabel the head", lambda: [one.with_labels(mapping.apply(one.labels)).encode() for one in read()]
    yield "split one label by a mask", lambda: [splits.split(block, half, cuts) for block in read()]
    yield "compressed segmentation", lambda: [segmentation.encode(piece) for piece in pieces]
    yield "compressed segmentation of blocks", lambda: [segmentation.from_block(block) for block in read()]
    yield "mapping of plain voxels", lambda: [mapping.apply(piece) for piece in pieces]


def index_steps() -> Steps:
    """An index of 10,000 blocks with 20 supervoxels each."""
    draw, number = np.random.default_rng(1), 200_000
    places = np.stack(np.unravel_index(np.arange(number) // 20, (22, 22, 22)), 1).astype(np.int64)
    supervoxels = draw.integers(1, 2**34, number, np.uint64)
    entries = Entries(keys_of(places), supervoxels, draw.integers(1, 20_000, number))
    made = index.added(LabelIndex(5), entries)
    data, some = made.encode(), made.supervoxels[::3]
    gone, remain = index.parted(made, some)
    yield f"index of {len(data) / 1e6:.1f} MB: decode", lambda: index.decode(data)
    yield "index: encode", made.encode
    yield "index: supervoxels and sizes", made.sizes
    yield "index: cleave a third", lambda: index.parted(made, some)
    yield "index: merge it back", lambda: index.merged(remain, [gone])
    picked = blocks.group_by_block(draw.integers(0, 1 << 12, (10_000, 3)), SIZE)
    block = blocks.from_volume(made_up(SIDE))
    whole = several.together([(group.block, block) for group in picked])
    points = [group.points for group in picked]
    yield f"10,000 points in {len(picked)} blocks", lambda: several.labels_at(whole, points)


if __name__ == "__main__":
    main()
