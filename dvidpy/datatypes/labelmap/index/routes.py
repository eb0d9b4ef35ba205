"""Routes of indices."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Annotated, Any

from fastapi import Query

from dvidpy.datatypes.base import Here
from dvidpy.datatypes.exchange import DONE, OCTETS, Reply, json_reply, octets, pieces_reply, text_reply
from dvidpy.datatypes.labelled.asked import (
    AT_ONCE,
    TAKES_LABELS,
    Label,
    about_body,
    on_worker,
    read_labels,
)
from dvidpy.datatypes.labelled.instance import LabelMap, is_large
from dvidpy.datatypes.labelled.keys import label_key
from dvidpy.datatypes.labelmap.index.history import index_before
from dvidpy.datatypes.labelmap.index.indices import MOST, as_message, as_one, as_stored, put_indices
from dvidpy.datatypes.labels.index import LabelIndex, decode
from dvidpy.datatypes.labels.messages import parse_indices
from dvidpy.datatypes.labels.numbers import parse_number
from dvidpy.datatypes.params import Flag, Throttle, gives, takes
from dvidpy.datatypes.rooms import Parse, Room, WholeBody, at_once
from dvidpy.errors import BadRequest, NotFound

room = Room()

Mutation = Annotated[
    int | None, Query(description="As it was before this mutation; 404 where that is not known."), Parse(parse_number)
]
MetadataOnly = Annotated[
    bool, Query(alias="metadata-only", description="`true`: JSON of its size and last change."), Flag
]


@room.get("/index/{label}", summary="Index of a body", responses=gives("A LabelIndex message", OCTETS.decode()))
@at_once
def get_index(
    data: Annotated[LabelMap, Here],
    label: Label,
    mutid: Mutation = None,
    metadata: MetadataOnly = False,
    throttle: Throttle = "",
) -> Reply | Awaitable[Reply]:
    """Voxels of each supervoxel in each block, and who changed the body last."""
    if mutid is not None:
        return on_worker(data, lambda: _index_before(data, label, mutid, metadata))
    if metadata:
        return about_body(data, label, lambda body: _metadata(body.voxels, body.stamp))
    found = data.find_stored(label)
    if found is None:
        raise NotFound(f"no body {label}")
    if len(found.stored) <= AT_ONCE and not is_large(found):
        return octets(found.read())
    return on_worker(data, lambda: _whole_index(data, label))


def _whole_index(data: LabelMap, label: int) -> Reply:
    still = data.still()
    found = still.find_stored(label)
    if found is None:
        raise NotFound(f"no body {label}")
    return octets(as_one(still, found))


def _index_before(data: LabelMap, label: int, mutation: int, metadata: bool) -> Reply:
    index = index_before(data, label, mutation)
    if index is None:
        raise NotFound(f"no index of body {label} is known from before mutation {mutation}")
    return _metadata(index.voxels, index) if metadata else octets(index.encode())


def _metadata(voxels: int, stamp: LabelIndex) -> Reply:
    said: dict[str, Any] = {
        "num_voxels": voxels,
        "last_mutid": stamp.last_mutid,
        "last_mod_time": stamp.last_mod_time,
        "last_mod_user": stamp.last_mod_user,
        "last_mod_app": stamp.last_mod_app,
    }
    return json_reply(said)


@room.post(
    "/index/{label}",
    summary="Replace an index",
    openapi_extra=takes("A LabelIndex message", OCTETS.decode()),
    responses=gives("Stored", "text/plain", ""),
)
def post_index(
    data: Annotated[LabelMap, Here], body: Annotated[bytes, WholeBody], label: Label, throttle: Throttle = ""
) -> Reply:
    """No voxel is looked at. An index without blocks ends the body."""
    index = decode(body)
    if index.label != label:
        raise BadRequest(f"the index is one of label {index.label}, not of {label}")
    put_indices(data, [index])
    return DONE


@room.get(
    "/indices",
    summary="Indices of many bodies",
    openapi_extra=TAKES_LABELS,
    responses=gives("A LabelIndices message", OCTETS.decode()),
)
def get_indices(data: Annotated[LabelMap, Here], body: Annotated[bytes, WholeBody], throttle: Throttle = "") -> Reply:
    """In the order asked, at most 50,000; one without blocks where there is no such body."""
    return pieces_reply(as_message(data, read_labels(body, MOST)), OCTETS)


@room.post(
    "/indices",
    summary="Replace many indices",
    openapi_extra=takes("A LabelIndices message", OCTETS.decode()),
    responses=gives("All stored", "text/plain", ""),
)
def post_indices(data: Annotated[LabelMap, Here], body: Annotated[bytes, WholeBody], throttle: Throttle = "") -> Reply:
    """All or none. Those without blocks end their bodies."""
    put_indices(data, parse_indices(body))
    return DONE


@room.get(
    "/indices-compressed",
    summary="Indices of many bodies, packed",
    openapi_extra=TAKES_LABELS,
    responses=gives(
        "Of each uint64 size and label, then as many bytes: u8, uint32 plain size, an LZ4 block", OCTETS.decode()
    ),
)
def get_indices_compressed(
    data: Annotated[LabelMap, Here], body: Annotated[bytes, WholeBody], throttle: Throttle = ""
) -> Reply:
    """In the order asked, at most 50,000, as they are stored; size 0 where there is no such body."""
    return pieces_reply(as_stored(data, read_labels(body, MOST)), OCTETS)


@room.get(
    "/index-version/{label}",
    summary="Where an index was last written",
    responses=gives("Uuid of a version", "text/plain", "d26e15af06784aedbfcac1ff82684b51"),
)
@at_once
def get_index_version(data: Annotated[LabelMap, Here], label: Label, throttle: Throttle = "") -> Reply:
    """Also where it was deleted; 400 where there was never such a body."""
    version = data.view.version_of(label_key(label))
    if version is None:
        raise BadRequest(f"there was never a body {label}")
    return text_reply(data.datastore.catalogue.node(version).uuid)
