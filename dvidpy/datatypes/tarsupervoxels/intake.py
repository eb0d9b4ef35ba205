"""Files on their way in, one or a tar file of many: small ones share edits, large ones are stored in parts."""

from __future__ import annotations

from collections.abc import AsyncIterator

from dvidpy.datatypes.exchange import Call, Gone
from dvidpy.datatypes.tars import members
from dvidpy.datatypes.tarsupervoxels.instance import TarSupervoxels, parse_name
from dvidpy.errors import DvidError
from dvidpy.versioning.large import PART, Manifest

TOGETHER = 256
"""Files of one edit."""
TOGETHER_BYTES = 4 << 20
"""Bytes of an edit that takes no further file in."""


class Intake:
    """Files in the order they come, committed some at a time; only the last edit waits for the medium."""

    def __init__(self, files: TarSupervoxels, call: Call) -> None:
        self._files, self._call = files, call
        self._change = files.change()
        self._held = 0
        """Bytes of the files in that edit."""

    async def take(self, supervoxel: int, content: AsyncIterator[bytes]) -> None:
        """One file. It is kept at the latest when `finish` returns."""
        if len(self._change.cells) >= TOGETHER or self._held >= TOGETHER_BYTES:
            await self.finish(sync=False)
        held = bytearray()
        async for piece in content:
            held += piece
            if len(held) > PART:
                manifest = await self._store_parts(held, content)
                self._files.view.put_manifest(self._change, self._files.key(supervoxel), manifest)
                return
        self._held += len(held)
        self._files.view.put(self._change, self._files.key(supervoxel), bytes(held))

    async def _store_parts(self, held: bytearray, rest: AsyncIterator[bytes]) -> Manifest:
        upload, pool = self._files.view.upload(), self._call.pool
        try:
            await pool.go_on(upload.write, bytes(held))
            async for piece in rest:
                await pool.go_on(upload.write, piece)
            return await pool.go_on(upload.finish)
        except (DvidError, Gone):  # whatever else goes wrong leaves orphans to `sweep`
            await pool.go_on(upload.abandon)
            raise

    async def finish(self, *, sync: bool = True) -> None:
        """Keep what came so far."""
        change, self._change, self._held = self._change, self._files.change(), 0
        change.sync = sync
        if not change.cells:
            return
        try:
            with self._call.gate():
                await self._files.view.commit_soon(change)
        except DvidError:
            await self._call.pool.go_on(self._files.view.forget, change)
            raise


async def store_file(files: TarSupervoxels, supervoxel: int, call: Call) -> None:
    """Write the body of a request as the file of a supervoxel."""
    intake = Intake(files, call)
    await intake.take(supervoxel, call.stream())
    await intake.finish()


async def store_tar(files: TarSupervoxels, call: Call) -> None:
    """Write the files of a tar file; what came before a file that is refused is kept, as in the reference."""
    intake = Intake(files, call)
    try:
        async for member in members(call.stream()):
            await intake.take(parse_name(member.name, files.extension), member.content)
    finally:
        await intake.finish()
