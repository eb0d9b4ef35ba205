"""docs/api.md, made of the routers and of recorded answers: `make docs`. A test demands that the page is current."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from recorded.pairs import Exchange
from recorded.routes import Asked, asked

from dvidpy.api import openapi
from dvidpy.datatypes import every_type
from dvidpy.datatypes.registry import load_types
from dvidpy.datatypes.rooms import Room, Route

PAGE = Path(__file__).parents[2] / "docs" / "api.md"
HEAD = """# The API, route by route

Made by `make docs` from the routers and from `tests/recorded/`; a test replays every example here against a running
server. The running server shows the same under `/docs`, and the help of a datatype under `/api/help/<type>`.

`$server` is the address of the server, `$root` the uuid of a version: the whole of it, its beginning as far as it is
unique, `uuid:branch` for the newest version of a branch, `uuid:branch~2` two versions before, and `:branch` where the
server has one repo. Refusals are plain text: 400, 404, 413, 416, 429 or 503.
"""
LONG = 400
"""Characters of an answer that are shown."""
TITLES = {"server": "Server", "repos": "Repos", "versions": "Versions", "administration": "Administration"}


def page() -> str:
    """The whole page."""
    examples = list(asked())
    sections = [HEAD]
    for title, prefix, rooms in _chapters():
        sections.append(f"## {title}\n")
        for room in rooms:
            for route in room.routes:
                sections += _section(prefix, route, examples)
    return "\n".join(sections)


def _chapters() -> Iterator[tuple[str, str, list[Room]]]:
    """(title, what stands before the paths, rooms); types that share their rooms share a chapter."""
    for room in openapi.STATIC_ROOMS:
        yield TITLES[room.tags[0]], "", [room]
    types = load_types()
    first = next(iter(types))
    yield "Every data instance", f"/api/node/{{uuid}}/{{{first}}}", [every_type.room]
    shared: dict[tuple[int, ...], list[str]] = {}
    for name, kind in types.items():
        shared.setdefault(tuple(map(id, kind.rooms)), []).append(name)
    for names in shared.values():
        yield ", ".join(names), f"/api/node/{{uuid}}/{{{names[0]}}}", list(types[names[0]].rooms)


def _section(prefix: str, route: Route, examples: list[Asked]) -> Iterator[str]:
    paths = _document()["paths"]
    for method in sorted(route.methods):
        said = paths[prefix + route.path][method.lower()]
        place = "/api/node/{uuid}/{name}" if prefix else ""
        yield f"### {method} {place}{route.path}\n"
        yield f"{said['summary'].removesuffix('?')}. {said['description']}\n"
        yield from _parameters(said)
        yield from _contents(said)
        yield from _example(route, method, examples)


_documents: list[dict[str, Any]] = []


def _document() -> dict[str, Any]:
    if not _documents:
        _documents.append(openapi.document(load_types()))
    return _documents[0]


def _parameters(said: dict[str, Any]) -> Iterator[str]:
    known = {"uuid", *load_types()}
    shown = [p for p in said.get("parameters", ()) if p["name"] not in known]
    for parameter in shown:
        mark = "?" if parameter["in"] == "query" else ""
        yield f"- `{mark}{parameter['name']}`: {parameter['description']}"
    if shown:
        yield ""


def _contents(said: dict[str, Any]) -> Iterator[str]:
    lines = []
    if "requestBody" in said:
        body = said["requestBody"]
        lines.append(f"Takes: {body.get('description', 'a body')} (`{'`, `'.join(body['content'])}`).")
    good = {status: answer for status, answer in said["responses"].items() if status.startswith("2")}
    for status, answer in good.items():
        media = f" (`{'`, `'.join(answer['content'])}`)" if answer.get("content") else ""
        lines.append(f"Gives {status}: {answer['description'].rstrip('.')}{media}.")
    if lines:
        yield " ".join(lines) + "\n"


def _example(route: Route, method: str, examples: list[Asked]) -> Iterator[str]:
    found = [one.exchange for one in examples if one.handler is route.handler and one.method == method]
    found.sort(key=lambda exchange: exchange["answer"]["status"] >= 300)
    if found:
        yield f"```\n{_curl(found[0])}\n{_answer(found[0]['answer'])}\n```\n"


def _curl(exchange: Exchange) -> str:
    method, _, path = exchange["ask"].partition(" ")
    words = ["curl"]
    body = any(name in exchange for name in ("json", "text", "base64", "ramp", "gzip"))
    if method == "HEAD":
        words.append("--head")
    elif method != ("POST" if body else "GET"):
        words.append(f"-X {method}")
    words += [f"-H {shlex.quote(f'{name}: {value}')}" for name, value in exchange.get("headers", {}).items()]
    if "json" in exchange:
        words.append(f"-d {shlex.quote(json.dumps(exchange['json']))}")
    elif "text" in exchange:
        words.append(f"-d {shlex.quote(exchange['text'])}")
    elif body:
        words.append("--data-binary @body")
    words.append(f'"$server{path}"')
    return _named(" ".join(words))


def _answer(answer: Exchange) -> str:
    shown = str(answer["status"])
    if "json" in answer:
        shown += " " + json.dumps(answer["json"], ensure_ascii=False)
    elif answer.get("text"):
        shown += " " + answer["text"].strip()
    elif "picture" in answer:
        shown += " {format} of {size[0]} x {size[1]} pixels".format(**answer["picture"])
    elif answer.get("base64"):
        shown += f" {len(answer['base64'].rstrip('=')) * 3 // 4} bytes"
    elif "size" in answer:
        shown += f" {answer['size']} bytes"
    return _named(shown if len(shown) <= LONG else shown[:LONG] + " …")


def _named(text: str) -> str:
    """Placeholders of the recorded pairs as shell variables."""
    for name in ("root", "second", "child", "left", "right", "side", "third", "both", "settled"):
        text = (
            text.replace(f"<{name}>", f"${name}").replace(f"<{name}:8>", f"${name}").replace(f"<{name}:10>", f"${name}")
        )
    return text


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
