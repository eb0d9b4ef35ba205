"""Routes of files by supervoxel, and of those of a body."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable
from typing import Annotated

from fastapi import Path, Query

from dvidpy.datatypes.base import Here
from dvidpy.datatypes.exchange import DONE, Call, Reply, is_there, json_reply, octets, pieces_reply, text_reply
from dvidpy.datatypes.labels.numbers import parse_label, parse_labels
from dvidpy.datatypes.params import gives, takes
from dvidpy.datatypes.rooms import Parse, Room, TheCall, WholeBody, at_once, streaming
from dvidpy.datatypes.settings import read_settings
from dvidpy.datatypes.tarsupervoxels.instance import TarSupervoxels
from dvidpy.datatypes.tarsupervoxels.intake import store_file, store_tar
from dvidpy.errors import BadRequest

room = Room()

Supervoxel = Annotated[int, Path(description="From 1.", examples=["18473948"]), Parse(parse_label)]
Label = Annotated[int, Path(description="Label of a body, from 1.", examples=["18473948"]), Parse(parse_label)]

AT_ONCE = 1 << 16
"""Stored bytes that are unpacked in the event loop; more go to a worker thread."""


@room.get(
    "/supervoxel/{supervoxel}",
    summary="File of a supervoxel",
    responses=gives("The bytes that were posted", "application/octet-stream"),
)
@at_once
def get_supervoxel(
    files: Annotated[TarSupervoxels, Here], call: Annotated[Call, TheCall], supervoxel: Supervoxel
) -> Reply | Awaitable[Reply]:
    """404 where it has none, or an empty one."""
    found = files.need(supervoxel)
    if found.manifest is not None:
        return octets(found.pieces(0, found.manifest.size), found.manifest.size)
    return octets(found.read()) if len(found.stored) <= AT_ONCE else call.pool.run(lambda: octets(found.read()))


@room.post(
    "/supervoxel/{supervoxel}",
    summary="Write the file of a supervoxel",
    openapi_extra=takes("Any bytes; large ones stream through", "application/octet-stream"),
    responses=gives("Stored", "text/plain", ""),
)
@streaming
async def post_supervoxel(
    files: Annotated[TarSupervoxels, Here], call: Annotated[Call, TheCall], supervoxel: Supervoxel
) -> Reply:
    """For all versions; locked ones refuse it."""
    await store_file(files, supervoxel, call)
    return DONE


@room.delete(
    "/supervoxel/{supervoxel}", summary="Delete the file of a supervoxel", responses=gives("Deleted", "text/plain", "")
)
async def delete_supervoxel(files: Annotated[TarSupervoxels, Here], supervoxel: Supervoxel) -> Reply:
    """For all versions; no error where it has none."""
    change = files.change()
    files.view.delete(change, files.key(supervoxel))
    await files.view.commit_soon(change)
    return DONE


@room.get(
    "/exists",
    summary="Which supervoxels have a file",
    openapi_extra=takes("Supervoxels", "application/json", [1, 2, 3]),
    responses=gives("One truth value each, in their order", "application/json", [True, False, True]),
)
def get_exists(
    files: Annotated[TarSupervoxels, Here],
    body: Annotated[bytes, WholeBody],
    hash: Annotated[  # noqa: A002  # its name in the query
        str, Query(description="MD5 of the body, in hexadecimal digits; another one is refused.")
    ] = "",
) -> Reply:
    """An empty file counts."""
    if hash and hash != hashlib.md5(body, usedforsecurity=False).hexdigest():
        raise BadRequest(f"the body does not have the hash {hash[:40]!r}")
    return json_reply(files.existing(parse_labels(body)))


@room.post(
    "/load",
    summary="Write many files",
    openapi_extra=takes("A tar file with members such as 18491823.drc", "application/octet-stream"),
    responses=gives("Stored", "text/plain", ""),
)
@streaming
async def post_load(files: Annotated[TarSupervoxels, Here], call: Annotated[Call, TheCall]) -> Reply:
    """It streams through. Of a name that comes twice the last file stays; what came before a bad name is kept."""
    await store_tar(files, call)
    return DONE


@room.get(
    "/tarfile/{label}",
    summary="Files of a body",
    responses=gives("A tar file with a member a supervoxel", "application/tar"),
)
def get_tarfile(files: Annotated[TarSupervoxels, Here], label: Label) -> Reply:
    """Which supervoxels, the synced segmentation says at this version. One without a file is an empty N.missing."""
    return pieces_reply(files.tar(label), b"application/tar")


@room.head(
    "/tarfile/{label}", summary="Whether all files of a body are there", responses={200: {"description": "They are"}}
)
def head_tarfile(files: Annotated[TarSupervoxels, Here], label: Label) -> Reply:
    """200 or 400; an empty file counts."""
    missing = files.missing(label)
    if missing:
        raise BadRequest(f"label {label} has no file of its supervoxel {missing[0]}")
    return is_there()


@room.get(
    "/missing/{label}",
    summary="Supervoxels of a body without a file",
    responses=gives("Supervoxels", "application/json", [181739, 3819485677]),
)
def get_missing(files: Annotated[TarSupervoxels, Here], label: Label) -> Reply:
    """An empty list where all are there."""
    return json_reply(files.missing(label))


@room.post(
    "/info",
    summary="Change the extension",
    openapi_extra=takes("Settings to change", "application/json", {"Extension": "drc"}),
    responses=gives("What was changed", "text/plain", "Changed 'meshes'"),
)
def post_info(files: Annotated[TarSupervoxels, Here], body: Annotated[bytes, WholeBody]) -> Reply:
    """Files of the former extension stay, and show again when it is changed back."""
    files.set_extension(read_settings(body))
    return text_reply(f"Changed {files.instance.name!r}\n")
