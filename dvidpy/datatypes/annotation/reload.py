"""Lists of tags and labels made again from the blocks: after blocks were posted as they are, when other labels are
followed, or after a merge of versions; and looked at by `dvidpy check`.

One task a layer of places, so that memory is bounded and the pending tasks tell how far it is. Edits go on meanwhile:
each layer is made again in one edit, and only what differs is written.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import structlog
from numpy.typing import NDArray

from dvidpy.datatypes.annotation import elements
from dvidpy.datatypes.annotation.book import Book, read_placed, read_related
from dvidpy.datatypes.annotation.instance import Annotations, Edit, State
from dvidpy.datatypes.annotation.keys import (
    ALL_BLOCKS,
    LISTS,
    PLACED_IN,
    RELATED_TO,
    STATE,
    TAG,
    blocks_of_place,
    place_in,
)
from dvidpy.datatypes.annotation.reading import walk
from dvidpy.datatypes.events import ROW, pending, subject_of
from dvidpy.errors import Busy
from dvidpy.geometry import HIGHEST, LOWEST, box_between
from dvidpy.versioning.commits import Change
from dvidpy.versioning.datastore import Datastore
from dvidpy.versioning.queue import Task
from dvidpy.versioning.records import Instance, Node

RELOAD = "reload annotations"
"""Kind of its tasks; `layer` is the z of places, the `number`th of `of`, of the reload number `reload`."""
DERIVED = (TAG, STATE)
"""Type keys of lists: from the first class on, up to the state."""


# ---------------------------------------------------------------------- asking
def ask(data: Annotations, *, check: bool = False) -> None:
    """Ask for all lists to be made again, in the background."""
    with data.editing({"Action": "reload"}) as edit:
        edit.state = State(stale=True, reload=edit.mutation)
        layers = sorted(layers_of(data)) or [0]
        queue = data.datastore.stack_of(data.instance).queue
        for number, layer in enumerate(layers):
            args = {"layer": layer, "number": number, "of": len(layers), "reload": edit.mutation, "check": check}
            queue.add(edit.change, Task(RELOAD, data.instance.number, data.version, args))


def layers_of(data: Annotations) -> set[int]:
    """Layers of places where there is something."""
    depth = blocks_of_place(data.block)[0]
    layers = {place_in(key)[0] // depth for key in data.view.keys(*ALL_BLOCKS)}
    return layers | {_layer_of(key, depth) for key in data.view.keys(*DERIVED)}


def _layer_of(key: bytes, depth: int) -> int:
    z = place_in(key)[0]
    return z // depth if key[:1] == PLACED_IN else z


def progress(data: Annotations) -> dict[str, int] | None:
    """How many layers are made, of how many; None where no reload is under way."""
    queue = data.datastore.stack_of(data.instance).queue
    for _, task in queue.pending():
        if (task.kind, task.instance, task.version) == (RELOAD, data.instance.number, data.version):
            return {"Done": task.args["number"], "Of": task.args["of"]}
    return None


def settle(datastore: Datastore, instance: Instance, node: Node) -> None:
    """A merge brought together elements of several parents: their lists are made again."""
    data = subject_of(datastore, instance.number, node.version)
    if isinstance(data, Annotations) and instance.versioned and not data.is_empty():
        ask(data)


def follow_anew(data: Annotations) -> None:
    """What it follows was set: lists of other labels, or of none, are made again in all versions that are open.

    Lists that were posted as they are stay until somebody asks for a reload.
    """
    gates, nodes = data.datastore.gates, data.datastore.catalogue.repo(data.instance.repo).nodes
    for number in list(nodes) if data.instance.versioned else [data.version]:
        try:
            gates.enter(number)
        except Busy:  # it is being committed
            continue
        try:
            here = subject_of(data.datastore, data.instance.number, number)
            if isinstance(here, Annotations) and not (here.node.locked and here.instance.versioned):
                _follow_anew(here)
        finally:
            gates.leave(number)


def _follow_anew(data: Annotations) -> None:
    state, source = data.state(), data.label_source()
    if state.stale or state.labels == source or data.is_empty():
        return
    if source:
        ask(data)
        return
    with data.editing() as edit:  # events go by unheard from now on
        edit.state = State()


# ---------------------------------------------------------------------- doing
def work(datastore: Datastore, task: Task, change: Change) -> None:
    """Make the lists of one layer again; nothing where the instance is gone. `change` only removes the task."""
    data = subject_of(datastore, task.instance, task.version)
    if not isinstance(data, Annotations):
        return
    with data.editing() as edit:
        wrong = 0
        for key, value in differences(data, edit, task.args["layer"]):
            wrong += 1
            if value is None:
                data.view.delete(edit.change, key)
            else:
                data.view.put(edit.change, key, value)
        if wrong and task.args.get("check"):
            structlog.get_logger().warning("lists were wrong", instance=data.instance.name, rows=wrong, **task.args)
        edit.state = _after(data, task)


def _after(data: Annotations, task: Task) -> State | None:
    """The lists are good when all layers are made, unless blocks were posted, or another reload began, meanwhile."""
    last = task.args["number"] + 1 == task.args["of"]
    if last and data.state().reload == task.args["reload"]:
        return State(labels=data.label_source())
    return None


def differences(data: Annotations, edit: Edit, layer: int) -> Iterator[tuple[bytes, bytes | None]]:
    """(type key, what should be stored) of all in a layer that is not as it should be; what labels gain goes along."""
    book = _wanted(data, edit, layer)
    wanted = {key: book.stored(key) for key in book.everything()}
    depth = blocks_of_place(data.block)[0]
    there = {key for key in data.view.keys(*DERIVED) if _layer_of(key, depth) == layer}
    for key in sorted(there | wanted.keys()):
        stored, value = data.view.get(key), wanted.get(key)
        if stored == value:  # most are, to the byte
            continue
        if stored is None or value is None or _meaning(key, stored) != _meaning(key, value):
            if key[:1] == PLACED_IN:
                edit.add_rows(_rows(stored, value))
            yield key, value


def _wanted(data: Annotations, edit: Edit, layer: int) -> Book:
    """All that should be in a layer."""
    book = Book(None, data.block)
    depth = blocks_of_place(data.block)[0] * data.block[0]
    low, high = max(layer * depth, LOWEST), min((layer + 1) * depth, HIGHEST + 1)
    for _, found in walk(data, box_between((low, LOWEST, LOWEST), (high, HIGHEST + 1, HIGHEST + 1))):
        there = elements.parse_list(found.read())
        if there:
            labels = edit.labels_at(np.array([one.Pos for one in there], np.int64))
            for one, label in zip(there, labels.tolist(), strict=True):
                book.enlist(one, elements.write(one).bare, label)
    return book


def _meaning(key: bytes, value: bytes) -> Any:
    if key[:1] in LISTS:
        return elements.read_list(value)
    return read_related(value) if key[:1] == RELATED_TO else read_placed(value)


def _rows(stored: bytes | None, value: bytes | None) -> NDArray[Any]:
    """What labels gain and lose when this becomes of a block."""
    before, after = read_placed(stored or b"").items(), read_placed(value or b"").items()
    lost = [(*at, kind, -1, label) for at, (kind, label) in before - after]
    return np.array(lost + [(*at, kind, 1, label) for at, (kind, label) in after - before], ROW)


# ---------------------------------------------------------------------- checking
def faults(datastore: Datastore, instance: Instance) -> Iterator[str]:
    """Lists that do not agree with the blocks, in any version whose lists should, without pending work."""
    for node in datastore.catalogue.repo(instance.repo).nodes.values():
        data = subject_of(datastore, instance.number, node.version)
        if not instance.versioned and node.version != instance.root_version:
            continue
        if not isinstance(data, Annotations) or data.state().stale or pending(data) or data.is_empty():
            continue
        labelled = bool(data.label_source()) and data.state().labels == data.label_source()
        yield from (f"version {node.version}: {fault}" for fault in _faults_of(data, labelled=labelled))


def _faults_of(data: Annotations, *, labelled: bool) -> Iterator[str]:
    edit = Edit(data, 0, ())
    for layer in sorted(layers_of(data)):
        for key, _ in differences(data, edit, layer):
            if labelled or key[:1] in {TAG, RELATED_TO}:
                yield f"the row {key.hex()} does not agree with the elements of its blocks"
    for index, found in walk(data, box_between((LOWEST,) * 3, (HIGHEST + 1,) * 3)):
        there = [one.Pos for one in elements.parse_list(found.read())]
        if len(there) > len(set(there)):
            yield f"block {[*index]} has two elements at one point"
