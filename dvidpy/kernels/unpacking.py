"""Packed values, unpacked one behind the other into one buffer: one call for all, without the interpreter in between.

It is the LZ4 library that unpacks, the one that `lz4.block` calls; the kernel calls its function by its address.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import cache
from importlib import import_module
from itertools import pairwise, zip_longest
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dvidpy.kernels.jit import kernel
from dvidpy.kernels.label_blocks import Bytes
from dvidpy.kernels.loading import compiler

PLAIN, LZ4 = 0, 2
"""First byte of a value that is kept as it is, or as its size (u32, little-endian) and an LZ4 block."""
MOST = 255
"""LZ4 makes no more bytes of one than that: whoever says so is not believed."""
HEAD = 5
"""Bytes in front of an LZ4 block."""
WHOLE, FIRST, INSIDE = range(3)
"""What of a value is wanted: all; of one with a size (u32, little-endian) in front so many bytes behind that; of a JSON
list what stands between its brackets, and where that is nothing, the text in front of the value is left out too."""
FRONT = 4
"""Bytes of such a size."""
Numbers = NDArray[np.int64]


def unpack_all(texts: Sequence[bytes], values: Sequence[bytes], part: int = WHOLE) -> memoryview | None:
    """The first text, that part of the first value unpacked, the second text and so on: a text more than values.

    None where a value is damaged, or packed in a way that the kernel does not know, or where the library hides its
    function; and where the kernel is to be loaded in an event loop, which would stand still for a second.
    """
    if not (_sizes.is_ready and _unpack.is_ready) and _in_event_loop():
        return None
    library = _library()
    text, packed = (np.frombuffer(b"".join(some), np.uint8) for some in (texts, values))
    text_ends, ends = _ends(texts), _ends(values)
    sizes = np.empty(len(values), np.int64)
    whole = int(_sizes(packed, ends, sizes))
    if whole < 0 or library is None:
        return None
    out = np.empty(text.size + whole, np.uint8)
    size = int(_unpack(library, text, text_ends, packed, ends, sizes, out, part))
    return None if size < 0 else out.data[:size]


def _in_event_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _ends(some: Sequence[bytes]) -> Numbers:
    return np.cumsum(np.fromiter(map(len, some), np.int64, len(some)))


@kernel("int64(Array(uint8, 1, 'C', readonly=True), int64[::1], int64[::1])")
def _sizes(packed: Any, ends: Any, sizes: Any) -> Any:
    """`sizes` is filled with the plain bytes of each value; all of them together, or -1."""
    whole, at = 0, 0
    for place in range(ends.size):
        stored = ends[place] - at
        size = -1
        if stored > 0 and packed[at] == PLAIN:
            size = stored - 1
        elif stored > HEAD and packed[at] == LZ4:
            size = 0
            for byte in range(4):
                size |= np.int64(packed[at + 1 + byte]) << (8 * byte)
            size = size if size <= MOST * stored else -1
        if size < 0:
            return -1
        sizes[place] = size
        whole += size
        at = ends[place]
    return whole


def sizes_plain(packed: Bytes, ends: Numbers, sizes: Numbers) -> int:
    """The plain twin."""
    for place, value in enumerate(_parts(packed, ends)):
        if value[:1] == bytes((PLAIN,)):
            sizes[place] = len(value) - 1
        elif value[:1] == bytes((LZ4,)) and len(value) > HEAD:
            sizes[place] = int.from_bytes(value[1:HEAD], "little")
        else:
            return -1
        if sizes[place] > MOST * len(value):
            return -1
    return int(sizes.sum())


@kernel(
    "int64(FunctionType(int32(int64, int64, int32, int32)), Array(uint8, 1, 'C', readonly=True), int64[::1],"
    " Array(uint8, 1, 'C', readonly=True), int64[::1], int64[::1], uint8[::1], int64)"
)
def _unpack(library: Any, text: Any, text_ends: Any, packed: Any, ends: Any, sizes: Any, out: Any, part: Any) -> Any:
    """Fill `out`; how many bytes of it, or -1 where a value does not unpack to its size, or has no such part."""
    source, target = packed.ctypes.data, out.ctypes.data
    begun, at, to = 0, 0, 0
    for place in range(text_ends.size):
        before, to = to, to + text_ends[place] - begun
        out[before:to] = text[begun : text_ends[place]]
        begun = text_ends[place]
        if place == ends.size:
            break
        size = sizes[place]
        if packed[at] == PLAIN:
            out[to : to + size] = packed[at + 1 : ends[place]]
        else:
            stored = np.int32(ends[place] - at - HEAD)
            if library(source + at + HEAD, target + to, stored, np.int32(size)) != size:
                return -1
        at, front, stop = ends[place], 0, size
        if part == INSIDE:
            front, stop = 1, size - 1
            if stop <= front:
                to = before
                continue
        elif part == FIRST:
            front = stop = FRONT
            for byte in range(min(FRONT, size)):
                stop += np.int64(out[to + byte]) << (8 * byte)
            if stop > size:
                return -1
        if front:
            for byte in range(to, to + stop - front):
                out[byte] = out[byte + front]
        to += stop - front
    return to


def unpack_plain(
    text: Bytes, text_ends: Numbers, packed: Bytes, ends: Numbers, sizes: Numbers, out: Bytes, part: int
) -> int:
    """The plain twin."""
    import lz4.block

    values, pieces = _parts(packed, ends), []
    for words, value in zip_longest(_parts(text, text_ends), values):
        try:
            plain = b"" if value is None else lz4.block.decompress(value[1:]) if value[0] == LZ4 else value[1:]
        except lz4.block.LZ4BlockError:
            return -1
        if part == FIRST and value is not None:
            size = int.from_bytes(plain[:FRONT], "little")
            if size > len(plain) - FRONT:
                return -1
            plain = plain[FRONT : FRONT + size]
        elif part == INSIDE and value is not None:
            plain = plain[1:-1]
            if not plain:
                continue
        pieces += [words, plain]
    whole = b"".join(pieces)
    out[: len(whole)] = np.frombuffer(whole, np.uint8)
    return len(whole)


def _parts(whole: Bytes, ends: Numbers) -> list[bytes]:
    return [whole[first:last].tobytes() for first, last in pairwise([0, *ends.tolist()])]


@cache
def _library() -> Any:
    """LZ4_decompress_safe(from, to, bytes there, room), as kernels and Python can call it; None where it is hidden."""
    import ctypes

    from lz4.block import _block

    compiler()
    import_module("numba.experimental.function_type")  # so that numba knows what is made here
    from numba import types

    try:
        found = ctypes.CDLL(_block.__file__).LZ4_decompress_safe
    except (AttributeError, OSError):
        return None
    found.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int, ctypes.c_int]
    address = ctypes.cast(found, ctypes.c_void_p).value

    class Library(types.WrapperAddressProtocol):
        def __call__(self, *numbers: Any) -> Any:
            return found(*map(int, numbers))

        def __wrapper_address__(self) -> Any:
            return address

        def signature(self) -> Any:
            return types.int32(types.int64, types.int64, types.int32, types.int32)

    return Library()
