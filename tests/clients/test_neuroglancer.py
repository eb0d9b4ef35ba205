"""What Neuroglancer's dvid source sends from a page of another server: who may read, and what it does for a token.

It asks without credentials. Told 401 or 403, as by a proxy in front of the server, it asks for a token with
the cookies of the user and sends it along: as `Bearer [object Object]` in the releases so far.
"""

from __future__ import annotations

from io import BytesIO

import httpx
import numpy as np
import pytest
from PIL import Image
from served import Serve, Served

from dvidpy.api.cors import Cors

PAGE = "https://viewer.example.org"
ALLOW, CREDENTIALS = "access-control-allow-origin", "access-control-allow-credentials"
SIDE = 64
SENT = "Bearer [object Object]"


class Data:
    """An image, a picture kept as JPEG, and labels, asked for as from a page."""

    def __init__(self, served: Served) -> None:
        self.http = served.http
        self.root = served.repo(alias="shown")
        self.voxels = (np.indices((SIDE,) * 3).sum(0) % 200).astype(np.uint8)
        for name, typename, settings in (
            ("gray", "uint8blk", {}),
            ("jpeg", "uint8blk", {"Compression": "jpeg"}),
            ("cells", "labelmap", {"MaxDownresLevel": "1"}),
        ):
            path = served.instance(self.root, name, typename, BlockSize="64,64,64", **settings)
            kind = np.uint64 if name == "cells" else np.uint8
            size = "_".join([str(SIDE)] * 3)
            posted = self.http.post(f"{path}/raw/0_1_2/{size}/0_0_0", content=self.voxels.astype(kind).tobytes())
            assert posted.status_code == 200

    def ask(self, path: str, **headers: str) -> httpx.Response:
        return self.http.get(path, headers={"Origin": PAGE, **headers})

    def chunks(self) -> list[str]:
        """One of each kind that the source asks for."""
        node = f"/api/node/{self.root}"
        return [
            f"{node}/gray/raw/0_1_2/64_64_64/0_0_0/jpeg?app=Neuroglancer",
            f"{node}/jpeg/subvolblocks/64_64_64/0_0_0?app=Neuroglancer",
            f"{node}/cells/raw/0_1_2/64_64_64/0_0_0?compression=googlegzip&scale=0&app=Neuroglancer",
            f"{node}/cells/raw/0_1_2/64_64_64/64_0_0?compression=googlegzip&scale=1&app=Neuroglancer&u=rosa",
        ]


@pytest.mark.parametrize("domain", ["*", "example.org"])
def test_a_page_of_another_server_reads_all_it_asks_for(serve: Serve, domain: str) -> None:
    data = Data(serve(cors_domains=(domain,)))
    for token in ("", SENT, "Bearer eyJhbGciOiJIUzI1NiJ9.e30.x"):
        demand_readable(data, {"Authorization": token} if token else {})
    for path, status in [("gray/key/1.ngmesh", 400), ("nothing/info", 400), ("cells/sparsevol/999", 404)]:
        refused = data.ask(f"/api/node/{data.root}/{path}")
        assert (refused.status_code, refused.headers[ALLOW] in ("*", PAGE)) == (status, True)
    first = {"Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "authorization"}
    for path in ("/api/repos/info", *data.chunks()):  # before a token is sent, the browser asks whether it may
        answer = data.http.options(path, headers={"Origin": PAGE, **first})
        assert (answer.status_code, answer.headers[ALLOW] in ("*", PAGE)) == (204, True)
        assert "authorization" in answer.headers["access-control-allow-headers"]


def demand_readable(data: Data, sent: dict[str, str]) -> None:
    info = data.ask("/api/repos/info", **sent)
    assert data.root in info.json()
    gray, jpeg, labels, beyond = (data.ask(path, **sent) for path in data.chunks())
    for picture in (gray.content, jpeg.content[16:]):
        with Image.open(BytesIO(picture)) as drawn:
            assert np.abs(np.asarray(drawn).reshape((SIDE,) * 3).astype(int) - data.voxels).mean() < 9
    for chunk in (labels, beyond):  # decoded once: the rest is done by the page
        assert chunk.headers["content-encoding"] == "gzip"
        assert np.frombuffer(chunk.content[:4], "<u4")[0] == 1  # one channel
    for answer in (info, gray, jpeg, labels, beyond):
        assert (answer.status_code, answer.headers[ALLOW] in ("*", PAGE)) == (200, True)


def test_a_named_page_may_ask_for_a_token_with_the_cookies_of_its_user(serve: Serve) -> None:
    """Here there is none, as nobody is kept out: the page is told so."""
    served = serve(cors_domains=("example.org",))
    answer = served.http.get("/api/server/token", headers={"Origin": PAGE, "Cookie": "dsg_token=1"})
    assert (answer.status_code, answer.headers[ALLOW], answer.headers[CREDENTIALS]) == (400, PAGE, "true")
    assert "no authorization is configured" in answer.text


@pytest.mark.parametrize("domains", [("*",), ("elsewhere.org",), ("*", "example.org"), ()])
def test_no_other_page_may(domains: tuple[str, ...]) -> None:
    headers = dict(Cors(domains, timing=False).headers([(b"origin", PAGE.encode())]))
    assert CREDENTIALS.encode() not in headers
