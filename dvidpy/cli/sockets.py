"""The sockets of a server, which listen before anything slow is loaded: who comes early waits, and is not refused."""

from __future__ import annotations

import errno
import socket

from dvidpy.errors import StoreError

BACKLOG = 2048
"""Connections that may wait, as uvicorn has it."""
ABSENT = (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL)
"""What binding says where the machine has no such address, such as none of IPv6."""


def listening_sockets(host: str, port: int) -> list[socket.socket]:
    """One for each address of the host, an empty host being all of the machine's; StoreError where none can be had."""
    sockets: list[socket.socket] = []
    absent: OSError | None = None
    try:
        for family, address in _addresses(host, port):
            try:
                sockets.append(socket.create_server(address, family=family, backlog=BACKLOG))
            except OSError as error:
                if error.errno not in ABSENT:
                    raise
                absent = error
        if absent is not None and not sockets:
            raise absent
    except OSError as error:
        for opened in sockets:
            opened.close()
        raise StoreError(f"cannot listen on {host or '*'}:{port}: {error.strerror}") from error
    return sockets


def _addresses(host: str, port: int) -> list[tuple[int, tuple[str, int]]]:
    """(family, address) without duplicates."""
    found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    return list(dict.fromkeys((family, address) for family, _, _, _, address in found))  # type: ignore[misc]
