"""A client of DVID's API: volumes as numpy, tables as pyarrow and pandas, edits, versions. No part of the server.

    from dvidpy.client import Server

    version = Server("http://127.0.0.1:8000").repo(uuid)
    bodies_zyx = version.labelmap("segmentation")[0:64, 0:128, -64:0]

Arrays are (z, y, x), as are points and boxes of volumes; coordinates are those of the server, and may be negative.
Labels are uint64, everywhere. Errors are Refused, with what the server says, and Unreachable.
"""

from __future__ import annotations

from dvidpy.client.line import Line, Refused, Unreachable
from dvidpy.client.server import Server
from dvidpy.client.versions import Version

__all__ = ["Line", "Refused", "Server", "Unreachable", "Version"]
