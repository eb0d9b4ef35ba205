"""Records of changes to committed versions, which the admin token and full-write mode allow.

What happens to a data instance stands in the mutation log of that instance and version; what happens to a version
or repo, in the log of the repo. The record is durable before the change is made (docs/decisions/007-forced-writes.md).
"""

from __future__ import annotations

from datetime import UTC, datetime

import orjson
from msgspec import Raw

from dvidpy.datatypes.base import Data
from dvidpy.datatypes.every_type import FORCED
from dvidpy.datatypes.exchange import Call


def _why(call: Call) -> str:
    """Why the lock did not hold."""
    return "admin token" if call.admin else "full-write mode"


async def record_forced(call: Call, data: Data) -> None:
    """Record a change to an instance; durable on return."""
    said = {
        "Action": FORCED,  # first, as readers of mutations look for it
        "By": _why(call),
        "User": call.query.get("u", ""),
        "App": call.query.get("app", ""),
        "Method": call.method,
        "Path": call.readable_path,
        "UUID": data.node.uuid,
        "Timestamp": datetime.now(UTC).isoformat(sep=" "),
    }
    await data.view.commit_soon(data.change(Raw(orjson.dumps(said))))


def forced_line(call: Call) -> str:
    """Line for the log of the repo."""
    user = call.query.get("u") or "unknown user"
    return f"{FORCED} by {_why(call)}, {user}: {call.method} {call.readable_path}"
