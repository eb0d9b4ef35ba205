"""Compiled kernels come from the cache without what compiling needs; without a cache they are compiled."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from dvidpy.kernels import jit, loading

COMPILING = ("numba.np.linalg", "numba.np.arraymath", "numba.typed.dictimpl")
TRY = f"""
import sys
from dvidpy.kernels.json_members import make_ready
from dvidpy.kernels.rows import parse_rows
from dvidpy.kernels.unpacking import unpack_all
from dvidpy.kernels.words import stands_in
make_ready()
assert parse_rows(b"[[1,2,3]]", 3).tolist() == [[1, 2, 3]]
assert bytes(unpack_all([b"a", b"c"], [b"\\0b"])) == b"abc"
assert stands_in(b'{{"Pos": 1}}', (b"Pos",)) and not stands_in(b'{{"Pos": 1}}', (b"Tag",))
print([name for name in {(*COMPILING, *loading.UNUSED)} if name in sys.modules])
"""


@pytest.fixture
def _own_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jit, "KERNELS", [])


def test_a_process_that_loads_kernels_has_nothing_of_what_compiling_needs() -> None:
    for _ in range(2):  # the first may find no cache
        said = subprocess.run([sys.executable, "-c", TRY], capture_output=True, text=True, check=True).stdout
    assert said == "[]\n"


def test_kernels_run_as_python_where_nothing_is_to_be_compiled() -> None:
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1"}
    program = "from dvidpy.kernels.fnv import _fnv128, fnv128; assert _fnv128.ready() is _fnv128.plain"
    subprocess.run([sys.executable, "-c", program], env=environment, check=True)


@pytest.mark.usefixtures("_own_kernels")
def test_a_kernel_that_the_cache_has_not_is_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(*_: Any) -> Any:
        raise AttributeError

    monkeypatch.setattr(loading, "_load", absent)

    @jit.kernel("int64(Array(int64, 1, 'C', readonly=True))")
    def largest(values: Any) -> Any:
        found = values[0]
        for value in values:
            found = max(found, value)
        return found

    assert largest(np.array([3, 5, 4])) == largest.plain([3, 5, 4]) == 5
