"""Kernels have one explicit signature, and a plain twin that a test compares them with."""

from __future__ import annotations

import sys

import pytest
from house.tree import sources

from dvidpy.kernels.jit import KERNELS, Kernel, warm

warm()
TESTS = "\n".join(path.read_text() for path in sources("tests") if path.name.startswith("test_"))


@pytest.mark.parametrize("kernel", KERNELS, ids=lambda kernel: str(kernel.name))
def test_it_has_one_signature(kernel: Kernel) -> None:
    from numba.core import sigutils

    arguments, gives = sigutils.normalize_signature(kernel.signature)  # type: ignore[no-untyped-call]
    assert gives is not None
    assert len(arguments) == kernel.plain.__code__.co_argcount


@pytest.mark.parametrize("kernel", KERNELS, ids=lambda kernel: str(kernel.name))
def test_its_plain_twin_is_there_and_tested(kernel: Kernel) -> None:
    twin = f"{kernel.name.strip('_')}_plain"
    assert hasattr(sys.modules[kernel.plain.__module__], twin)
    assert twin in TESTS
