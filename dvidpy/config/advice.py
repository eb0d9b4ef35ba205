"""What a file says that is not known, or has no effect yet: one sentence each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from dvidpy.config.sections import NAMED, SINGLE, ConfigError, Section
from dvidpy.config.settings import Settings


def unknown_section(name: str) -> str:
    """The warning about a section; ConfigError where it may be a misspelt one that protects."""
    meant = _nearest(name.lower(), [*SINGLE, *NAMED])
    if meant == "auth":
        raise ConfigError(f"the section [{name}] is not known; did you mean [auth]?")
    return f"the section [{name}] is not known" + (f"; did you mean [{meant}]?" if meant else "")


def about(place: str, section: Section, given: Mapping[str, Any]) -> Iterator[str]:
    """Warnings about one section of the file; `given` are the settings that stand there."""
    known = section.names()
    for name in section.model_extra or {}:
        meant = known.get(_nearest(name.lower(), list(known)))
        yield f"{place}.{name} is not known" + (f"; did you mean {meant}?" if meant else "")
    if section.idle is None:
        yield f"[{place}] has no effect yet"
        return
    idle = {name.lower() for name in section.idle}
    set_in_vain = (known[name.lower()] for name, value in given.items() if name.lower() in idle and value)
    yield from (f"{place}.{name} has no effect yet" for name in set_in_vain)


def about_places(settings: Settings) -> Iterator[str]:
    """Warnings about what does not lie where the file says."""
    folder = settings.server.web_client
    if folder and not Path(folder).is_dir():
        yield f"server.webClient names {folder}, which is no folder: no web client is served"
    if settings.server.allow_labelmap_split and settings.server.no_labelmap_split:
        yield "server.noLabelmapSplit goes before server.allowLabelmapSplit"


def _nearest(name: str, known: list[str]) -> str:
    return next(iter(get_close_matches(name, known, 1)), "")
