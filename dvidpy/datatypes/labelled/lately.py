"""Blocks that single voxels were asked of lately. Who clicks through a volume clicks near the last place."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from dvidpy.datatypes.labels.blocks import LabelBlock

KEPT = 16
"""Blocks of an instance that stay unpacked: a megabyte, of a usual segmentation."""


class Lately:
    """For one thread, the event loop. What it keeps is compared with what is stored, so that no edit need tell it."""

    def __init__(self) -> None:
        self._blocks: OrderedDict[bytes, tuple[bytes, LabelBlock]] = OrderedDict()
        """By key: bytes as they were stored, and unpacked."""

    def block(self, key: bytes, stored: bytes, load: Callable[[], LabelBlock]) -> LabelBlock:
        """The block that is stored so under a key, as `load` would give it."""
        kept = self._blocks.get(key)
        if kept is not None and kept[0] == stored:
            self._blocks.move_to_end(key)
            return kept[1]
        block = load()
        self._blocks[key] = stored, block
        self._blocks.move_to_end(key)
        if len(self._blocks) > KEPT:
            self._blocks.popitem(last=False)
        return block
