"""Volumes and slices as they are sent."""

from __future__ import annotations

import numpy as np

from dvidpy.datatypes.exchange import OCTETS, WHOLE, Reply, octets, pieces_reply
from dvidpy.datatypes.labelled.blocks import demand_answerable
from dvidpy.datatypes.labelled.raw.reading import Reading, layers, read_box, shared_layers
from dvidpy.datatypes.labels import packing, segmentation
from dvidpy.datatypes.labels.downres import halved
from dvidpy.datatypes.voxels.planes import Plane
from dvidpy.datatypes.voxels.resample import source_size
from dvidpy.datatypes.voxels.streams import view_of
from dvidpy.errors import BadRequest
from dvidpy.geometry import Box, Zyx, box_between
from dvidpy.kernels.label_blocks import Labels

PLAIN, LZ4, GZIP, GOOGLE, GOOGLE_GZIP = "", "lz4", "gzip", "google", "googlegzip"
FORMS = (PLAIN, LZ4, GZIP, GOOGLE, GOOGLE_GZIP)
SEGMENTATIONS = (GOOGLE, GOOGLE_GZIP)
"""Those that Neuroglancer asks for."""
LONGEST_LZ4 = 0x7E000000
"""Bytes that one LZ4 block can hold."""


def demand_form(form: str) -> str:
    """A way that volumes are sent; BadRequest for others."""
    if form not in FORMS:
        raise BadRequest(f"{form[:40]!r} is no compression of voxels; there are lz4, gzip, google, googlegzip and none")
    return form


def volume_reply(reading: Reading, box: Box, form: str) -> Reply:
    """The labels of a box. BadRequest where it is one block that was never written, and lz4 or gzip is asked, but of a
    labelblk.
    """
    data = reading.data
    demand_answerable(data, box.volume, box.blocks(data.block).volume)
    if form in (LZ4, GZIP) and data.has_scales:
        _demand_written(reading, box)
    if form == PLAIN and box.volume * 8 <= WHOLE:
        return octets(view_of(read_box(reading, box)))
    if form == PLAIN:
        return pieces_reply(map(view_of, layers(reading, box)), OCTETS, box.volume * 8)
    if form == GZIP:
        return pieces_reply(packing.join_gzip(shared_layers(reading, box, _gzip_part)), OCTETS)
    if form == LZ4:
        if box.volume * 8 > LONGEST_LZ4:
            raise BadRequest(f"{box.volume * 8} bytes are more than one LZ4 block can hold, {LONGEST_LZ4}")
        return Reply(packing.join_lz4(shared_layers(reading, box, _lz4_part)), OCTETS)
    return _segmentation_reply(reading, box, form)


def _demand_written(reading: Reading, box: Box) -> None:
    """As in the reference, whose labelblk sends no block as it lies. Viewers, which ask for `google`, get zeros: they
    take an error for a broken source.
    """
    blocks = box.blocks(reading.data.block)
    alone = blocks.volume == 1 and box.is_aligned(reading.data.block) and reading.mask is None
    if alone and next(reading.found(blocks), None) is None:
        raise BadRequest(f"block {[*blocks.start[::-1]]} of scale {reading.scale} was never written")


def _lz4_part(labels: Labels) -> packing.Lz4Part:
    return packing.lz4_part(view_of(labels))


def _gzip_part(labels: Labels) -> packing.GzipPart:
    return packing.gzip_part(view_of(labels))


def _segmentation_reply(reading: Reading, box: Box, form: str) -> Reply:
    segmentation.demand_sides(box.size)
    return _packed_segmentation(read_box(reading, box), form)


def halved_reply(reading: Reading, box: Box, form: str) -> Reply:
    """A box of the next scale, which the instance does not keep, of the voxels below it."""
    segmentation.demand_sides(box.size)
    below = box_between([2 * at for at in box.start], [2 * at for at in box.stop])
    return _packed_segmentation(halved(_answerable(reading, below)), form)


def _packed_segmentation(labels: Labels, form: str) -> Reply:
    body = segmentation.encode(labels)
    if form == GOOGLE:
        return Reply(body, OCTETS)
    return Reply(packing.pack(body, GZIP), OCTETS, headers=[(b"content-encoding", b"gzip")])


# ---------------------------------------------------------------------- slices
def read_slice(reading: Reading, plane: Plane, size: tuple[int, int], start: Zyx, *, isotropic: bool) -> Labels:
    """(height, width) labels of a slice; the isotropic one repeats labels where voxels are longer than pixels."""
    width, height = size
    demand_answerable(reading.data, width * height, 0)
    if not isotropic:
        return plane.picture(_answerable(reading, plane.box(width, height, start)))
    resolution = reading.data.voxel_size[::-1]
    source = source_size(width, height, resolution[plane.across], resolution[plane.down])
    found = plane.picture(_answerable(reading, plane.box(*source, start)))
    rows, columns = (np.arange(n) * have // n for n, have in zip((height, width), found.shape, strict=True))
    stretched: Labels = found[rows[:, None], columns]
    return stretched


def _answerable(reading: Reading, box: Box) -> Labels:
    demand_answerable(reading.data, box.volume, box.blocks(reading.data.block).volume)
    return read_box(reading, box)
