"""Files below /, as the configuration says."""

from __future__ import annotations

import os
from http.client import HTTPConnection
from pathlib import Path

import pytest
from served import Serve, Served


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    console = tmp_path / "console"
    (console / "js").mkdir(parents=True)
    (console / "empty").mkdir()
    (console / "index.html").write_text("<title>console</title>")
    (console / "js" / "index.html").write_text("scripts")
    (console / "js" / "app.js").write_text("alert(1)")
    (console / "with space.txt").write_text("space")
    (tmp_path / "secret.txt").write_text("pepper")
    (console / "outside.txt").symlink_to(tmp_path / "secret.txt")
    (console / "inside.txt").symlink_to(console / "index.html")
    return console


@pytest.fixture
def client(serve: Serve, folder: Path) -> Served:
    return serve(web_client=str(folder))


@pytest.mark.parametrize(
    ("path", "kind", "content"),
    [
        ("/", "text/html", "<title>console</title>"),
        ("/index.html", "text/html", "<title>console</title>"),
        ("/js/app.js", "javascript", "alert(1)"),
        ("/js/", "text/html", "scripts"),
        ("/with%20space.txt", "text/plain", "space"),
        ("/inside.txt", "text/html", "<title>console</title>"),
        ("/js/../index.html", "text/html", "<title>console</title>"),
    ],
)
def test_files_and_the_index_of_folders(client: Served, path: str, kind: str, content: str) -> None:
    answer = client.http.get(path)
    assert answer.status_code == 200
    assert kind in answer.headers["content-type"]
    assert answer.text == content
    assert client.http.head(path).headers["content-length"] == str(len(content))


def test_the_address_of_a_folder_gets_its_slash(client: Served) -> None:
    answer = client.http.get("/js?a=b")
    assert answer.status_code == 307
    assert answer.headers["location"].endswith("/js/?a=b")


@pytest.mark.parametrize("path", ["/absent", "/empty", "/empty/", "/js/absent.js", "/index.html/x", "/" + "x" * 300])
def test_what_is_not_there(client: Served, path: str) -> None:
    assert client.http.get(path).status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        "/../secret.txt",
        "/js/../../secret.txt",
        "/%2e%2e/secret.txt",
        "/..%2fsecret.txt",
        "/%2e%2e%2fsecret.txt",
        "//../secret.txt",
        "/js/%2e%2e/%2e%2e/secret.txt",
        "/..\\secret.txt",
        "/outside.txt",
        "/%00",
        "/index.html%00.js",
        "/{folder}/../secret.txt",
        "//{folder}/../secret.txt",
    ],
)
@pytest.mark.parametrize("more", [{}, {"web_default_file": "../secret.txt"}, {"web_default_file": "outside.txt"}])
def test_nothing_outside_is_served(serve: Serve, folder: Path, path: str, more: dict[str, str]) -> None:
    server = serve(web_client=str(folder), **more)
    line = HTTPConnection("127.0.0.1", server.port, timeout=20)
    line.request("GET", path.replace("{folder}", str(folder).lstrip("/")))  # as it stands, no client tidies it up
    answer = line.getresponse()
    assert b"pepper" not in answer.read()
    assert answer.status in (400, 404)
    line.close()


def test_a_file_that_may_not_be_read(client: Served, folder: Path) -> None:
    (folder / "locked.txt").write_text("locked")
    (folder / "locked.txt").chmod(0)
    expected = 200 if os.access(folder / "locked.txt", os.R_OK) else 404  # root may read everything
    assert client.http.get("/locked.txt").status_code == expected


@pytest.mark.parametrize("path", ["/absent", "/a/b/c", "/empty/"])
def test_the_default_file_stands_in_for_what_is_not_there(serve: Serve, folder: Path, path: str) -> None:
    answer = serve(web_client=str(folder), web_default_file="js/app.js").http.get(path)
    assert (answer.status_code, answer.text) == (200, "alert(1)")


@pytest.mark.parametrize("target", ["/index.html", "index.html"])
def test_or_sends_on_which_goes_before_the_default_file(serve: Serve, folder: Path, target: str) -> None:
    server = serve(web_client=str(folder), web_default_file="js/app.js", web_redirect_path=target)
    answer = server.http.get("/absent")
    assert (answer.status_code, answer.headers["location"]) == (308, "/index.html")


def test_nobody_is_sent_round_in_circles(serve: Serve, folder: Path) -> None:
    server = serve(web_client=str(folder), web_redirect_path="/gone")
    assert server.http.get("/gone").status_code == 404
    assert server.http.get("/elsewhere").status_code == 308


@pytest.mark.parametrize("path", ["/healthz", "/docs", "/metrics", "/openapi.json"])
def test_pages_of_the_server_go_before_files(serve: Serve, folder: Path, path: str) -> None:
    (folder / path[1:]).write_text("of the client")
    assert serve(web_client=str(folder)).http.get(path).text != "of the client"


def test_the_api_is_not_the_web_clients(serve: Serve, folder: Path) -> None:
    server = serve(web_client=str(folder), web_default_file="index.html", cors_domains=("*",))
    assert server.http.get("/api/absent").status_code == 404
    assert server.http.get("/interface").text == "v1"
    assert server.http.post("/index.html").status_code == 404
    page = server.http.get("/", headers={"origin": "https://example.org"})
    assert page.headers["access-control-allow-origin"] == "*"


def test_an_unchanged_file_is_not_sent_again(client: Served) -> None:
    tag = client.http.get("/js/app.js").headers["etag"]
    again = client.http.get("/js/app.js", headers={"if-none-match": tag})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize("web_client", ["", "/absent/folder"])
def test_without_a_web_client_the_console_is_shown(serve: Serve, web_client: str) -> None:
    server = serve(web_client=web_client)
    answer = server.http.get("/")
    assert answer.status_code == 200
    assert "/dvidpy/app.js" in answer.text
    assert server.http.get("/index.html").status_code == 404
