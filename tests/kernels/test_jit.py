from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dvidpy.kernels import jit


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


def test_warming_compiles_every_kernel() -> None:
    assert "_fnv128" in jit.warm()
    assert all(map(is_ready, jit.KERNELS))


def is_ready(kernel: jit.Kernel) -> bool:
    return kernel._compiled is not None
