"""What an annotation instance follows may be set at any time: its lists come to be those of that segmentation."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from annotated import element
from starlette.testclient import TestClient

SLABS = np.ascontiguousarray(np.broadcast_to(np.repeat(np.arange(7, 11, dtype=np.uint64), 16), (64, 64, 64)))
LEFT, RIGHT = (3, 3, 3), (60, 0, 0)


class Annotated:
    """Instances a (annotation) and seg, other (labelmap) of a repo, not related yet."""

    def __init__(self, client: TestClient, root: str) -> None:
        self.client, self.root = client, root
        for kind, name in (("annotation", "a"), ("labelmap", "seg"), ("labelmap", "other")):
            self.post(f"repo/{root}/instance", {"typename": kind, "dataname": name})
        self.put("seg", SLABS)
        self.put("other", SLABS + np.uint64(90))

    def post(self, path: str, body: Any = None, status: int = 200) -> Any:
        answer = self.client.post(f"/api/{path}", json=body)
        assert answer.status_code == status, answer.text
        return answer.json() if answer.content and status == 200 else None

    def put(self, name: str, voxels: Any) -> None:
        path = f"/api/node/{self.root}/{name}/raw/0_1_2/64_64_64/0_0_0?mutate=true"
        assert self.client.post(path, content=voxels.tobytes()).status_code == 200

    def sync(self, *names: str, uuid: str = "", replace: bool = True) -> None:
        self.post(f"node/{uuid or self.root}/a/sync?replace={str(replace).lower()}", {"sync": ",".join(names)})

    def grow(self, branch: str = "") -> str:
        uuid = self.root
        if not self.client.get(f"/api/node/{uuid}/status").json()["Locked"]:
            self.post(f"node/{uuid}/commit", {})
        path, body = ("branch", {"branch": branch}) if branch else ("newversion", {})
        return str(self.post(f"node/{uuid}/{path}", body)["child"])

    def listed(self, *labels: int, uuid: str = "") -> list[list[tuple[int, ...]]]:
        """Points that are listed in each label when all is settled."""
        node = f"/api/node/{uuid or self.root}"
        assert "Pending" not in self.client.get(f"{node}/a/info?wait=true").json()
        found = [self.client.get(f"{node}/a/label/{label}").json() for label in labels]
        return [sorted(tuple(one["Pos"]) for one in some) for some in found]


@pytest.fixture
def world(client: TestClient, repo: str) -> Annotated:
    return Annotated(client, repo)


def test_elements_from_before_a_sync_are_listed(world: Annotated) -> None:
    world.post(f"node/{world.root}/a/elements", [element(LEFT), element(RIGHT), element((1, 1, 90))])
    assert world.listed(7, 10) == [[], []]
    world.sync("seg")
    assert world.listed(7, 10) == [[LEFT], [RIGHT]]


def test_another_segmentation_is_followed(world: Annotated) -> None:
    world.sync("seg")
    world.post(f"node/{world.root}/a/elements", [element(LEFT)])
    assert world.listed(7) == [[LEFT]]
    world.sync("other")
    world.post(f"node/{world.root}/a/elements", [element(RIGHT)])
    assert world.listed(7, 97, 100) == [[], [LEFT], [RIGHT]]


def test_edits_that_were_not_followed_are_caught_up_with(world: Annotated) -> None:
    world.sync("seg")
    world.post(f"node/{world.root}/a/elements", [element(LEFT), element(RIGHT)])
    assert world.listed(7, 10) == [[LEFT], [RIGHT]]
    world.sync()
    world.post(f"node/{world.root}/seg/merge", [7, 10])
    assert world.listed(7, 10) == [[LEFT], [RIGHT]]
    world.sync("seg")
    assert world.listed(7, 10) == [[LEFT, RIGHT], []]


def test_all_open_versions_follow_and_committed_ones_stay(world: Annotated) -> None:
    world.post(f"node/{world.root}/a/elements", [element(LEFT)])
    left, right = world.grow(), world.grow("side")
    world.post(f"node/{right}/a/elements", [element(RIGHT)])
    world.post(f"node/{world.root}/a/sync", {"sync": "seg"}, 400)
    world.sync("seg", uuid=left)
    assert world.listed(7, uuid=left) == [[LEFT]]
    assert world.listed(7, 10, uuid=right) == [[LEFT], [RIGHT]]
    assert world.listed(7) == [[]]


def test_lists_that_were_posted_stay_until_a_reload(world: Annotated) -> None:
    world.post(f"node/{world.root}/a/blocks", {"0,0,0": [element(LEFT)]})
    world.post(f"node/{world.root}/a/labels", {"9": '[{"Pos":[3,3,3]}]'})
    world.sync("seg")
    assert world.listed(7, 9) == [[], [LEFT]]
    world.post(f"node/{world.root}/a/reload")
    assert world.listed(7, 9) == [[LEFT], []]


def test_nothing_is_done_again_where_nothing_changes(world: Annotated) -> None:
    world.sync("seg")
    world.post(f"node/{world.root}/a/elements", [element(LEFT)])
    before = world.client.get(f"/api/node/{world.root}/a/mutations").json()
    world.sync("seg", replace=False)
    assert world.client.get(f"/api/node/{world.root}/a/mutations").json() == before
