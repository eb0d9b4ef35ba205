"""Merges and splits that are written into the voxels: a label that was merged away is nowhere in the blocks any more.

Which blocks an edit touches is known from the indices; each is written anew, indices and coarser scales in the same
step. Costs work and memory in proportion to these blocks.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager

import numpy as np
from numpy.typing import NDArray

from dvidpy.datatypes.events import Moved
from dvidpy.datatypes.labelled import blocks as stored_blocks
from dvidpy.datatypes.labelled import ids
from dvidpy.datatypes.labelled.edits import Edit, editing
from dvidpy.datatypes.labelled.instance import LabelMap
from dvidpy.datatypes.labelled.intake import rewrite
from dvidpy.datatypes.labelled.volumes import keep_volume
from dvidpy.datatypes.labels.block_keys import Keys, blocks_of, keys_of
from dvidpy.datatypes.labels.blocks import LabelBlock
from dvidpy.datatypes.labels.index import LabelIndex
from dvidpy.datatypes.labels.runs import dealt, voxels_in
from dvidpy.datatypes.labels.splits import Cut, split
from dvidpy.datatypes.voxels.volume import describe
from dvidpy.errors import BadRequest
from dvidpy.geometry import Box, Zyx, to_wire
from dvidpy.kernels.label_blocks import Labels
from dvidpy.kernels.label_runs import Runs


class Relabelled(LabelMap):
    """Labels without supervoxels: an edit of a label changes voxels."""

    __slots__ = ()

    tells_of_outside = False

    def editing(self) -> AbstractContextManager[Edit]:
        """An edit of what holds the voxels; nobody else edits it, or the indices, inside."""
        return editing(self)


def merge(data: Relabelled, labels: Labels) -> None:
    """Voxels of labels[1:] get the label labels[0], which may be new. Labels that no voxel has are passed over.

    BadRequest where there is nothing to merge, or the target is among the others.
    """
    target, *others = dict.fromkeys(labels.tolist()) or [0]
    if not others or target in labels[1:]:
        raise BadRequest("a merge takes a target, and labels other than it")
    with data.editing() as edit:
        parts = [index for index in map(data.find_index, others) if index is not None]
        keys = np.unique(np.concatenate([np.empty(0, np.int64), *(part.block_keys for part in parts)]))
        rewrite(edit, {place: _renamed(block, others, target) for place, block in _blocks(edit, keys)})
        edit.moved([Moved(part.label, target, part.voxels, 0) for part in parts])
        edit.say({"Action": "merge", "Target": target, "Labels": others})
        edit.say({"Action": "merge-complete"})


def split_off(data: Relabelled, label: int, runs: Runs, *, given: int | None = None) -> int:
    """Give the voxels of a label inside runs another label, a new one unless given; that label.

    Runs outside of it are left alone, but of a labelvol BadRequest, as in the reference; and where no voxel has the
    label. The new label is used up then.
    """
    volume = keep_volume(data, runs)
    with data.editing() as edit:
        new, index = _label_for(data, label, given), _need_index(data, label)
        cuts = {label: Cut(new, label)}
        masks = dict(dealt(runs, index.places, data.block))
        done = {place: split(block, masks[place], cuts) for place, block in _blocks(edit, keys_of([*masks]))}
        inner = sum(sizes[label].split for _, sizes in done.values() if label in sizes)
        _demand_within(data, label, runs, inner, "voxels")
        rewrite(edit, {place: block for place, (block, _) in done.items()})
        edit.moved(_moved(label, new, inner, index))
        _say_split(edit, "split", label, new, volume)
    return new


def split_off_blocks(data: Relabelled, label: int, runs: Runs, *, given: int | None = None) -> int:
    """The same of the voxels in some blocks: runs, in order, are runs of the block grid."""
    volume = keep_volume(data, runs)
    with data.editing() as edit:
        new, index = _label_for(data, label, given), _need_index(data, label)
        keys = index.block_keys[_among(index.block_keys, runs)]
        _demand_within(data, label, runs, len(keys), "blocks")
        inner = int(index.entries.voxels[np.isin(index.entries.blocks, keys)].sum())
        edit.moved(_moved(label, new, inner, index))
        rewrite(edit, {place: _renamed(block, [label], new) for place, block in _blocks(edit, keys)})
        _say_split(edit, "splitcoarse", label, new, volume)
    return new


def clear_blocks(data: Relabelled, label: int, box: Box) -> None:
    """Voxels of a label in a box of whole blocks have label 0 from now on, in this instance alone.

    BadRequest where the box is not made of whole blocks.
    """
    if not box.is_aligned(data.block):
        raise BadRequest(f"the box {describe(box)} is not made of whole blocks of {to_wire(data.block)} voxels")
    with editing(data) as edit:
        found, blocks = data.find_index(label) or LabelIndex(label), box.blocks(data.block)
        at = found.blocks
        inside = ((at >= np.array(blocks.start)) & (at < np.array(blocks.stop))).all(axis=1)
        rewrite(edit, {place: _renamed(one, [label], 0) for place, one in _blocks(edit, found.block_keys[inside])})


def _need_index(data: Relabelled, label: int) -> LabelIndex:
    found = data.find_index(label)
    if found is None:
        raise BadRequest(f"no voxel has label {label}")
    return found


def _demand_within(data: Relabelled, label: int, runs: Runs, inside: int, what: str) -> None:
    """BadRequest where runs, each voxel or block of them once, are not all of a label, and the type wants that."""
    if data.runs_alone and inside != voxels_in(runs):
        raise BadRequest(f"the volume is not a part of label {label}: {inside} of {voxels_in(runs)} {what} are")


def _label_for(data: Relabelled, label: int, given: int | None) -> int:
    """As in the reference a label that is given may be in use: the voxels join it."""
    if given == label:
        raise BadRequest(f"label {label} cannot be split off itself")
    if given is None:
        return ids.take_unused(data)
    ids.note_label(data, given)
    return given


def _moved(label: int, new: int, inner: int, index: LabelIndex) -> list[Moved]:
    """As in the reference a volume may have none of the label's voxels: then none moved."""
    return [Moved(label, new, inner, index.voxels - inner)] if inner else []


def _say_split(edit: Edit, action: str, label: int, new: int, volume: str) -> None:
    edit.use_labels(new)
    edit.say({"Action": action, "Target": label, "NewLabel": new, "Split": volume})
    edit.say({"Action": f"{action}-complete"})


# ---------------------------------------------------------------------- blocks
def _blocks(edit: Edit, keys: Keys) -> Iterator[tuple[Zyx, LabelBlock]]:
    """Blocks of full resolution that were written, as they are before the edit."""
    places = ((z, y, x) for z, y, x in blocks_of(keys).tolist())
    for place, found in stored_blocks.find(edit.data, 0, places):
        if found is not None:
            yield place, stored_blocks.load(edit.data, found)


def _renamed(block: LabelBlock, labels: list[int], new: int) -> LabelBlock:
    """A block in which some labels are another one; its voxels are not looked at."""
    found = block.labels.copy()
    found[np.isin(found, np.array(labels, np.uint64))] = new
    return block.with_labels(found)


def _among(keys: Keys, runs: Runs) -> NDArray[np.bool_]:
    """Which blocks lie in runs of the block grid, which are in order."""
    if not len(runs):
        return np.zeros(keys.size, np.bool_)
    heads = runs[:, 2::-1].astype(np.int64)
    place = np.searchsorted(keys_of(heads), keys, "right") - 1
    at = blocks_of(keys)
    same_row = (at[:, :2] == heads[place, :2]).all(axis=1)
    inside: NDArray[np.bool_] = (place >= 0) & same_row & (at[:, 2] - heads[place, 2] < runs[place, 3])
    return inside
