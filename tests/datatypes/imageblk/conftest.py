from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

Point = tuple[int, int, int]


class Volumes:
    """Instances of one repo over HTTP; arrays are (z, y, x), points and sizes of requests x, y, z."""

    def __init__(self, client: TestClient, root: str) -> None:
        self.client = client
        self.root = root

    def new(self, typename: str = "uint8blk", name: str = "g", **settings: str) -> str:
        """Path of a new instance."""
        given = {"typename": typename, "dataname": name, **settings}
        answer = self.client.post(f"/api/repo/{self.root}/instance", json=given)
        assert answer.status_code == 200, answer.text
        return f"/api/node/{self.root}/{name}"

    def post(self, path: str, offset: Point, voxels: np.ndarray, query: str = "") -> None:
        answer = self.client.post(
            f"{path}/raw/0_1_2/{size_of(voxels)}/{text_of(offset)}{query}", content=voxels.tobytes()
        )
        assert answer.status_code == 200, answer.text

    def get(self, path: str, offset: Point, size: Point, dtype: Any = np.uint8, query: str = "") -> np.ndarray:
        answer = self.client.get(f"{path}/raw/0_1_2/{text_of(size)}/{text_of(offset)}{query}")
        assert answer.status_code == 200, answer.text
        assert len(answer.content) == int(answer.headers["content-length"])
        return np.frombuffer(answer.content, dtype).reshape(size[::-1])

    def status(self, method: str, path: str, body: bytes | None = None) -> int:
        return int(self.client.request(method, path, content=body).status_code)

    def info(self, path: str) -> dict[str, Any]:
        found: dict[str, Any] = self.client.get(f"{path}/info").json()
        return found

    def commit(self, uuid: str) -> None:
        assert self.client.post(f"/api/node/{uuid}/commit", json={"note": "done"}).status_code == 200

    def child(self, uuid: str, branch: str = "") -> str:
        action, body = ("branch", {"branch": branch}) if branch else ("newversion", {})
        return str(self.client.post(f"/api/node/{uuid}/{action}", json=body).json()["child"])


def text_of(point: tuple[int, ...]) -> str:
    return "_".join(map(str, point))


def size_of(voxels: np.ndarray) -> str:
    return text_of(voxels.shape[::-1])


@pytest.fixture
def volumes(client: TestClient, repo: str) -> Volumes:
    return Volumes(client, repo)


@pytest.fixture
def noise() -> np.random.Generator:
    return np.random.default_rng(11)
