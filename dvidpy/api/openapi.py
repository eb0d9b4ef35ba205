"""The documentation of every route of every datatype: routers that are never served, only read by this page."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path
from fastapi.openapi.utils import get_openapi
from starlette.routing import BaseRoute

from dvidpy import __version__
from dvidpy.api import admin, nodes, repos, server
from dvidpy.datatypes import every_type
from dvidpy.datatypes.base import DataType, Types

STATIC_ROOMS = (server.room, repos.room, nodes.room, admin.room)
"""Routes that belong to no datatype."""
REFUSED = {"description": "Refused, in plain words", "content": {"text/plain": {"schema": {"type": "string"}}}}
ASSUMED: dict[str, Any] = {"schema": {}}
"""What FastAPI says of an answer it knows nothing of."""
TITLE = "dvidpy"
ABOUT = "Versioned server for images, segmentations and annotations of whole brains, over DVID's HTTP API."


def document(types: Types) -> dict[str, Any]:
    """The whole OpenAPI document; an instance's name stands as {its type}."""
    docs = APIRouter()
    for room in STATIC_ROOMS:
        docs.include_router(room.documented())
    for kind in types.values():
        _include(docs, kind, f"{{{kind.name}}}", kind.name)
    return _openapi(docs.routes, TITLE)


def document_type(kind: DataType) -> dict[str, Any]:
    """The OpenAPI document of one datatype; an instance's name stands as {instance}."""
    docs = APIRouter()
    _include(docs, kind, "{instance}", "instance")
    return _openapi(docs.routes, f"{TITLE}: {kind.name}")


def _include(docs: APIRouter, kind: DataType, place: str, name: str) -> None:
    for room in (*kind.rooms, every_type.room_for(kind)):
        before = [Depends(_path_params(name))]
        prefix = f"/api/node/{{uuid}}/{place}"
        docs.include_router(room.documented(), prefix=prefix, tags=[kind.name], dependencies=before)


def _openapi(routes: Sequence[BaseRoute], title: str) -> dict[str, Any]:
    found = get_openapi(title=title, version=__version__, description=ABOUT, routes=routes)
    for path in found["paths"].values():
        for operation in path.values():
            operation["responses"] = _answers(operation["responses"])
    found.pop("components", None)  # FastAPI's validation errors, which are never sent
    return found


def _answers(documented: dict[str, Any]) -> dict[str, Any]:
    """What a route really answers: what FastAPI takes for granted goes, refusals in plain text come."""
    answers = {status: _answer(answer) for status, answer in documented.items() if status != "422"}
    return answers | {"4XX": REFUSED, "503": {**REFUSED, "description": "Too much to do: ask again later"}}


def _answer(answer: dict[str, Any]) -> dict[str, Any]:
    content = {kind: how for kind, how in answer.get("content", {}).items() if how != ASSUMED}
    kept = {key: value for key, value in answer.items() if key != "content"}
    return {**kept, "content": content} if content else kept


def _path_params(name: str) -> Any:
    """A dependency that declares the path parameters in front of an instance's routes."""

    def declared(**_: str) -> None:
        raise AssertionError("the documentation's router is never served")

    uuid = Annotated[str, Path(description="A version: uuid, its beginning, or uuid:branch~N.", examples=["3f01a"])]
    instance = Annotated[str, Path(description="Name of the data instance.", examples=["notes"])]
    kind = inspect.Parameter.KEYWORD_ONLY
    declared.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [
            inspect.Parameter("uuid", kind, annotation=uuid),
            inspect.Parameter(name, kind, annotation=instance),
        ]
    )
    return declared
