"""What the lists of labels make of events of the segmentation.

An event names blocks, or bodies that lost voxels and the blocks of these, if they are known. The elements there are
looked up anew in the segmentation as it is now, and go where they belong now; so later events, which are heard later,
find nothing that is wrong. An element that is posted after an edit and before its event is heard has its right label
already.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

import numpy as np

from dvidpy.datatypes.annotation import elements
from dvidpy.datatypes.annotation.book import read_placed
from dvidpy.datatypes.annotation.elements import Point
from dvidpy.datatypes.annotation.instance import Annotations
from dvidpy.datatypes.annotation.keys import ALL_BLOCKS, LABEL, label_prefix, placed_key
from dvidpy.datatypes.annotation.reading import walk
from dvidpy.datatypes.events import BlocksChanged, BodiesChanged, Event, Heard, noted
from dvidpy.geometry import Box, Zyx
from dvidpy.storage.keys import after

TOGETHER = 20_000
"""Elements that are looked up together; each such group is one edit, the last of them says that the event was heard."""

FEW = 16
"""Bodies whose lists are looked for while the segmentation is edited."""

Concerned = tuple[Point, int | None]
"""An element, and the label in whose list it was found, if it was found there."""


def hear(data: Annotations, heard: Heard) -> None:
    """Give the elements that an event concerns the labels they now have. Of none, not even a mark is written."""
    groups = _groups(_concerned(data, heard))
    group = next(groups, [])
    while group:
        following = next(groups, [])
        with data.editing() as edit:
            book = edit.book()
            labels = edit.labels_at(np.array([at for at, _ in group], np.int64))
            for (at, listed), label in zip(group, labels.tolist(), strict=True):
                if label != listed:
                    book.relabel(at, label)
            edit.state = None
            edit.add(book)
            if not following:
                edit.also = lambda change: noted(data, change, heard)
        group = following


def is_concerned(data: Annotations, event: Event) -> bool:
    """Whether elements may lie where an event says that labels changed."""
    if isinstance(event, BlocksChanged):
        return data.view.ever_held(*ALL_BLOCKS)
    if not isinstance(event, BodiesChanged) or not data.view.ever_held(LABEL, after(LABEL)):
        return False
    prefixes = map(label_prefix, event.bodies)
    return len(event.bodies) > FEW or any(data.view.ever_held(prefix, after(prefix)) for prefix in prefixes)


def _concerned(data: Annotations, heard: Heard) -> Iterator[Concerned]:
    """Elements whose label may be another now; some may come twice."""
    still = data.frozen()
    if isinstance(heard.event, BlocksChanged):
        for block in heard.event.blocks:
            yield from _in_blocks(still, Box(block, (1, 1, 1)).voxels(heard.event.block))
    changed = [event for event in heard.events if isinstance(event, BodiesChanged)]
    whole = dict.fromkeys(body for event in changed if not event.within for body in event.bodies)
    for body in whole:
        prefix = label_prefix(body)
        for _, found in still.view.range(prefix, after(prefix)):
            yield from ((one.Pos, body) for one in elements.read_points(found.read()))
    yield from _near(still, changed, whole.keys())


def _near(data: Annotations, changed: Iterable[BodiesChanged], but: Collection[int]) -> Iterator[Concerned]:
    """Elements of bodies where voxels of these may have gone to others, but of some bodies."""
    wanted: dict[Zyx, set[int]] = {}
    for event in changed:
        for block in event.within:
            for place in Box(block, (1, 1, 1)).voxels(event.block).blocks(data.block).points():
                wanted.setdefault(place, set()).update(event.bodies)
    for bodies, found in zip(wanted.values(), data.view.find_many(map(placed_key, wanted)), strict=True):
        if found is not None:
            placed = read_placed(found.read()).items()
            yield from ((at, label) for at, (_, label) in placed if label in bodies and label not in but)


def _in_blocks(data: Annotations, voxels: Box) -> Iterator[Concerned]:
    (z, y, x), (zz, yy, xx) = voxels.start, voxels.stop
    for _, found in walk(data, voxels):
        for at in elements.read_list(found.read()):
            if x <= at[0] < xx and y <= at[1] < yy and z <= at[2] < zz:
                yield at, None


def _groups(concerned: Iterable[Concerned]) -> Iterator[list[Concerned]]:
    group: list[Concerned] = []
    for one in concerned:
        group.append(one)
        if len(group) == TOGETHER:
            yield group
            group = []
    if group:
        yield group
