"""Routes as the table serves them, and as the documentation shows them."""

from __future__ import annotations

from typing import Annotated, Any

import pytest
from fastapi import Path, Query
from fastapi.openapi.utils import get_openapi

from dvidpy.datatypes.exchange import DONE, Call, Reply
from dvidpy.datatypes.params import Flag
from dvidpy.datatypes.rooms import Endpoint, Parse, Room, TheCall, WholeBody, at_once, reading, streaming, table_of
from dvidpy.errors import BadRequest

room, other = Room(), Room()


def _triple(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.split("_")))


@room.get("/box/{size}/{name}")
async def get_box(
    call: Annotated[Call, TheCall],
    body: Annotated[bytes, WholeBody],
    size: Annotated[tuple[int, ...], Path(), Parse(_triple)],
    name: Annotated[str, Path()],
    scale: Annotated[int, Query()] = 7,
    deep: Annotated[bool, Query(alias="d-eep"), Flag] = False,
    word: Annotated[str | None, Query()] = None,
) -> Reply:
    return DONE


@room.get("/box/{size}")
def get_short_box(size: Annotated[str, Path()]) -> Reply:
    return DONE


@room.head("/box/{size}")
def head_box(size: Annotated[str, Path()]) -> Reply:
    return DONE


@room.post("/box")
@reading
def post_box() -> Reply:
    return DONE


@room.delete("/box")
@streaming
@at_once
def delete_box() -> Reply:
    return DONE


@other.get("/box/{other}")
def get_other_box(other: Annotated[str, Path()]) -> Reply:
    return DONE


@other.get("/more")
def get_more() -> Reply:
    return DONE


TABLE = table_of((room, other), head=True)


def call_of(path: str, query: bytes = b"") -> Call:
    async def nothing() -> Any:
        raise AssertionError("no body is asked for")

    call = Call("GET", path, query, [], nothing, None, 10)  # type: ignore[arg-type]  # no work is handed out
    call.parts = path.split("/")
    return call


def names(keyword: str, method: str) -> list[str]:
    return [endpoint.handler.__name__ for endpoint in TABLE[keyword, method]]


def test_longer_paths_come_first_and_earlier_rooms_win() -> None:
    assert names("box", "GET") == ["get_box", "get_short_box"]
    assert names("more", "GET") == ["get_more"]


def test_head_goes_to_its_own_handler_before_that_of_get() -> None:
    assert names("box", "HEAD") == ["get_box", "head_box", "get_short_box"]
    assert ("box", "HEAD") in TABLE
    assert ("more", "HEAD") not in table_of((other,), head=False)


def test_marks_of_handlers() -> None:
    (post,), (delete,) = TABLE["box", "POST"], TABLE["box", "DELETE"]
    assert (post.reads, delete.reads, TABLE["box", "GET"][0].reads) == (True, False, True)
    assert (delete.streams, delete.at_once, post.streams, post.at_once) == (True, True, False, False)


def box() -> Endpoint:
    return TABLE["box", "GET"][0]


def test_arguments_come_from_path_query_and_body() -> None:
    call = call_of("box/1_2_3/x", b"scale=2&d-eep=true&word=&scale=9")
    assert box().arguments(call, None, b"body") == {
        "call": call,
        "body": b"body",
        "size": (1, 2, 3),
        "name": "x",
        "scale": 2,
        "deep": True,
        "word": "",
    }


def test_what_is_not_given_is_the_default() -> None:
    found = box().arguments(call_of("box/1/x", b"u=jane"), None, b"")
    assert (found["scale"], found["deep"], found["word"]) == (7, False, None)
    assert box().width == 3


@pytest.mark.parametrize("text", ["1", "True", "TRUE", "yes", "", "on", "true "])
def test_only_true_is_true(text: str) -> None:
    found = box().arguments(call_of("box/1/x", b"d-eep=" + text.replace(" ", "+").encode()), None, b"")
    assert found["deep"] is False


@pytest.mark.parametrize(
    ("path", "query"),
    [
        *(("box/1/n", b"scale=" + text) for text in (b"x", b"", b"%ff", b"9" * 5000)),
        *((f"box/{text}/n", b"") for text in ("1_x", "", "9" * 5000)),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(path: str, query: bytes) -> None:
    with pytest.raises(BadRequest, match=r"makes no sense as (size|scale)"):
        box().arguments(call_of(path, query), None, b"")


def test_the_documentation_shows_text_where_text_is_parsed() -> None:
    paths = get_openapi(title="t", version="1", routes=room.documented().routes)["paths"]
    shown = {given["name"]: given["schema"] for given in paths["/box/{size}/{name}"]["get"]["parameters"]}
    assert shown["size"]["type"] == "string"
    assert shown["scale"]["type"] == "integer"
    assert shown["d-eep"]["type"] == "boolean"
    assert set(shown) == {"size", "name", "scale", "d-eep", "word"}


# ---------------------------------------------------------------------- words behind the keyword
shelf = Room(heads=True)


@shelf.get("/shelf/{board}")
def get_board(board: Annotated[str, Path()]) -> Reply:
    return DONE


@shelf.get("/shelf/{board}/{place}")
def get_place(board: Annotated[str, Path()], place: Annotated[str, Path()]) -> Reply:
    return DONE


@shelf.get("/shelf/{board}/all")
def get_all(board: Annotated[str, Path()]) -> Reply:
    return DONE


@shelf.get("/shelf/top/all")
def get_top() -> Reply:
    return DONE


@pytest.mark.parametrize(
    ("path", "handler"),
    [
        ("shelf/2", get_board),
        ("shelf/2/3", get_place),
        ("shelf/2/all", get_all),
        ("shelf/top/all", get_top),
        ("shelf/top/3", get_place),
        ("shelf/top/all/more", get_top),
        ("shelf", None),
    ],
)
def test_words_go_before_what_takes_any(path: str, handler: Any) -> None:
    table = table_of([shelf], head=False)
    for method in ("GET", "HEAD"):
        fitting = [one.handler for one in table["shelf", method] if one.fits(path.split("/"))]
        assert fitting[:1] == ([handler] if handler else [])
