"""Sparse volumes as answers. What has no end in sight goes out piece by piece, and is never whole in memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from itertools import chain
from tempfile import TemporaryFile
from typing import IO, Any

from dvidpy.datatypes.exchange import OCTETS, PIECE, Piece, Reply, gather, octets, pieces_reply
from dvidpy.datatypes.labelled.sparsevol.regions import Region
from dvidpy.datatypes.labels import sparsevol
from dvidpy.datatypes.labels.packing import GZIP_LEVEL, pack
from dvidpy.datatypes.labels.runs import traced
from dvidpy.errors import NotFound, TooLarge
from dvidpy.geometry import Box

IN_MEMORY = 16 << 20
"""Bytes of runs that are kept in memory until their number is known; more go to a temporary file."""
LONGEST_LZ4 = 0x7E000000
"""Bytes that one LZ4 block can hold."""


def as_blocks(region: Region, label: int) -> Reply:
    """The `blocks` format. Bounds choose blocks, not voxels, as in the reference."""
    return pieces_reply(sparsevol.binary_blocks(label, region.data.block, region.shared(sparsevol.masked)), OCTETS)


def as_srles(region: Region, bounds: Box) -> Reply:
    """Runs as they are found."""
    return pieces_reply(_runs(region, bounds), OCTETS)


def as_rles(region: Region, bounds: Box, packing: str, until_sent: ExitStack, limit: int) -> Reply:
    """Runs behind their number, packed as asked. Where there are none, nothing; of a labelvol the head; of a labelarray
    NotFound.

    Args:
        region: what is sent.
        bounds: voxels outside are left away.
        packing: "", "lz4" or "gzip".
        until_sent: closes what is opened here.
        limit: bytes that may be whole in memory. TooLarge where LZ4, which has no pieces, would need more.
    """
    pack(b"", packing)
    held: list[bytes] = []
    file: IO[bytes] | None = None
    size = 0
    for piece in _runs(region, bounds):
        size += len(piece)
        held.append(piece)
        if size > IN_MEMORY:
            file = file or until_sent.enter_context(TemporaryFile())  # noqa: SIM115 - open until it is sent
            file.writelines(held)
            held.clear()
    if not size and region.data.bounds_must_hold:
        raise NotFound("the label has no voxels there")
    if not size and not region.data.runs_alone:
        return octets(b"")
    plain = chain((sparsevol.rles_head(size),), held if file is None else _pieces(file))
    if packing == "gzip":
        return pieces_reply(_gzipped(plain), OCTETS)
    if packing == "lz4":
        if size > min(limit, LONGEST_LZ4):
            raise TooLarge(f"{size} bytes of runs are too many for one LZ4 block; gzip and no compression take them")
        return octets(bytes(pack(b"".join(plain), packing)))
    return pieces_reply(plain, OCTETS, sparsevol.HEAD + size)


def _runs(region: Region, bounds: Box) -> Iterator[bytes]:
    """Its runs, as many at a time as come together."""
    joined = not region.data.runs_alone
    return region.shared(lambda masks: traced(masks, bounds, joined=joined).tobytes())


def _pieces(file: IO[bytes]) -> Iterator[bytes]:
    file.seek(0)
    while piece := file.read(PIECE):
        yield piece


def _gzipped(pieces: Iterator[bytes]) -> Iterator[Piece]:
    from isal import isal_zlib

    zlib: Any = isal_zlib
    member = zlib.compressobj(GZIP_LEVEL, wbits=31)
    return gather(piece for piece in _packed(member, pieces) if piece)


def _packed(member: Any, pieces: Iterator[bytes]) -> Iterator[bytes]:
    for piece in pieces:
        yield member.compress(piece)
    yield member.flush()
