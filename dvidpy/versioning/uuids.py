"""Names of versions: new uuids, and references as clients write them.

`3f01a` (any unambiguous beginning), `3f01a:side` (newest version of a branch in that repo), `3f01a:side~2`
(its second ancestor), `:master` where the server has one repo.
"""

from __future__ import annotations

import re
import secrets
from bisect import bisect_left
from typing import NamedTuple

from dvidpy.errors import BadRequest, UnknownVersion

MASTER = "master"
"""How clients call the branch whose name in the records is empty."""
_HEX = re.compile(r"[0-9a-f]{32}")
_REFERENCE = re.compile(r"(?P<prefix>[^:]*)(:(?P<branch>[^:~^]*)(~(?P<back>[0-9]{1,9}))?)?")


class Reference(NamedTuple):
    """A reference taken apart."""

    prefix: str
    branch: str | None = None
    back: int = 0


def new_uuid() -> str:
    """32 random hexadecimal digits."""
    return secrets.token_hex(16)


def check_uuid(text: str) -> str:
    """A uuid that a client chose; BadRequest unless it has 32 hexadecimal digits."""
    if not _HEX.fullmatch(text):
        raise BadRequest(f"Bad UUID provided: {text!r} is not 32 lower-case hexadecimal digits")
    return text


def parse_reference(text: str) -> Reference:
    """Take a reference apart; UnknownVersion where it has no such form."""
    found = _REFERENCE.fullmatch(text)
    if not found or not text:
        raise UnknownVersion(f"Illegal version reference {text!r}")
    branch = found["branch"] or None
    if found["back"] is not None and branch is None:
        raise UnknownVersion(f"Illegal version reference {text!r}: no branch before '~'")
    return Reference(found["prefix"], branch, int(found["back"] or 0))


def match_prefix(uuids: list[str], prefix: str) -> str:
    """The one uuid of a sorted list that begins so; an exact match wins. UnknownVersion for none or several."""
    at = bisect_left(uuids, prefix)
    found = [uuid for uuid in uuids[at : at + 2] if uuid.startswith(prefix)] if prefix else []
    if found and (found[0] == prefix or len(found) == 1):
        return found[0]
    if found:
        raise UnknownVersion(f"More than one UUID matches {prefix!r}")
    raise UnknownVersion(f"Could not find UUID with partial match to {prefix!r}")
