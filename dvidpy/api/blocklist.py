"""The block list: callers that get 429. A text file, one line each, the note behind a comma is optional:

u=somebody,please call us
ip=10.3.*.7,your script runs wild
"""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path

from dvidpy.errors import BadRequest, Blocked


class BlockList:
    """Who is blocked, and what they are told."""

    def __init__(self, users: Mapping[str, str] | None = None, addresses: Mapping[str, str] | None = None) -> None:
        self.users = users or {}
        self.addresses = addresses or {}
        """Addresses; a `*` stands for one part."""

    def refuse(self, address: str, user: str) -> None:
        """Blocked, with the note, where the user or the address stands on the list."""
        if user in self.users:
            raise Blocked(f"User {user!r} is blocked: {self.users[user]}")
        for pattern, note in self.addresses.items():
            if _matches(address, pattern):
                raise Blocked(f"IP {address!r} is blocked: {note}")

    def __bool__(self) -> bool:
        return bool(self.users or self.addresses)


def read_block_list(name: str) -> BlockList:
    """The list in a file, an empty one for no name; BadRequest where it cannot be read."""
    if not name:
        return BlockList()
    found: dict[str, dict[str, str]] = {"u": {}, "ip": {}}
    try:
        lines = Path(name).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BadRequest(f"unable to load the block list {name!r}: {error}") from None
    for line in filter(None, map(str.strip, lines)):
        kind, equals, rest = line.partition("=")
        who, _, note = rest.partition(",")
        if kind not in found or not equals or not who:
            raise BadRequest(f"bad line in the block list {name!r}: {line}")
        found[kind][who.strip()] = note.strip()
    return BlockList(found["u"], found["ip"])


def source_address(client: str, headers: Mapping[bytes, bytes]) -> str:
    """Address a request comes from, as the proxies in front of us say, the reference's way."""
    forwarded = headers.get(b"forwarded", b"").decode("latin-1").split(",")[0]
    for part in forwarded.lower().split(";"):
        if part.strip().startswith("for="):
            return part.strip()[4:]
    passed_on = headers.get(b"x-forwarded-for", b"").decode("latin-1").split(",")[0].strip()
    return passed_on or client


def _matches(address: str, pattern: str) -> bool:
    """Part by part, as far as the pattern goes: "10.3" blocks all of 10.3.x.y."""
    wanted, given = pattern.split("."), address.split(".")
    return len(wanted) <= len(given) and all(map(fnmatchcase, given, wanted))
