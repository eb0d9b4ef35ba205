"""Compiling kernels: one explicit signature each, cached on disk, without the interpreter lock.

Compiling holds the interpreter for seconds, so it never happens inside a request: `warm` compiles all.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from threading import Lock
from types import ModuleType
from typing import Any

from dvidpy.kernels.loading import UNUSED, compiler, from_cache
from dvidpy.kernels.residence import let_go
from dvidpy.optional import without

KERNELS: list[Kernel] = []
"""All kernels of the modules imported so far."""
_HELPERS: list[Callable[..., Any]] = []
"""Functions that kernels call, and that numba does not know of yet."""
_REGISTERING = Lock()


class Kernel:
    """A function that is compiled when it is first called, or by `warm`."""

    def __init__(self, plain: Callable[..., Any], signature: str) -> None:
        self.plain = plain
        """The Python source, run as it is under NUMBA_DISABLE_JIT=1."""
        self.signature = signature
        self.name = plain.__name__
        self._compiled: Callable[..., Any] | None = None
        KERNELS.append(self)

    def ready(self) -> Callable[..., Any]:
        """The compiled function, from the cache where it has been compiled before."""
        if self._compiled is None:
            _choose_cache_folder()
            with without(*UNUSED):
                self._compiled = from_cache(self.plain, self.signature) or self._compile()
            let_go()
        return self._compiled

    def _compile(self) -> Callable[..., Any]:
        numba = compiler()
        with _REGISTERING:  # a kernel that another thread compiles may need them
            while _HELPERS:
                numba.extending.register_jitable(_HELPERS.pop())
        compiled: Callable[..., Any]
        try:
            compiled = numba.njit(self.signature, nogil=True, cache=True)(self.plain)
        except RuntimeError:  # nowhere to keep a cache, as on a read-only disk: compiled for this process alone
            compiled = numba.njit(self.signature, nogil=True)(self.plain)
        return compiled

    @property
    def is_ready(self) -> bool:
        """Whether it was called before."""
        return self._compiled is not None

    def __call__(self, *args: Any) -> Any:
        """Call the compiled function."""
        return (self._compiled or self.ready())(*args)


def kernels_of(*modules: ModuleType) -> list[Kernel]:
    """Kernels of some modules."""
    names = {module.__name__ for module in modules}
    return [one for one in KERNELS if one.plain.__module__ in names]


def kernel(signature: str) -> Callable[[Callable[..., Any]], Kernel]:
    """Declare a kernel with its one numba signature."""
    return lambda plain: Kernel(plain, signature)


def helper(plain: Callable[..., Any]) -> Callable[..., Any]:
    """Declare a function that kernels call; it is compiled with each of them."""
    _HELPERS.append(plain)
    return plain


def warm() -> list[str]:
    """Compile every kernel of this package; their names."""
    for module in iter_modules(import_module("dvidpy.kernels").__path__):
        import_module(f"dvidpy.kernels.{module.name}")
    for each in KERNELS:
        each.ready()
    return [each.name for each in KERNELS]


def _choose_cache_folder() -> None:
    """Beside the sources where that can be written; else the user's cache; else a temporary folder."""
    if "NUMBA_CACHE_DIR" in os.environ or os.access(Path(__file__).parent, os.W_OK):
        return
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "dvidpy"
    try:
        home.mkdir(parents=True, exist_ok=True)
        usable = os.access(home, os.W_OK)
    except OSError:
        usable = False
    os.environ["NUMBA_CACHE_DIR"] = str(home if usable else Path(tempfile.gettempdir()) / "dvidpy-kernels")
