"""The public conformance set: what the reference answered, asked of a running server, one server a group of cases.

Cases of types that are not built yet stand in tests/conformance_open.txt with their reason; one that begins to agree
fails until it is taken off that list.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pytest
from conftest import REPOSITORY
from servers import ServerProcess

from dvidpy.datatypes.registry import load_types

GROUPS = {
    "server": "keyvalue",
    "repo": "keyvalue",
    "keyvalue": "keyvalue",
    "neuronjson": "neuronjson",
    "imageblk": "uint8blk",
    "roi": "roi",
    "tarsupervoxels": "tarsupervoxels",
    "annotation": "annotation",
    "labelsz": "labelsz",
    "labelarray": "labelarray",
    "labelblk": "labelblk",
    "labelvol": "labelvol",
    "labelmap_blocks": "labelmap",
    "labelmap_downres": "labelmap",
    "labelmap_edits": "labelmap",
    "labelmap_index": "labelmap",
    "labelmap_labels": "labelmap",
    "labelmap_points": "labelmap",
    "labelmap_scenario": "labelmap",
    "labelmap_settings": "labelmap",
    "labelmap_sparse": "labelmap",
    "labelmap_versions": "labelmap",
    "labelmap_voxels": "labelmap",
    "imagetile": "imagetile",
    "multichan16": "multichan16",
    "googlevoxels": "googlevoxels",
}
"""File of cases -> the datatype it needs."""
TOKEN = "conf"
FOLDER = Path(os.environ.get("DVIDPY_SHARED", REPOSITORY.parent / "shared")) / "conformance"
OPEN = REPOSITORY / "tests" / "conformance_open.txt"


class Case(NamedTuple):
    group: str
    name: str
    run: Callable[[Any], None]
    golden: list[Any]


def _conform() -> ModuleType:
    if str(FOLDER) not in sys.path:
        sys.path.insert(0, str(FOLDER))
    import conform

    module: ModuleType = conform
    return module


def _cases() -> Iterator[Case]:
    types = load_types()
    for group in (group for group, needed in GROUPS.items() if needed in types):
        golden = json.loads((FOLDER / "cases" / "golden" / f"{group}.json").read_text())
        for stem, name, run in _conform().load_cases(FOLDER / "cases", f"{group}.case_"):
            if stem == group:
                yield Case(group, name, run, golden[name])


def open_cases() -> dict[str, str]:
    """Name -> reason."""
    lines = (line.partition(": ") for line in OPEN.read_text().splitlines() if line and not line.startswith("#"))
    return {name: reason for name, _, reason in lines}


def _parameters() -> Iterator[Any]:
    if not FOLDER.is_dir():
        absent = pytest.mark.skip(reason=f"needs {FOLDER.parent.name}/conformance beside the repository")
        yield pytest.param(None, id="public set", marks=absent)
        return
    unmet = open_cases()
    for case in _cases():
        name = f"{case.group}.{case.name}"
        reason = unmet.get(name)
        yield pytest.param(case, id=name, marks=[pytest.mark.xfail(reason=reason, strict=True)] if reason else [])


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], str]]:
    """Address of the running server of a group, started when first asked for."""
    running: dict[str, ServerProcess] = {}

    def address(group: str) -> str:
        if group not in running:
            folder = tmp_path_factory.mktemp(group)
            running[group] = ServerProcess(folder, environment={"DVID_ADMIN_TOKEN": TOKEN})
            running[group].start()
        return running[group].url

    yield address
    for server in running.values():
        server.stop()


@pytest.mark.parametrize("case", list(_parameters()))
def test_answers_are_the_reference_s(case: Case, servers: Callable[[str], str]) -> None:
    conform = _conform()
    session = conform.Session(servers(case.group), TOKEN)
    try:
        case.run(session)
    finally:
        session.http.close()
    bad, agreeing = conform.compare(case.golden, json.loads(json.dumps(session.records)))
    assert not bad, "\n".join(bad)
    assert agreeing == len(case.golden)


def test_open_cases_are_cases_with_a_reason() -> None:
    assert all(open_cases().values())
    if FOLDER.is_dir():
        assert set(open_cases()) <= {f"{case.group}.{case.name}" for case in _cases()}
