"""Numba, and compiled kernels of its cache, with little memory (docs/decisions/029-kernels-from-the-cache.md)."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import Any

from dvidpy.kernels.residence import let_go
from dvidpy.optional import without

UNUSED = ("scipy", "coverage", "cffi", "yaml")
"""What numba imports where it is installed: for linear algebra, coverage, functions of C, and its file of settings."""


def compiler() -> Any:
    """Numba, which takes a quarter of a second to import: not before the first kernel is called."""
    with without(*UNUSED):
        import_module("llvmlite.binding")
        let_go()  # to link it takes half of its pages; numba needs few of them
        import numba

    let_go()
    return numba


def from_cache(plain: Callable[..., Any], signature: str) -> Callable[..., Any] | None:
    """A function as numba's cache on disk has it compiled; None where it has it not, or numba is to compile nothing.

    Numba's own way would first learn all that can be compiled, 14 MB that nobody asks for afterwards.
    """
    numba = compiler()
    try:
        found = numba.njit(nogil=True, cache=True)(plain)
        return found if _load(numba, found, signature) else None
    except (RuntimeError, AttributeError, ImportError):  # no cache can be kept, or another numba keeps it otherwise
        return None


def _load(numba: Any, function: Any, signature: str) -> bool:
    with numba.core.compiler_lock.global_compiler_lock:
        context = _context(numba)
        found = function._cache._load_overload(signature, context)  # noqa: SLF001  # numba's open way learns all
        if found is None:
            return False
        function.add_overload(found)
        function.disable_compile()
        found.library._shared_module = None  # noqa: SLF001  # its text, for a kernel that calls it: none does
    return True


@cache
def _context(numba: Any) -> Any:
    """What kernels are loaded into. How references are counted is compiled for it, as quickly as it can be, and with
    few of the compiler's pages: each kernel has that within it, and well compiled.
    """
    context, config = numba.core.registry.cpu_target.target_context, numba.core.config
    let_go()
    before, config.OPT = config.OPT, type(config.OPT)("0")
    try:
        numba.core.runtime.rtsys.initialize(context)
    finally:
        config.OPT = before
    let_go()
    return context
