"""A labelmap instance at one version: supervoxels in blocks, bodies made of them, and what is known of both."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from copy import copy
from typing import Any, ClassVar, TypeVar

import numpy as np
from numpy.typing import NDArray

from dvidpy.datatypes.exchange import Body as Answer
from dvidpy.datatypes.labelled.bodies import Body
from dvidpy.datatypes.labelled.keys import (
    EXTENTS,
    INDEX,
    LAST,
    before_key,
    block_key,
    label_key,
    number_of,
    scale_prefix,
)
from dvidpy.datatypes.labelled.sheets import StoredSheets
from dvidpy.datatypes.labelled.state import Bodies, Segmentation, segmentation
from dvidpy.datatypes.labels import sheets
from dvidpy.datatypes.labels.index import LabelIndex
from dvidpy.datatypes.views.shapes.solids import Found as Solid
from dvidpy.datatypes.views.volumes import Level
from dvidpy.datatypes.voxels.grid import index_of
from dvidpy.datatypes.voxels.volume import Volume
from dvidpy.errors import BadRequest, NotFound
from dvidpy.geometry import Box, Zyx, to_wire
from dvidpy.kernels.label_blocks import Labels
from dvidpy.storage.codecs import LZ4, Codec
from dvidpy.storage.keys import after
from dvidpy.versioning.found import Found
from dvidpy.versioning.records import Node
from dvidpy.versioning.store import View

T = TypeVar("T")
PLAIN = Codec(LZ4)
"""How everything but blocks is packed."""
LABEL_BYTES = 8
SHOWN_SCALES = 1
"""Coarser scales that the list of repos tells at least. Those that are not kept are computed for Neuroglancer."""


class LabelMap(Volume):
    """Supervoxels and bodies, as one version sees them."""

    __slots__ = ("_state",)
    _state: Segmentation

    extents_key = EXTENTS
    interpolable = False
    tells_of_outside: ClassVar[bool] = True
    """HEAD sparsevol with bounds tells of blocks outside of them, as the reference does of a labelmap."""
    runs_alone: ClassVar[bool] = False
    """Sparse volumes are runs that end with their blocks, behind a head also where there are none; formats, scales and
    bounds of coarse ones are not looked at. As in the reference's labelvol.
    """
    points_have_scales: ClassVar[bool] = True
    """`sparsevol-by-point` looks at scale=, as it does not in the reference's labelarray and labelvol."""
    bounds_must_hold: ClassVar[bool] = False
    """Sparse volumes without voxels, or coarse ones without blocks, within bounds are 404, as in its labelarray."""
    packs_specific: ClassVar[bool] = True
    """`specificblocks` looks at compression, as its labelarray does not."""

    @property
    def scales(self) -> int:
        """The coarsest scale; 0 is full resolution."""
        return int(self.instance.settings["MaxDownresLevel"])

    @property
    def indexed(self) -> bool:
        """Bodies have indices."""
        return bool(self.instance.settings["IndexedLabels"])

    @property
    def state(self) -> Segmentation:
        """What is in memory of the instance."""
        try:
            return self._state
        except AttributeError:  # asked for the first time
            self._state = segmentation(self.datastore, self.instance)
            return self._state

    def fresh_setting(self, name: str) -> int:
        """A number among the settings as it is now, not as it was when the request came."""
        return int(self.datastore.catalogue.current(self.instance).settings.get(name, 0))

    def channels(self) -> list[dict[str, str]]:
        """One label a voxel."""
        return [{"DataType": "uint64", "Label": self.instance.type}]

    def demand_indexed(self) -> None:
        """BadRequest where bodies are not indexed."""
        if not self.indexed:
            raise BadRequest(f"{self.instance.name!r} keeps no indices of its labels (IndexedLabels=false)")

    def shown_scale(self, scale: int) -> int:
        """The scale that a request for voxels means."""
        return scale if self.has_scales else 0

    def demand_scale(self, scale: int) -> int:
        """A scale that the instance has; BadRequest for any other."""
        if not 0 <= scale <= self.scales:
            raise BadRequest(f"{self.instance.name!r} has the scales 0 to {self.scales}, not {scale}")
        return scale

    # ------------------------------------------------------------------ as other formats show it (`views.volumes`)
    has_scales: ClassVar[bool] = True
    """Whether scale= is looked at; one that it has not is all background, as in the reference."""
    voxel_type: ClassVar[str] = "uint64"
    voxel_channels: ClassVar[int] = 1
    are_labels: ClassVar[bool] = True

    @property
    def encodings(self) -> tuple[str, ...]:
        """Encodings of precomputed chunks."""
        from dvidpy.datatypes.labelled.raw import chunks  # which is about instances itself

        return chunks.ENCODINGS

    def levels(self) -> list[Level]:
        """Its scales."""
        from dvidpy.datatypes.labelled.raw import chunks

        return chunks.levels_of(self)

    def level_voxels(self, number: int, box: Box) -> Labels:
        """(z, y, x) bodies of a box of one scale."""
        from dvidpy.datatypes.labelled.raw import chunks

        return chunks.labels_of(self, number, box)

    def level_chunk(self, number: int, box: Box, encoding: str) -> Answer:
        """The same as a precomputed chunk."""
        from dvidpy.datatypes.labelled.raw import chunks

        return chunks.chunk_of(self, number, box, encoding)

    @property
    def knows_bodies(self) -> bool:
        """It can be asked for shapes of bodies (`views.shapes`)."""
        return self.indexed

    def find_solid(self, label: int) -> Solid | None:
        """What the index says of a body."""
        from dvidpy.datatypes.labelled import solids

        return solids.find(self, label)

    def solid_parts(self, label: int, scale: int) -> Iterator[tuple[Zyx, NDArray[np.bool_]]]:
        """(first voxel, (z, y, x) inside) of the blocks of a body at a scale."""
        from dvidpy.datatypes.labelled import solids

        return solids.parts(self, label, scale)

    # ------------------------------------------------------------------ reading from one moment
    def steady(self, read: Callable[[LabelMap, Bodies], T]) -> T:
        """What `read` finds on an unchanging view, whose blocks, indices and mapping agree."""
        return read(*self.state.steady(lambda: (self.still(), self.bodies())))

    def still(self) -> LabelMap:
        """The same on an unchanging view: blocks and indices agree."""
        other = copy(self)
        other.view = self.view.frozen()
        return other

    def bodies(self) -> Bodies:
        """Which body each supervoxel belongs to."""
        known = self.state.known_bodies(self.view)
        if known is None:
            with self.datastore.aside.held():
                known = self.state.bodies(self.view)
        return known

    def at(self, node: Node) -> LabelMap:
        """The instance at another version."""
        return LabelMap(self.datastore, self.repo, node, self.instance, None)

    @property
    def plain_view(self) -> View:
        """The same values, for writing what is no block."""
        view = self.view
        return View(view.of, view.ancestry, view.reader, PLAIN)

    # ------------------------------------------------------------------ bodies
    def find_stored(self, label: int) -> Found | None:
        """Index of a body as it is stored; None where there is no such body."""
        return self.view.find(label_key(label))

    def known_body(self, label: int, found: Found) -> Body | None:
        """The body of a stored index, where that was decoded a short time ago."""
        return self.state.recent.get(self.version, label, found.stored)

    def decode_body(self, label: int, found: Found) -> Body:
        """The body of a stored index. A large one needs a view that does not change (`still`)."""
        known = self.known_body(label, found)
        if known is not None:
            return known
        body = Body(sheets.decode(found.read(), StoredSheets(self.view)))
        if body.sheeted.sheets.size:
            return body
        return self.state.recent.keep(self.version, label, found.stored, body)

    def find_body(self, label: int) -> Body | None:
        """A body; None where there is no such one."""
        found = self.find_stored(label)
        if found is None or not is_large(found):
            return None if found is None else self.decode_body(label, found)
        still = self.still()
        found = still.find_stored(label)
        return None if found is None else still.decode_body(label, found)

    def need_body(self, label: int) -> Body:
        """The same; NotFound where there is none."""
        found = self.find_body(label)
        if found is None:
            raise NotFound(f"no body {label}")
        return found

    def read_index(self, found: Found) -> LabelIndex:
        """The whole of a stored index. A large one needs a view that does not change, where it was found."""
        return sheets.decode(found.read(), StoredSheets(found.view)).whole()

    def find_index(self, label: int) -> LabelIndex | None:
        """Index of a body; None where there is no such body."""
        found = self.find_body(label)
        return None if found is None else found.index

    def need_index(self, label: int) -> LabelIndex:
        """The same; NotFound where there is none."""
        return self.need_body(label).index

    def labels(self, first: int = 0) -> Iterator[int]:
        """Labels of all bodies from one on, ascending."""
        return (number_of(key) for key in self.view.keys(label_key(first), after(INDEX)))

    def body_of(self, supervoxel: int) -> int:
        """Body of a supervoxel; 0 for one that is no more."""
        return self.bodies().of(supervoxel)

    def supervoxels_of(self, label: int) -> Labels:
        """Supervoxels of a body, ascending; none where there is no such body. See `datatypes.bodies`."""
        found = self.find_body(label)
        return np.empty(0, np.uint64) if found is None else found.sizes[0]

    def ended(self, labels: Iterable[int], since: int = 0) -> list[int]:
        """Those that are no bodies, and were ones before a mutation from `since` on. See `datatypes.bodies`."""
        if not self.indexed:
            return []
        gone = (label for label in labels if not self.view.exists(label_key(label)))
        rows = ((label, before_key(label, since), after(before_key(label, LAST))) for label in gone)
        return [label for label, first, stop in rows if any(True for _ in self.view.keys(first, stop))]

    def bodies_of(self, supervoxels: Labels) -> Labels:
        """Bodies of supervoxels; 0 for one that is no more. See `datatypes.bodies`."""
        return self.bodies().apply(supervoxels)

    def blocks_from(self, scale: int, first: Zyx | None) -> Iterator[Zyx]:
        """(z, y, x) of written blocks of a scale, in order, behind one. See `datatypes.bodies`."""
        start = scale_prefix(scale) if first is None else after(block_key(scale, first))
        return map(index_of, self.view.keys(start, after(scale_prefix(scale))))

    def supervoxels_in(self, scale: int, box: Box) -> Labels:
        """(z, y, x) supervoxels of a box of a scale, 0 where none were written. See `datatypes.bodies`."""
        from dvidpy.datatypes.labelled.raw.reading import begin, read_box

        return read_box(begin(self, scale=scale, supervoxels=True), box)

    def labels_at(self, points: NDArray[np.int64]) -> Labels:
        """Bodies of (n, 3) voxels z, y, x, all from one moment; 0 where none were written. See `datatypes.bodies`."""
        from dvidpy.datatypes.labelled.following import labels_at

        return self.steady(lambda data, bodies: labels_at(data, bodies, points))

    def described(self, body: Body) -> dict[str, Any]:
        """Voxels, blocks and the box of whole blocks of a body, in the reference's words."""
        box = body.box(self.block)
        low, high = to_wire(box.start), [end - 1 for end in to_wire(box.stop)]
        return {"voxels": body.voxels, "numblocks": len(body.blocks), "minvoxel": low, "maxvoxel": high}

    # ------------------------------------------------------------------ properties
    def extended(self) -> dict[str, Any]:
        """Properties, in the reference's words."""
        from dvidpy.datatypes.labelled.ids import label_numbers

        return {**self.properties(), **label_numbers(self)}

    def listed(self) -> dict[str, Any]:
        """With a coarser scale at least, as Neuroglancer wants it; see `SHOWN_SCALES`."""
        found = super().listed()
        if "MaxDownresLevel" not in found["Extended"]:
            return found
        return {**found, "Extended": {**found["Extended"], "MaxDownresLevel": max(SHOWN_SCALES, self.scales)}}

    def passing(self) -> object:
        """Labels given away are stored with the edit that uses them."""
        return self.state.most

    def properties(self) -> dict[str, Any]:
        """Those that `metadata` shows too."""
        hidden = {"MaxDownresLevel", "IndexedLabels", "CountLabels", "NextLabel", "LabelCeiling"}
        return {key: value for key, value in super().properties().items() if key not in hidden}


def is_large(found: Found) -> bool:
    """Whether it takes more than one row to read a stored index."""
    return found.manifest is not None or sheets.is_head(found.read())
