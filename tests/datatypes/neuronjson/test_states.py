"""Any order of edits, commits, branches and queries agrees with a plain model."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)
from served import Served, running

from dvidpy.config import ServerSettings, Settings, StoreSettings
from dvidpy.datatypes.keyvalues.messages import encode_keyvalues
from dvidpy.datatypes.neuronjson import tables

BODIES = st.integers(1, 6).map(lambda number: number**5)
FIELDS = st.sampled_from(["type", "size", "tags", 'odd "name"'])
TEXTS: list[Any] = ["KC", "MBON", "K\nC", "", ["KC", 12], ["MBON"]]
REGULAR: dict[str, Callable[[str], bool]] = {
    "re/^K": lambda text: text.startswith("K"),
    "re/C$": lambda text: text.endswith("C"),
    "re/B": lambda text: "B" in text,
}
VALUES = st.sampled_from([*TEXTS, None, 5, 12, -7, 2.5, True, False, [], {"x": 1}])
POSTS = st.dictionaries(FIELDS, VALUES, max_size=3)
ASKED = st.sampled_from([*TEXTS, 5, True, [2.5, 12], *REGULAR, ["re/B", 5], "exists/1", "exists/0", -7, []])
QUERIES = st.dictionaries(FIELDS, ASKED, min_size=1, max_size=2)
Annotations = dict[int, dict[str, Any]]


def meets(value: Any, asked: Any) -> bool:
    if asked in ("exists/0", "exists/1") and isinstance(asked, str):
        return (value is not None) == (asked == "exists/1")
    own = value if isinstance(value, list) else [value]
    for one in asked if isinstance(asked, list) else [asked]:
        if isinstance(one, str) and one in REGULAR:
            if any(isinstance(v, str) and REGULAR[one](v) for v in own):
                return True
        elif any(type(v) is type(one) and v == one for v in own):
            return True
    return False


class Neurons(RuleBasedStateMachine):
    served: Served
    versions = Bundle("versions")

    @initialize(target=versions)
    def begin(self) -> str:
        self.root = self.served.repo()
        self.served.instance(self.root, "nj", "neuronjson")
        self.model: dict[str, Annotations] = {self.root: {}}
        self.locked: set[str] = set()
        self.branches = 0
        return self.root

    def path(self, version: str, rest: str) -> str:
        return f"/api/node/{version}/nj/{rest}"

    def edit(self, version: str, body: int, fields: dict[str, Any], *, replace: bool) -> None:
        annotations = self.model[version]
        kept = {} if replace else annotations.get(body, {})
        new = {name: value for name, value in (kept | fields).items() if value is not None}
        annotations[body] = new

    @rule(version=versions, body=BODIES, fields=POSTS, replace=st.booleans())
    def post(self, version: str, body: int, fields: dict[str, Any], replace: bool) -> None:
        options = {"u": "ann", "replace": str(replace).lower()}
        answer = self.served.http.post(
            self.path(version, f"key/{body}"), params=options, json={"bodyid": body} | fields
        )
        assert answer.status_code == (400 if version in self.locked else 200)
        if answer.is_success:
            self.edit(version, body, fields, replace=replace)

    @rule(version=versions, members=st.lists(st.tuples(BODIES, POSTS), max_size=4), bad=st.booleans())
    def post_many(self, version: str, members: list[tuple[int, dict[str, Any]]], bad: bool) -> None:
        pairs = [(str(body), json.dumps({"bodyid": body} | fields).encode()) for body, fields in members]
        sent = [*pairs, ("9", b'{"bodyid": 8}'), ("8", b'{"bodyid": 8}')] if bad else pairs
        answer = self.served.http.post(self.path(version, "keyvalues?u=bob"), content=encode_keyvalues(sent))
        assert answer.status_code == (400 if bad or version in self.locked else 200)
        for body, fields in () if version in self.locked else members:
            self.edit(version, body, fields, replace=False)

    @rule(version=versions, body=BODIES)
    def delete(self, version: str, body: int) -> None:
        answer = self.served.http.delete(self.path(version, f"key/{body}"))
        assert answer.status_code == (400 if version in self.locked else 200)
        if answer.is_success:
            self.model[version].pop(body, None)

    @rule(version=versions, target=versions)
    def branch(self, version: str) -> Any:
        if len(self.model) > 5:
            return multiple()
        if version not in self.locked:
            self.served.commit(version)
            self.locked.add(version)
        self.branches += 1
        child = self.served.child(version, "branch", branch=f"b{self.branches}")
        self.model[child] = {body: dict(fields) for body, fields in self.model[version].items()}
        return child

    @rule(version=versions, queries=st.lists(QUERIES, min_size=1, max_size=2))
    def query(self, version: str, queries: list[dict[str, Any]]) -> None:
        found = self.served.http.post(self.path(version, "query"), json=queries).json()
        expected = [
            {"bodyid": body} | fields
            for body, fields in sorted(self.model[version].items())
            if any(all(meets(fields.get(name), asked) for name, asked in query.items()) for query in queries)
        ]
        assert sorted(found, key=lambda one: one["bodyid"]) == expected

    @rule(version=versions)
    def count(self, version: str) -> None:
        counts = self.served.http.get(self.path(version, "fields?counts=true")).json()
        expected: dict[str, int] = {}
        for fields in self.model[version].values():
            for name in ("bodyid", *fields):
                expected[name] = expected.get(name, 0) + 1
        assert {name: count for name, count in counts.items() if not name.endswith(("_user", "_time"))} == expected

    @rule(version=versions)
    def list_all(self, version: str) -> None:
        keys = self.served.http.get(self.path(version, "keys")).json()
        assert sorted(map(int, keys)) == sorted(self.model[version])
        values = self.served.http.get(self.path(version, "keyrangevalues/0/a?json=true")).json()
        assert values == {str(body): {"bodyid": body} | fields for body, fields in self.model[version].items()}

    @invariant()
    def nothing_failed(self) -> None:
        assert b" 500 " not in self.served.log.getvalue()


@contextmanager
def _server() -> Iterator[Served]:
    settings_of = Settings(
        server=ServerSettings(admin_token="sesame", workers=2), stores={"main": StoreSettings(engine="memory")}
    )
    with running(settings_of) as served:
        yield served


@pytest.mark.parametrize("kept", [1, tables.TABLES])
def test_any_order_of_edits_agrees_with_a_plain_model(kept: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "TABLES", kept)
    monkeypatch.setattr("dvidpy.datatypes.neuronjson.columns.SPARE", 2)
    with _server() as served:
        machine = type("OnServer", (Neurons,), {"served": served})
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=25, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
            ),
        )
