"""/neuroglancer/: the files of a folder that may not be there yet."""

from __future__ import annotations

from pathlib import Path

import pytest
from served import Serve


def build(folder: Path) -> None:
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text("<title>viewer</title>")
    (folder / "assets" / "main-3f01.js").write_text("1")


def test_without_it_the_page_tells_the_command(serve: Serve, tmp_path: Path) -> None:
    served = serve(neuroglancer=str(tmp_path / "viewer"))
    for path in ("/neuroglancer/", "/neuroglancer/assets/main-3f01.js"):
        answer = served.http.get(path)
        assert answer.status_code == 404
        assert "<pre>dvidpy neuroglancer</pre>" in answer.text
    assert served.http.get("/neuroglancer").headers["location"] == "/neuroglancer/"


def test_it_may_be_built_while_the_server_runs(serve: Serve, tmp_path: Path) -> None:
    served = serve(neuroglancer=str(tmp_path / "viewer"))
    assert served.http.get("/neuroglancer/").status_code == 404
    build(tmp_path / "viewer")
    page = served.http.get("/neuroglancer/")
    assert (page.status_code, page.text) == (200, "<title>viewer</title>")
    assert page.headers["cache-control"] == "no-cache"
    asset = served.http.get("/neuroglancer/assets/main-3f01.js")
    assert asset.status_code == 200
    assert "immutable" in asset.headers["cache-control"]
    assert served.http.get("/neuroglancer/absent").status_code == 404


@pytest.mark.parametrize("path", ["/neuroglancer/../secret.txt", "/neuroglancer/%2e%2e/secret.txt"])
def test_nothing_outside_of_it_is_served(serve: Serve, tmp_path: Path, path: str) -> None:
    build(tmp_path / "viewer")
    (tmp_path / "secret.txt").write_text("pepper")
    assert b"pepper" not in serve(neuroglancer=str(tmp_path / "viewer")).raw(
        f"GET {path} HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n".encode()
    )


def test_a_web_client_keeps_its_own(serve: Serve, tmp_path: Path) -> None:
    build(tmp_path / "viewer")
    (tmp_path / "client" / "neuroglancer").mkdir(parents=True)
    (tmp_path / "client" / "neuroglancer" / "index.html").write_text("theirs")
    theirs = serve(neuroglancer=str(tmp_path / "viewer"), web_client=str(tmp_path / "client"))
    assert theirs.http.get("/neuroglancer/").text == "theirs"
