"""Options of labelsz over HTTP."""

from __future__ import annotations

import pytest
from served import Served


@pytest.mark.parametrize(
    ("asked", "status"),
    [("offset=", 200), ("offset=-1", 200), ("n=", 200), ("offset=x", 400), ("n=-1", 400), ("offset=99999999999", 400)],
)
def test_pages_of_a_threshold(served: Served, asked: str, status: int) -> None:
    counts = served.instance(served.repo(), "counts", "labelsz")
    assert served.http.get(f"{counts}/threshold/1/PreSyn?{asked}").status_code == status


def test_an_empty_region_setting_is_refused(served: Served) -> None:
    given = {"typename": "labelsz", "dataname": "counts", "ROI": ""}
    assert served.http.post(f"/api/repo/{served.repo()}/instance", json=given).status_code == 400
