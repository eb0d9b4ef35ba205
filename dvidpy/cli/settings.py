"""Settings from the command line and the environment: DVID_ADMIN_TOKEN, DVIDPY_HOST."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from dvidpy.config import ConfigError, Settings, default_settings, load_settings


def settings_from(  # one parameter an option
    config: Path | None,
    data: Path,
    host: str | None = None,
    port: int | None = None,
    *,
    readonly: bool = False,
    fullwrite: bool = False,
    cors: str | None = None,
) -> Settings:
    """Settings of a TOML file, or of a folder; what the command line says goes before the file."""
    settings = load_settings(config) if config is not None else default_settings(data.resolve())
    given_host, given_port = split_address(settings.server.http_address)
    address = f"{host or given_host or os.environ.get('DVIDPY_HOST', '')}:{port or given_port}"
    changes: dict[str, Any] = {"http_address": address}
    if token := os.environ.get("DVID_ADMIN_TOKEN", ""):
        changes["admin_token"] = token
    if readonly or fullwrite:
        changes |= {"readonly": readonly, "fullwrite": fullwrite}
    if cors is not None:
        changes["cors_domains"] = tuple(cors.split(","))
    return settings.model_copy(update={"server": settings.server.model_copy(update=changes)})


def split_address(address: str) -> tuple[str, int]:
    """An address host:port -> both; an empty host listens everywhere. ConfigError where it is no such thing."""
    host, _, port = address.rpartition(":")
    if not port.isdigit() or int(port) > 0xFFFF:  # the largest port
        raise ConfigError(f"httpAddress {address!r} is not host:port")
    return host.strip("[]"), int(port)
