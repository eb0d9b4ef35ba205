from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dvidpy.kernels import jit
from dvidpy.kernels.fnv import fnv128_plain


@pytest.fixture
def _own_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jit, "KERNELS", [])


@pytest.mark.usefixtures("_own_kernels")
def test_a_kernel_is_compiled_when_it_is_first_called() -> None:
    @jit.kernel("int64(Array(int64, 1, 'C', readonly=True))")
    def total(values: Any) -> Any:
        found = 0
        for value in values:
            found += value
        return found

    assert not is_ready(total)
    assert total(np.arange(5)) == 10
    assert is_ready(total)
    assert total.plain(np.arange(5)) == 10


@jit.helper
def _squared(number: Any) -> Any:
    return number * number


@pytest.mark.usefixtures("_own_kernels")
def test_kernels_call_helpers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jit, "from_cache", lambda *_: None)  # what is loaded has them within it

    @jit.kernel("int64(int64)")
    def more(number: Any) -> Any:
        return _squared(number) + 1

    assert more(3) == more.plain(3) == 10
    assert not jit._HELPERS


def test_warming_compiles_every_kernel() -> None:
    assert "_fnv128" in jit.warm()
    assert all(map(is_ready, jit.KERNELS))


def is_ready(kernel: jit.Kernel) -> bool:
    return kernel._compiled is not None


def test_a_kernel_works_where_no_cache_can_be_kept(tmp_path: Path) -> None:
    """A program of its own: numba reads its cache folder when it is imported."""
    (tmp_path / "file").touch()
    program = "from dvidpy.kernels.fnv import fnv128; print(fnv128(bytes(5000)).hex())"
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "file" / "folder")}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == fnv128_plain(bytes(5000)).hex()
