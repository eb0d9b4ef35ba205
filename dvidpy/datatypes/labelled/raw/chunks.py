"""Labels as other formats show them: chunks of every scale (`views.volumes`)."""

from __future__ import annotations

from dvidpy.datatypes.exchange import Body
from dvidpy.datatypes.labelled.blocks import demand_answerable, load
from dvidpy.datatypes.labelled.instance import LabelMap
from dvidpy.datatypes.labelled.raw.reading import Reading, begin, layers, read_box
from dvidpy.datatypes.labels import segmentation
from dvidpy.datatypes.labels.blocks import LabelBlock, solid
from dvidpy.datatypes.views.volumes import Level, in_nanometers
from dvidpy.datatypes.voxels.streams import view_of
from dvidpy.geometry import Box, box_between
from dvidpy.kernels.label_blocks import SIDE, Labels

RAW, COMPRESSED = "raw", "compressed_segmentation"
ENCODINGS = (COMPRESSED, RAW)


def levels_of(data: LabelMap) -> list[Level]:
    """All scales of an instance."""
    finest = in_nanometers(data.voxel_size, data.instance.settings["VoxelUnits"])
    extents = data.extents()
    return [
        Level(data, data.block, extents.halved(scale), [side * 2**scale for side in finest])
        for scale in range(data.scales + 1)
    ]


def labels_of(data: LabelMap, scale: int, box: Box) -> Labels:
    """(z, y, x) bodies of a box."""
    demand_answerable(data, box.volume, box.blocks(data.block).volume)
    return read_box(begin(data, scale=scale), box)


def chunk_of(data: LabelMap, scale: int, box: Box, encoding: str) -> Body:
    """A chunk; a raw one in pieces. A compressed one that is a whole block is made without looking at its voxels."""
    if encoding == RAW:
        demand_answerable(data, box.volume, box.blocks(data.block).volume)
        return (view_of(layer) for layer in layers(begin(data, scale=scale), box))
    if box.size == data.block and box.is_aligned(data.block):
        return segmentation.from_block(_whole_block(begin(data, scale=scale), box))
    return segmentation.encode(labels_of(data, scale, _padded(box)))


def _whole_block(reading: Reading, box: Box) -> LabelBlock:
    found = next(reading.found(box.blocks(reading.data.block)), None)
    return solid(0, reading.data.block) if found is None else reading.relabelled(load(reading.data, found[1]))


def _padded(box: Box) -> Box:
    """With sides of whole sub-blocks: a clipped chunk has them too, readers pass over the rest."""
    return box_between(box.start, [at + -(-side // SIDE) * SIDE for at, side in zip(*box, strict=True)])
