"""Parameter types that several datatypes share: documented, parsed, refused in plain words."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Path, Query

from dvidpy.datatypes.rooms import Parse


def is_true(text: str) -> bool:
    """Only the exact text counts, as in the reference."""
    return text == "true"


Flag = Parse(is_true)

PictureFormat = Annotated[str, Path(description="png, jpg, jpg:80, tif or bmp.", examples=["jpg:80"])]
Replace = Annotated[bool, Query(description="`true` replaces what is there instead of adding to it."), Flag]
Throttle = Annotated[
    str, Query(description="`on` or `true`: refuse with 503 when too many throttled requests are under way.")
]


def takes(description: str, media_type: str, example: Any = None) -> dict[str, Any]:
    """Documentation of a request body."""
    content: dict[str, Any] = {"schema": {"type": "string", "format": "binary"} if example is None else {}}
    if example is not None:
        content["example"] = example
    return {"requestBody": {"description": description, "content": {media_type: content}}}


def gives(description: str, media_type: str, example: Any = None, status: int = 200) -> dict[int | str, dict[str, Any]]:
    """Documentation of an answer; an empty text as example stands for an empty one. See `gives_any`."""
    if example == "":
        return {status: {"description": description}}
    content: dict[str, Any] = {"schema": {"type": "string", "format": "binary"} if example is None else {}}
    if example is not None:
        content["example"] = example
    return {status: {"description": description, "content": {media_type: content}}}


def gives_any(description: str, *media_types: str) -> dict[int | str, dict[str, Any]]:
    """Documentation of an answer in one of several forms."""
    form = {"schema": {"type": "string", "format": "binary"}}
    return {200: {"description": description, "content": dict.fromkeys(media_types, form)}}
