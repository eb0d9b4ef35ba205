"""A TOML file -> frozen Settings. Every setting has its paragraph in docs/configuration.md.

`sections` says which settings there are, `settings` what follows from them together, `reading` how a file becomes
settings, `refusals` what stops a start, `advice` what is said in the log, `viewer` where
Neuroglancer is. Only the command line reads the
environment and hands it in here.
"""

from __future__ import annotations

from dvidpy.config.reading import load_settings
from dvidpy.config.sections import (
    NAMED,
    SINGLE,
    AuthSettings,
    BackendSettings,
    ConfigError,
    LoggingSettings,
    MutationSettings,
    Section,
    ServerSettings,
    StoreSettings,
)
from dvidpy.config.settings import Settings, Spec, default_settings
from dvidpy.config.viewer import is_built, viewer_folder

__all__ = [
    "NAMED",
    "SINGLE",
    "AuthSettings",
    "BackendSettings",
    "ConfigError",
    "LoggingSettings",
    "MutationSettings",
    "Section",
    "ServerSettings",
    "Settings",
    "Spec",
    "StoreSettings",
    "default_settings",
    "is_built",
    "load_settings",
    "viewer_folder",
]
