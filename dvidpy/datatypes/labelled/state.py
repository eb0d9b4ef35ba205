"""What a server keeps in memory of a labelmap instance: mappings of versions, and who may edit. All of it is derived.

Readers of voxels need a mapping and blocks from one moment. `Segmentation.steady` gives both: it is a sequence lock, so
that readers wait for an edit only while that is being written.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

import numpy as np

from dvidpy.datatypes.labelled.bodies import Recent
from dvidpy.datatypes.labelled.keys import MAPPING
from dvidpy.datatypes.labelled.lately import Lately
from dvidpy.datatypes.labelled.turns import Turns
from dvidpy.datatypes.labels.mappings import EMPTY, Mapping, mapping_of
from dvidpy.storage.keys import after
from dvidpy.versioning.ancestry import Ancestry
from dvidpy.versioning.datastore import Datastore
from dvidpy.versioning.records import Instance
from dvidpy.versioning.store import View

T = TypeVar("T")
VERSIONS = 16
"""Versions whose mapping is kept, those asked for last."""
RECENT = 20_000
"""Supervoxels of the small mapping over a large one; beyond that both become one."""
TRIES = 3
"""Times a reader looks before it waits for the edit that comes between."""


class Bodies:
    """Which body each supervoxel belongs to, as a version sees it: a large mapping, and a small newer one over it."""

    __slots__ = ("base", "recent")

    def __init__(self, base: Mapping, recent: Mapping = EMPTY) -> None:
        self.base = base
        self.recent = recent

    def apply(self, labels: np.ndarray) -> np.ndarray:
        """Bodies of supervoxels, for uint64 arrays of any shape; 0 for a supervoxel that is no more."""
        if not self.recent.supervoxels.size:
            return self.base.apply(labels)
        place = np.searchsorted(self.recent.supervoxels, labels)
        place = np.minimum(place, self.recent.supervoxels.size - 1)
        return np.where(self.recent.supervoxels[place] == labels, self.recent.bodies[place], self.base.apply(labels))

    @property
    def is_empty(self) -> bool:
        """Every supervoxel is a body of its own."""
        return not (self.base.supervoxels.size or self.recent.supervoxels.size)

    def of(self, supervoxel: int) -> int:
        """Body of one supervoxel."""
        return int(self.apply(np.array([supervoxel], np.uint64))[0])

    def knows(self, supervoxels: np.ndarray) -> np.ndarray:
        """Which of them are named, as mapped or as split."""
        return self.base.names(supervoxels) | self.recent.names(supervoxels)

    def whole(self) -> Mapping:
        """Both as one."""
        return self.recent.over(self.base) if self.recent.supervoxels.size else self.base

    def changed(self, newer: Mapping) -> Bodies:
        """With some supervoxels mapped anew."""
        recent = newer.over(self.recent)
        if recent.supervoxels.size <= RECENT:
            return Bodies(self.base, recent)
        return Bodies(recent.over(self.base))


class Segmentation:
    """Derived state of one instance, shared by all requests."""

    def __init__(self) -> None:
        self.turns = Turns()
        """Of edits: each from the moment it reads what it named until it is written."""
        self.numbering = threading.RLock()
        """Held while new labels are given away."""
        self.most: int | None = None
        """Largest label in use or given away in any version; none before it is asked for. See `ids`."""
        self.noted: dict[int, int] = {}
        """Version -> largest label in use there, of versions that were edited; at least what the version notes."""
        self.recent = Recent()
        """Bodies that were read last."""
        self.lately = Lately()
        """Blocks that were read last."""
        self._turn = 0
        """Odd while an edit is being written."""
        self._writing = threading.Lock()
        """Held that long. Readers wait for it, not for the edit as a whole."""
        self._bodies: OrderedDict[int, Bodies] = OrderedDict()
        self._loading = threading.Lock()
        self._keeping = threading.Lock()
        """Held while `_bodies` is changed, and `_turn` begun."""

    def known_bodies(self, view: View) -> Bodies | None:
        """The mapping as a version sees it, where it is in memory."""
        return self._bodies.get(view.ancestry.version)

    def bodies(self, view: View) -> Bodies:
        """The same, from memory or from the store."""
        return self.known_bodies(view) or self._load(view.ancestry.version, view)

    def has_bodies(self, version: int) -> bool:
        """Whether they are in memory, and no reader waits for an edit."""
        return version in self._bodies and not self._writing.locked()

    def _load(self, version: int, view: View) -> Bodies:
        """From the store as it is now, whatever snapshot the view may be of; kept unless an edit came between."""
        with self._loading:
            found, turn = self._bodies.get(version), self._turn
            if found is None:
                found = Bodies(load_mapping(view.of.at(version)))
                with self._keeping:
                    if turn % 2 == 0 and turn == self._turn:
                        self._remember(version, found)
        return found

    def _remember(self, version: int, bodies: Bodies) -> None:
        """The caller holds `_keeping`."""
        self._bodies[version] = bodies
        self._bodies.move_to_end(version)
        while len(self._bodies) > VERSIONS:
            self._bodies.popitem(last=False)

    def steady(self, read: Callable[[], T]) -> T:
        """What `read` finds, with no edit written meanwhile."""
        for _ in range(TRIES):
            turn = self._turn
            if turn % 2 == 0:
                found = read()
                if self._turn == turn:
                    return found
        with self._writing:
            return read()

    @contextmanager
    def writing(
        self, ancestry_of: Callable[[int], Ancestry], version: int, mapped: Mapping, bodies: Bodies
    ) -> Iterator[None]:
        """Inside, an edit is being written; when it is, its mapping counts. One at a time (`Turns.writing`)."""
        with self._writing:
            with self._keeping:  # what was loaded before it is kept before it, or never
                self._turn += 1
            try:
                yield
                if mapped.supervoxels.size:
                    self._replace(ancestry_of, version, bodies.changed(mapped))
            except BaseException:  # it may be in the store all the same
                self.forget()
                raise
            finally:
                self._turn += 1

    def _replace(self, ancestry_of: Callable[[int], Ancestry], version: int, bodies: Bodies) -> None:
        """The mapping of a version; a forced edit is seen by its descendants too, which load theirs anew."""
        with self._keeping:
            for other in [other for other in self._bodies if version in ancestry_of(other).members]:
                del self._bodies[other]
            self._remember(version, bodies)

    def stats(self) -> dict[str, Any]:
        """What of mappings is in memory, in the reference's words."""
        kept = dict(self._bodies)
        entries = sum(one.base.supervoxels.size + one.recent.supervoxels.size for one in kept.values())
        size = _in_words(16 * entries)
        return {"MapEntries": entries, "MapSize": size, "NumVersions": len(kept), "MaxVersion": max(kept, default=0)}

    def forget(self) -> None:
        """Drop all; it is read from the store when it is asked for."""
        with self._keeping:
            self._bodies.clear()


def load_mapping(view: View) -> Mapping:
    """What all mutations that a version sees mapped, the later ones over the earlier ones."""
    rows = [found.read() for _, found in view.range(MAPPING, after(MAPPING))]
    if not rows:
        return EMPTY
    columns = np.frombuffer(b"".join(rows), "<u8")  # of each row supervoxels, then as many bodies
    halves = np.repeat([len(row) // 16 for row in rows], 2)
    bodies = np.repeat(np.tile([False, True], len(rows)), halves)
    return mapping_of(columns[~bodies], columns[bodies])


_STATES: WeakKeyDictionary[Datastore, dict[int, Segmentation]] = WeakKeyDictionary()
_MAKING = threading.Lock()


def segmentation(datastore: Datastore, instance: Instance) -> Segmentation:
    """Derived state of an instance."""
    found = _STATES.get(datastore, {}).get(instance.number)
    if found is None:
        with _MAKING:
            found = _STATES.setdefault(datastore, {}).setdefault(instance.number, Segmentation())
    return found


def map_stats(datastore: Datastore) -> dict[str, Any]:
    """Name of every instance with mappings in memory -> what is there."""
    with _MAKING:
        states = dict(_STATES.get(datastore, {}))
    instances = datastore.catalogue.instances()
    return {instances[number].name: state.stats() for number, state in states.items() if number in instances}


def _in_words(size: int) -> str:
    """Bytes in SI units."""
    value, units = float(size), iter(("B", "kB", "MB", "GB", "TB"))
    unit = next(units)
    while value >= 1000 and (larger := next(units, "")):
        value, unit = value / 1000, larger
    return f"{value:.1f} {unit}" if value < 10 and unit != "B" else f"{value:.0f} {unit}"
