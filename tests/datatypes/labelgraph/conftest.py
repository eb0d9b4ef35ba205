from __future__ import annotations

from datatypes.labelmap.conftest import segs

__all__ = ["segs"]
