"""The reference's spelling of a command line, `dvid -verbose serve x.toml`, in our words: `serve x.toml --verbose`.

Its flags have one dash and stand before the command; two dashes and `-flag=value` are the same there.
"""

from __future__ import annotations

from typing import NamedTuple

SWITCHES = frozenset({"readonly", "fullwrite", "verbose", "monitor", "stdin"})
VALUED = frozenset({"rpc", "http", "cpuprofile", "memprofile", "numcpu", "sleep"})
OF_SERVE = ("readonly", "fullwrite", "verbose", "numcpu")
"""Flags that `serve` takes."""
NOTES = {
    "rpc": "there is no RPC here: commands speak HTTP to --server or DVIDPY_SERVER",
    "monitor": "/metrics and /api/load show the load at any time",
    "cpuprofile": "use py-spy or perf on the running server",
    "memprofile": "use memray or py-spy on the running server",
}
"""What is said of flags that have no effect."""
NO = ("false", "f", "0", "F", "False", "FALSE")


class UsageError(Exception):
    """The flags make no sense; the message says why."""


class Spelled(NamedTuple):
    """A command line in our words."""

    words: list[str]
    notes: list[str]
    sleep_s: float = 0
    server: str = ""
    """Address of the server that commands speak to."""


def spelled(words: list[str]) -> Spelled:
    """The same command line without the reference's flags; UsageError where they make no sense."""
    flags, command = _split(words)
    if "help" in flags:
        return Spelled(["--help"], [])
    if "readonly" in flags and "fullwrite" in flags:
        raise UsageError("only one of -readonly and -fullwrite can be given")
    notes = [f"-{name} has no effect; {NOTES[name]}" for name in flags if name in NOTES]
    if command[:1] == ["serve"]:
        command = ["serve", *map(_two_dashes, command[1:]), *_for_serve(flags)]
    sleep_s = _number("sleep", flags.get("sleep", "0"))
    return Spelled(command, notes, sleep_s, flags.get("http", ""))


def _split(words: list[str]) -> tuple[dict[str, str], list[str]]:
    """(flags before the command, the rest)."""
    flags: dict[str, str] = {}
    rest = words.copy()
    while rest and rest[0].startswith("-") and rest[0].strip("-"):
        name, sign, value = rest[0].removeprefix("-").removeprefix("-").partition("=")
        if name in ("h", "help"):
            return {"help": ""}, []
        if name in VALUED and not sign:
            if len(rest) < 2:
                raise UsageError(f"-{name} needs a value")
            value = rest.pop(1)
        elif name not in VALUED and name not in SWITCHES:
            break  # ours, or nobody's
        rest.pop(0)
        if not (name in SWITCHES and value in NO):
            flags[name] = value
    return flags, rest


def _two_dashes(word: str) -> str:
    return (
        f"-{word}" if word.removeprefix("-") in OF_SERVE[:3] and not word.startswith("--") and word[0] == "-" else word
    )


def _for_serve(flags: dict[str, str]) -> list[str]:
    words = [f"--{name}" for name in OF_SERVE[:3] if name in flags]
    if "numcpu" in flags:
        words += ["--numcpu", flags["numcpu"]]
    if "http" in flags:
        host, _, port = flags["http"].rpartition(":")
        words += (["--host", host] if host else []) + ["--port", port]
    return words


def _number(name: str, text: str) -> float:
    if not text.isdecimal():
        raise UsageError(f"-{name} needs a whole number, not {text!r}")
    return float(text)
