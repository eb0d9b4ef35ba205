"""Libraries that nobody needs are not imported by others."""

from __future__ import annotations

import json
import sys
from importlib import import_module

import pytest

from dvidpy.optional import without

NAME = "sched"
"""A module of the standard library that nothing here imports."""


def test_a_library_is_not_found_inside_and_is_afterwards() -> None:
    sys.modules.pop(NAME, None)
    with without(NAME, "no_such_library"), pytest.raises(ImportError):
        import_module(NAME)
    assert import_module(NAME)
    assert "no_such_library" not in sys.modules


def test_what_is_loaded_stays() -> None:
    with without("json"):
        assert import_module("json") is json
    assert sys.modules["json"] is json
