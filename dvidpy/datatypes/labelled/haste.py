"""Small edits in the event loop itself, where nobody else edits or writes.

A worker thread's way there and back takes as long as such an edit does. And it would let go of the interpreter some
twenty times for a few microseconds, each of which wakes an event loop that then does not get it. Measured in
docs/decisions/025-edits-in-the-loop.md.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from dvidpy.datatypes.exchange import Call, Pool, Reply
from dvidpy.datatypes.labelled.instance import LabelMap
from dvidpy.datatypes.labelled.state import RECENT
from dvidpy.datatypes.labelled.turns import NotNow, Turns
from dvidpy.datatypes.labels.sheets import FULL, Sheeted
from dvidpy.kernels import label_columns, label_index
from dvidpy.kernels.jit import kernels_of

MOST_BYTES = 1 << 10
"""Of the body of a request."""
MOST_ENTRIES = 1 << 13
"""Of the indices that such an edit reads as a whole: a millisecond."""
_KERNELS = kernels_of(label_columns, label_index)
TRIES = 10
"""Times that it is looked whether somebody edits or writes."""


def edited(data: LabelMap, call: Call, body: bytes, edit: Callable[[bool], Reply]) -> Awaitable[Reply]:
    """What an edit answers, when it is durable.

    Where `edit` is told that it is made at once, it may raise NotNow, as long as it has had no effect: then a worker
    thread makes it.
    """
    # To give a label away, a setting may have to be written; and neither mappings nor kernels are loaded here.
    ready = data.state.has_bodies(data.version) and _kernels_ready()
    if len(body) <= MOST_BYTES and ready and not data.fresh_setting("NextLabel"):
        return _soon(data, call.pool, edit)
    return _by_worker(call.pool, edit)


async def _by_worker(pool: Pool, edit: Callable[[bool], Reply]) -> Reply:
    """Behind the first one of a process the kernels are loaded, so that later ones may be made at once."""
    reply = await pool.run(edit, False)
    if not _kernels_ready():
        pool.begin(load_kernels)
    return reply


def _kernels_ready() -> bool:
    return all(kernel.is_ready for kernel in _KERNELS)


def load_kernels() -> None:
    """Load what edits of indices need."""
    for kernel in _KERNELS:
        kernel.ready()


async def _soon(data: LabelMap, pool: Pool, edit: Callable[[bool], Reply]) -> Reply:
    """Made here, when nobody edits and nobody writes. Edits of one turn of the loop share an fsync.

    Blocks take long: beside who writes them, it is made by a thread, as that may have nothing to do with it.
    """
    turns = data.state.turns
    for _ in range(TRIES):
        await _nobody_edits(turns, pool)
        if turns.writes_blocks():
            break
        with data.view.free() as free:
            if free:
                try:
                    reply = edit(True)
                except NotNow:
                    break
        if free:
            await data.view.commit_soon(data.change())
            return reply
        await data.view.commit_soon(data.change(sync=False))  # it comes behind what is being written
    return await _by_worker(pool, edit)


async def _nobody_edits(turns: Turns, pool: Pool) -> None:
    """Once some edits are made by threads they would all be, for there is always one under way that others meet."""
    if not (turns.is_free() or turns.writes_blocks()):
        await pool.run(turns.wait)


def demand_small(data: LabelMap, *bodies: Sheeted) -> None:
    """NotNow where an edit reads more entries than it may, or may map more supervoxels than are soon mapped."""
    entries = sum(FULL * body.sheets.size + body.loose.entries.blocks.size for body in bodies)
    if entries > min(MOST_ENTRIES, RECENT - data.bodies().recent.supervoxels.size):
        raise NotNow
