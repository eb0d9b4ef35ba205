"""The largest label of each version found anew, from what is there: blocks, indices, mappings and splits.

A wrong label that was stored once, or posted as the largest, makes all new ones run behind it for ever. This alone may
lower the number, and only to what was found. It holds for a version and its ancestors, as `ids.max_label` does.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext

import numpy as np
import orjson
from msgspec import Raw

from dvidpy.datatypes.labelled.ids import max_label, repo_max_label
from dvidpy.datatypes.labelled.instance import LabelMap
from dvidpy.datatypes.labelled.keys import INDEX, MAPPING, MAX_LABEL, SPLIT, number_of, scale_prefix
from dvidpy.datatypes.labels import blocks as codec
from dvidpy.storage.keys import TOMBSTONE, cell
from dvidpy.versioning.found import Found
from dvidpy.versioning.store import View

FULL_RESOLUTION = scale_prefix(0)
RESERVED = "Labels that were reserved by POST nextlabel and are in no block or mapping yet cannot be seen."


def repair(data: LabelMap, *, commit: bool) -> Iterator[str]:
    """Lines of a report on all versions of the repo; with `commit` what was found is stored. Edits wait for that."""
    with data.state.turns.of() if commit else nullcontext():
        found = _largest_of_versions(data)
        before = repo_max_label(data)
        for version, most in found.items():
            yield _mend(data.at(data.datastore.catalogue.node(version)), most, commit=commit)
        if commit:
            data.state.most = None
            data.state.noted.clear()
        yield _of_repo(before, max(found.values()), commit=commit)
    if given := data.fresh_setting("NextLabel"):
        yield f"new labels go on behind {given}, which was set and stays"
    yield RESERVED
    if not commit:
        yield "nothing was changed; --commit, or commit=true, stores it"


def _mend(data: LabelMap, most: int, *, commit: bool) -> str:
    stored, what = max_label(data), f"version {data.version_uuid}: the largest label"
    if stored == most:
        return f"{what} is {stored}, as stored"
    if not most:
        return f"{what} is said to be {stored}; none was found, and it stays"
    if commit:
        said = {"Action": "repair-maxlabel", "UUID": data.version_uuid, "Before": stored, "MaxLabel": most}
        change = data.change(Raw(orjson.dumps(said)))
        data.plain_view.put(change, MAX_LABEL, b"%d" % most)
        data.view.commit(change)
    return f"{what} {'was' if commit else 'is'} said to be {stored}, and {'is now' if commit else 'should be'} {most}"


def _of_repo(before: int, most: int, *, commit: bool) -> str:
    if before == most or not most:
        return f"in all versions: {before}"
    return f"in all versions: {'was' if commit else 'is'} {before}, and {'is now' if commit else 'should be'} {most}"


def _largest_of_versions(data: LabelMap) -> dict[int, int]:
    """Version -> its largest label, parents before their children."""
    nodes = data.datastore.catalogue.repo(data.instance.repo).nodes
    versions = sorted(nodes) if data.instance.versioned else [data.instance.root_version]
    found = dict.fromkeys(versions, 0)
    values, reader = data.datastore.values(data.instance), data.still().view.reader
    for typekey, cells in values.rows():
        if typekey[:1] in (INDEX, MAPPING, SPLIT) or typekey.startswith(FULL_RESOLUTION):
            for version, kind in cells:
                stored = reader.get(values.prefix + typekey + cell(version, kind))
                if kind != TOMBSTONE and version in found and stored is not None:  # else an edit came between
                    value = Found(View(values, values.ancestries.of(version), reader), kind, stored)
                    found[version] = max(found[version], _largest_in(data, typekey, value, found[version]))
    for version in versions:
        parents = nodes[version].parents if data.instance.versioned else ()
        found[version] = max(found[version], *(found[parent] for parent in parents), 0)
    return found


def _largest_in(data: LabelMap, typekey: bytes, value: Found, known: int) -> int:
    """The largest label in a value, or any that is not above `known`."""
    if typekey[:1] == INDEX:
        return max(number_of(typekey), int(data.read_index(value).entries.supervoxels.max(initial=0)))
    plain = value.read()
    if typekey[:1] in (MAPPING, SPLIT):
        return int(np.frombuffer(plain, "<u8").max(initial=0))
    if int(codec.labels_of(plain, data.block).max()) <= known:
        return known  # the head may name labels that no voxel has: those are counted only where it matters
    return int(codec.count(codec.parse(plain, data.block))[0].max(initial=0))
