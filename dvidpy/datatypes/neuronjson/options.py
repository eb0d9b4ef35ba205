"""Parameters that several rooms of neuronjson share."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path, Query

from dvidpy.datatypes.exchange import Call
from dvidpy.datatypes.neuronjson.merging import Writer, now

Key = Annotated[str, Path(description="Body id; also `schema` and `schema_batch`.", examples=["1000"])]
First = Annotated[
    str, Path(description="Smallest body id; what begins with a letter counts as the largest of all.", examples=["0"])
]
Last = Annotated[
    str, Path(description="Largest body id, itself included; a letter stands for the end.", examples=["a"])
]
Show = Annotated[
    str, Query(description="`user`: with who wrote each field; `time`: with when; `all`: with both.", examples=["user"])
]
Fields = Annotated[
    str, Query(description="Only these fields, with commas between; the body id is always there.", examples=["type"])
]
User = Annotated[str, Query(description="Who writes; without one nothing is written.", examples=["ann"])]
Conditional = Annotated[
    str, Query(description="Fields, with commas between, that keep a value they have.", examples=["type,instance"])
]
Conditionals = Annotated[str, Query(description="The same as `conditional`, which goes first.")]

ANNOTATION = {"bodyid": 1000, "type": "KC", "instance": "KC_R"}
"""Example."""


def writer(user: str, conditional: str, conditionals: str, *, replace: bool) -> Writer:
    """Who writes what a request posts, now."""
    kept = (conditional or conditionals).split(",")
    return Writer(user, now(), frozenset(field for field in kept if field), replace)


def takes_gzip(call: Call) -> bool:
    """Whether a client says that it takes gzip."""
    codings = call.headers.get(b"accept-encoding", b"").decode("latin-1").split(",")
    return any(_accepts(*coding.partition(";")[::2]) for coding in codings)


def _accepts(name: str, quality: str) -> bool:
    return name.strip().lower() == "gzip" and quality.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
