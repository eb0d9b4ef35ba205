"""Cases: functions that ask a server through a `Session`, which keeps every exchange in a form that is compared.

They have the form of the public conformance set, whose own program runs them too (`--cases tests/cases`): `cases/*.py`
with functions `case_<name>(s)`, answers in `cases/golden/*.json`. Write those anew, in tests/, with
`python -m recorded.sessions`; read the difference before you keep it.
"""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import json
import re
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import requests
from servers import ServerProcess

FOLDER = Path(__file__).parents[1] / "cases"
ALWAYS_ANY = ("KVStore", "LogStore", "Checksum")
SMALL = 4096
"""Bytes up to which a body is kept whole."""
_UUID = re.compile(r"\b[0-9a-f]{32}\b")
_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?( ?(Z|[+-]\d\d:?\d\d))?")
Record = dict[str, Any]


class Session:
    """Asks one server, and keeps what it answers."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.http = requests.Session()
        self.records: list[Record] = []
        self._names: dict[str, str] = {}

    def call(
        self,
        method: str,
        path: str,
        data: Any = None,
        as_: str = "none",
        *,
        ok: bool = False,
        record: bool = True,
        expect_header: Sequence[str] = (),
        **options: Any,
    ) -> requests.Response:
        """One exchange; of a refusal only the status counts. With `ok` anything but success is an error."""
        sent = json.dumps(data) if isinstance(data, dict | list) else data
        answer = self.http.request(method, self.url + path, data=sent, timeout=60)
        if record:
            kept: Record = {"call": self._mask(f"{method} {path}"), "status": answer.status_code}
            if answer.ok:
                kept["kind"], kept["body"] = as_, self._mask(_canonical(answer.content, as_, options))
            if expect_header:
                kept["headers"] = {name: answer.headers.get(name) for name in expect_header}
            self.records.append(kept)
        assert answer.ok or not ok, answer.text
        return answer

    def get(self, path: str, as_: str = "none", **options: Any) -> requests.Response:
        """GET."""
        return self.call("GET", path, as_=as_, **options)

    def post(self, path: str, data: Any = None, as_: str = "none", **options: Any) -> requests.Response:
        """POST."""
        return self.call("POST", path, data, as_=as_, **options)

    def delete(self, path: str, **options: Any) -> requests.Response:
        """DELETE."""
        return self.call("DELETE", path, **options)

    def note(self, label: str, value: Any) -> None:
        """Keep a value that a case found."""
        self.records.append({"call": label, "status": 0, "kind": "value", "body": self._mask(value)})

    # ------------------------------------------------------------------ what most cases begin with; not kept
    def repo(self) -> str:
        """A new repo."""
        root = self.post("/api/repos", {"alias": "cases"}, ok=True, record=False).json()["root"]
        return str(self._named(root))

    def instance(self, uuid: str, typename: str, dataname: str, **settings: str) -> str:
        """Path of a new instance."""
        given = {"typename": typename, "dataname": dataname, **settings}
        self.post(f"/api/repo/{uuid}/instance", given, ok=True, record=False)
        return f"/api/node/{uuid}/{dataname}"

    def commit(self, uuid: str) -> None:
        """Lock a version."""
        self.post(f"/api/node/{uuid}/commit", {"note": "c"}, ok=True, record=False)

    def newversion(self, uuid: str) -> str:
        """A new child."""
        answer = self.post(f"/api/node/{uuid}/newversion", {"note": "n"}, ok=True, record=False)
        return str(self._named(answer.json()["child"]))

    def settle(self, seconds: float = 0.1) -> None:
        """Background work goes on meanwhile."""
        time.sleep(seconds)

    # ------------------------------------------------------------------ names
    def _named(self, uuid: str) -> str:
        self._names.setdefault(uuid, f"<u{len(self._names) + 1}>")
        return uuid

    def _mask(self, value: Any) -> Any:
        """Uuids and times are other ones each time."""
        if isinstance(value, str):
            return _TIME.sub("<time>", _UUID.sub(lambda found: self._names[self._named(found[0])], value))
        if isinstance(value, dict):
            return {self._mask(key): self._mask(one) for key, one in value.items()}
        return [self._mask(one) for one in value] if isinstance(value, list) else value


def _canonical(body: bytes, kind: str, options: dict[str, Any]) -> Any:
    if kind == "none":
        return None
    if kind in ("json", "json_unordered"):
        value = _canonical_json(json.loads(body), options.get("any", ()), options.get("drop", ()))
        return _sorted(value) if kind == "json_unordered" else value
    if kind == "custom":
        return options["fn"](body)
    assert kind == "bytes"
    if len(body) <= SMALL:
        return {"len": len(body), "b64": base64.b64encode(body).decode()}
    return {"len": len(body), "sha1": hashlib.sha1(body).hexdigest()}


def _canonical_json(value: Any, unknown: Sequence[str], drop: Sequence[str]) -> Any:
    if isinstance(value, dict):
        return {
            key: "<any>" if key in unknown or key in ALWAYS_ANY else _canonical_json(one, unknown, drop)
            for key, one in value.items()
            if key not in drop
        }
    if isinstance(value, list):
        return [_canonical_json(one, unknown, drop) for one in value]
    return round(value, 6) if isinstance(value, float) else value


def _sorted(value: Any) -> Any:
    if isinstance(value, list):
        return sorted(map(_sorted, value), key=lambda one: json.dumps(one, sort_keys=True))
    return {key: _sorted(one) for key, one in value.items()} if isinstance(value, dict) else value


# ---------------------------------------------------------------------- files
def cases() -> Iterator[tuple[str, str, Callable[[Session], None]]]:
    """(file, name, the case) of all."""
    for file in sorted(FOLDER.glob("*.py")):
        spec = importlib.util.spec_from_file_location(f"cases_{file.stem}", file)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        for name, case in vars(module).items():
            if name.startswith("case_"):
                yield file.stem, name.removeprefix("case_"), case


def golden(stem: str) -> Path:
    """Where the answers to a file of cases are kept."""
    return FOLDER / "golden" / f"{stem}.json"


def run(case: Callable[[Session], None], url: str) -> list[Record]:
    """All exchanges of a case."""
    session = Session(url)
    with session.http:
        case(session)
    kept: list[Record] = json.loads(json.dumps(session.records))
    return kept


def _record(url: str) -> None:
    found: dict[str, dict[str, list[Record]]] = {}
    for stem, name, case in cases():
        found.setdefault(stem, {})[name] = run(case, url)
    for stem, answers in found.items():
        golden(stem).write_text(json.dumps(answers, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    with TemporaryDirectory() as folder:
        server = ServerProcess(Path(folder))
        server.start()
        try:
            _record(server.url)
        finally:
            server.stop()
