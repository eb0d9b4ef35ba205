"""Blocks made of the voxels of another instance: as they are now, or at half the resolution.

The other instance may have blocks of another size.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from dvidpy.datatypes.base import type_named
from dvidpy.datatypes.events import BlocksChanged, Heard, LabelsMoved, Moved, noted
from dvidpy.datatypes.labelled.edits import editing
from dvidpy.datatypes.labelled.instance import LabelMap
from dvidpy.datatypes.labelled.intake import rewrite
from dvidpy.datatypes.labelled.raw.reading import Reading, begin, read_box
from dvidpy.datatypes.labels import blocks as codec
from dvidpy.datatypes.labels.blocks import LabelBlock
from dvidpy.datatypes.labels.downres import halved_with_background
from dvidpy.geometry import Box, Zyx


def hear_copied(data: LabelMap, heard: Heard) -> None:
    """What another labelled volume says that it changed is copied."""
    _hear(data, heard, halvings=0)


def hear_halved(data: LabelMap, heard: Heard) -> None:
    """The same, at half its resolution, where background has votes too."""
    _hear(data, heard, halvings=1)


def hear_finer(data: LabelMap, heard: Heard) -> None:
    """Voxels of another instance of its own type are halved. What any other tells is no matter of these voxels."""
    source = labelled_of(data, heard.source)
    if source is not None and source.instance.type == data.instance.type:
        hear_halved(data, heard)
    else:
        change = data.change()
        noted(data, change, heard)
        data.view.commit(change)


def _hear(data: LabelMap, heard: Heard, *, halvings: int) -> None:
    source, event = labelled_of(data, heard.source), heard.event
    with editing(data) as edit:
        if source is not None and isinstance(event, BlocksChanged):
            changed = (Box(block, (1, 1, 1)).voxels(event.block) for block in event.blocks)
            rewrite(edit, dict(made_of(source, changed, data.block, halvings)))
            edit.moved([Moved(label, 0, 0, 0) for label in event.labels if data.indexed and not edit.has(label)])
        elif isinstance(event, LabelsMoved):
            edit.moved(event.moves)
        noted(data, edit.change, heard)


def labelled_of(data: LabelMap, uuid: str) -> LabelMap | None:
    """A labelled volume of the repo, by the uuid of its data, at the same version; None where it is gone."""
    instance = data.datastore.catalogue.by_data(data.datastore.catalogue.repo(data.instance.repo), uuid)
    if instance is None:
        return None
    found = type_named(instance.type).subject(data.datastore, data.repo, data.node, instance, None)
    return found if isinstance(found, LabelMap) else None


def made_of(
    source: LabelMap, changed: Iterable[Box], block: Zyx, halvings: int = 0
) -> Iterator[tuple[Zyx, LabelBlock]]:
    """(index, block) of a volume with blocks of `block` voxels, for all that boxes of the source's voxels touch."""
    reading = begin(source)
    depth, height, width = (side << halvings for side in block)
    places = {place for box in changed for place in box.blocks((depth, height, width)).points()}
    for place in sorted(places):
        yield place, _made(reading, Box(place, (1, 1, 1)).voxels((depth, height, width)), halvings)


def _made(reading: Reading, box: Box, halvings: int) -> LabelBlock:
    voxels = read_box(reading, box)
    return codec.from_volume(halved_with_background(voxels) if halvings else voxels)
