"""The configuration as clients may see it: its settings written anew, without what must stay secret.

The file's own text is never sent: a comment may hold an old password, and TOML can write a value in many ways.
"""

from __future__ import annotations

import re
import tomllib
from typing import Any

import tomli_w

HIDDEN = "(hidden)"
_SECRET_NAME = re.compile(
    r"token|passw|passcode|passphrase|secret|credential|private|apikey|api_key|(^|[_.-])key$"
    r"|sasl_?user|webhook|janelia_?config",
    re.IGNORECASE,
)
"""Whoever knows the address of a web hook may call it, so that is a secret too."""
_SECRET_SECTIONS = ("auth", "email")
"""Sections of the reference's configuration that hold little but secrets: no text of theirs is shown."""
_IN_TEXT = (
    (re.compile(r"(://[^/@\s:]*):[^/@\s]*@"), rf"\1:{HIDDEN}@"),
    (re.compile(r"(?i)((?:token|passw\w*|secret|key|signature)=)[^&\s]+"), rf"\1{HIDDEN}"),
)
"""Secrets inside of addresses: user:password@host, ?token=…"""


def redacted(text: str, *secrets: str) -> str:
    """A TOML document without its secrets; `secrets` are hidden wherever they stand."""
    known = [secret for secret in secrets if secret]
    shown = {
        name: _hide(value, known, hidden=name.lower() in _SECRET_SECTIONS or bool(_SECRET_NAME.search(name)))
        for name, value in tomllib.loads(text).items()
    }
    return tomli_w.dumps(shown)


def _hide(value: Any, known: list[str], *, hidden: bool) -> Any:
    """A value of any depth: below a secret name only truth values are shown, and that there is none."""
    if isinstance(value, dict):
        return {
            name: _hide(inner, known, hidden=hidden or bool(_SECRET_NAME.search(name))) for name, inner in value.items()
        }
    if isinstance(value, list):
        return [_hide(inner, known, hidden=hidden) for inner in value]
    if hidden and value != "" and not isinstance(value, bool):
        return HIDDEN
    return _hide_inside(value, known) if isinstance(value, str) else value


def _hide_inside(text: str, known: list[str]) -> str:
    for pattern, instead in _IN_TEXT:
        text = pattern.sub(instead, text)
    for secret in known:
        text = text.replace(secret, HIDDEN)
    return text
