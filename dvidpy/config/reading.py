"""How a TOML file becomes Settings."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from dvidpy.config.advice import about, about_places, unknown_section
from dvidpy.config.refusals import refuse
from dvidpy.config.sections import NAMED, SINGLE, ConfigError, MutationSettings, Section, ServerSettings
from dvidpy.config.settings import Settings


def load_settings(path: Path) -> Settings:
    """Read a TOML file; ConfigError where it cannot be read or makes no sense."""
    try:
        text = path.read_text(encoding="utf-8")
        given = tomllib.loads(text)
        return _Reading(path.resolve(), text).settings(given)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, RuntimeError, ConfigError) as error:
        raise ConfigError(f"{path}: {error}") from error


class _Reading:
    """One reading of one file."""

    def __init__(self, path: Path, text: str) -> None:
        self._path = path
        self._text = text
        self._warnings: list[str] = []

    def settings(self, given: Mapping[str, Any]) -> Settings:
        known = SINGLE | NAMED
        self._warnings += [unknown_section(name) for name in given if name.lower() not in known]
        tables = _lower(given, "the file")
        single: dict[str, Any] = {
            name: self._section(name, model, tables[name]) for name, model in SINGLE.items() if name in tables
        }
        named: dict[str, Any] = {
            name: self._sections(name, model, tables.get(name, {})) for name, model in NAMED.items()
        }
        stores, backends = named.pop("store"), named.pop("backend")
        backends = {key.strip('"'): rule for key, rule in backends.items()}
        if "server" in single:
            single["server"] = _modes(single["server"])
        if "mutations" in single:
            single["mutations"] = self._json_folder(single["mutations"], stores)
        settings = Settings(
            **single, stores=stores, backends=backends, others=named, source=str(self._path), text=self._text
        )
        refuse(settings)
        return settings.model_copy(update={"warnings": (*self._warnings, *about_places(settings))})

    def _sections(self, kind: str, model: type[Section], given: Any) -> dict[str, Any]:
        if not isinstance(given, dict):
            raise ConfigError(f"{kind} is no section [{kind}.NAME]")
        return {name: self._section(f"{kind}.{name}", model, table) for name, table in given.items()}

    def _section(self, place: str, model: type[Section], given: Any) -> Section:
        if not isinstance(given, dict):
            raise ConfigError(f"{place} is no section [{place}]")
        known = model.names()
        _lower(given, place)  # no setting twice
        values: dict[str, Any] = {known.get(str(name).lower(), str(name)): value for name, value in given.items()}
        for name in model.paths:
            if isinstance(values.get(name), str):
                values[name] = self._absolute(values[name])
        try:
            section = model(**values)
        except ValidationError as error:
            first = error.errors()[0]
            raise ConfigError(f"{'.'.join([place, *map(str, first['loc'])])}: {first['msg']}") from error
        self._warnings += about(place, section, given)
        return section

    def _absolute(self, path: str) -> str:
        """A path as it stands in the file -> from the root; ~ is the user's own folder."""
        if not path:
            return ""
        return str(self._path.parent / (Path(path).expanduser() if path.startswith("~/") else path))

    def _json_folder(self, mutations: MutationSettings, stores: Mapping[str, Section]) -> MutationSettings:
        """`jsonstore` is a folder, as in the reference, where it is no store."""
        if mutations.jsonstore in stores:
            return mutations
        return mutations.model_copy(update={"jsonstore": self._absolute(mutations.jsonstore)})


def _modes(server: ServerSettings) -> ServerSettings:
    """`rwmode` is another word for the two modes."""
    if not server.rwmode:
        return server
    return server.model_copy(update={server.rwmode: True})


def _lower(table: Mapping[str, Any], place: str) -> dict[str, Any]:
    """Names in lower case; ConfigError where two differ in nothing else."""
    found: dict[str, Any] = {}
    for name, value in table.items():
        if name.lower() in found:
            raise ConfigError(f"{place} says {name} twice")
        found[name.lower()] = value
    return found
