"""Where Neuroglancer is, once it has been built."""

from __future__ import annotations

import sys
from pathlib import Path


def viewer_folder(configured: str = "") -> Path:
    """Where the built viewer is, or would be: the configured folder, else one of this environment of Python."""
    return Path(configured) if configured else Path(sys.prefix) / "share" / "dvidpy" / "neuroglancer"


def is_built(folder: Path) -> bool:
    """Whether there is a viewer."""
    return (folder / "index.html").is_file()
