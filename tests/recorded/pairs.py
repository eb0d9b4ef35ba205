"""Request / answer pairs of the project's own: reading, asking, and the form in which answers are compared.

A scenario is a JSON file: what it is about, the uuids it makes, and exchanges in order. In texts, `<root>` stands for
the uuid of that name (`<root:8>` for its beginning), which every run makes anew; in answers also `<uuid>` for any
other one, `<time>` for a time, `<any>` for what varies. An exchange:

| member | meaning |
|---|---|
| ask | method and path |
| json, text, base64, ramp, gzip | the body: JSON, text, bytes, n bytes that count up, the same packed |
| headers | of the request |
| keep | name -> member of the JSON answer that is its uuid |
| any | members of JSON answers that vary |
| only | members of a JSON answer that belong to the scenario |
| how | `json` whatever it is called; `shape`: only types of JSON; `brief`: the first line; `size`: how many bytes |
| answer | status, type, content-range and retry-after, and json, text, base64, picture, or size and sha256 |

`record.py` writes the answers (`make record`).
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import re
import uuid
from pathlib import Path
from typing import Any

import requests

FOLDER = Path(__file__).parent
SMALL = 512
"""Bytes up to which a body stands in the file itself."""
VARIES = ("VersionID", "Parents", "Children", "MutationID", "SavedMutationID", "KVStore")
"""Members that depend on what the server did before."""
HEADERS = ("content-range", "retry-after")

Exchange = dict[str, Any]
_NAME = re.compile(r"<(\w+)(?::(\d+))?>")
_UUID = re.compile(r"\b[0-9a-f]{32}\b")
_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)?")


class Player:
    """Asks one server the exchanges of one scenario."""

    def __init__(self, url: str, scenario: dict[str, Any], session: requests.Session) -> None:
        self._url, self._session = url.rstrip("/"), session
        self._uuids = {name: uuid.uuid4().hex for name in scenario["uuids"]}

    def answer(self, exchange: Exchange) -> Exchange:
        """The answer of the server, in the form that is compared."""
        method, _, path = exchange["ask"].partition(" ")
        answer = self._session.request(
            method, self._url + self._fill(path), data=self._body(exchange), headers=exchange.get("headers"), timeout=60
        )
        if answer.ok and "keep" in exchange:
            self._uuids |= {name: answer.json()[member] for name, member in exchange["keep"].items()}
        media_type = answer.headers.get("content-type", "").partition(";")[0]
        kept: Exchange = {"status": answer.status_code, "type": media_type}
        kept |= {name: answer.headers[name] for name in HEADERS if name in answer.headers}
        if answer.ok and method != "HEAD":
            kept |= self._form(answer.content, media_type, exchange)
        return kept

    def _fill(self, text: str) -> str:
        return _NAME.sub(lambda found: self._uuids[found[1]][: int(found[2] or 32)], text)

    def _body(self, exchange: Exchange) -> bytes | None:
        if "json" in exchange:
            return self._fill(json.dumps(exchange["json"])).encode()
        if "text" in exchange:
            return self._fill(exchange["text"]).encode()
        if "base64" in exchange:
            return base64.b64decode(exchange["base64"])
        if "ramp" in exchange:
            return ramp(exchange["ramp"])
        return gzip.compress(ramp(exchange["gzip"]), mtime=0) if "gzip" in exchange else None

    # ------------------------------------------------------------------ what is compared
    def _form(self, body: bytes, media_type: str, exchange: Exchange) -> Exchange:
        if exchange.get("how") == "size":
            return {"size": len(body)}
        if media_type.endswith(("/json", "+json")) or exchange.get("how") in ("json", "shape"):
            value = json.loads(self._mask(body.decode()))
            if "only" in exchange:
                value = {name: value[name] for name in exchange["only"]}
            return {"json": _shape(value) if exchange.get("how") == "shape" else _vary(value, exchange.get("any", ()))}
        if media_type.startswith("text/"):
            text = self._mask(body.decode())
            return {"text": text.partition("\n")[0] if exchange.get("how") == "brief" else text}
        if media_type.startswith("image/"):
            return {"picture": _picture(body)}
        if len(body) <= SMALL:
            return {"base64": base64.b64encode(body).decode()}
        return {"size": len(body), "sha256": hashlib.sha256(body).hexdigest()}

    def _mask(self, text: str) -> str:
        for name, value in self._uuids.items():
            text = text.replace(value, f"<{name}>")
        return _TIME.sub("<time>", _UUID.sub("<uuid>", text))


def ramp(size: int) -> bytes:
    """Bytes that count up to 250, again and again."""
    return bytes(number % 251 for number in range(size))


def _vary(value: Any, names: Any) -> Any:
    if isinstance(value, dict):
        return {k: "<any>" if k in VARIES or k in names else _vary(v, names) for k, v in value.items()}
    return [_vary(one, names) for one in value] if isinstance(value, list) else value


def _shape(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _shape(one) for name, one in value.items()}
    return type(value).__name__


def _picture(body: bytes) -> Exchange:
    """Pixels where none are lost, else format and size alone."""
    from PIL import Image

    with Image.open(io.BytesIO(body)) as picture:
        kept: Exchange = {"format": picture.format, "size": list(picture.size), "mode": picture.mode}
        if picture.format != "JPEG":
            kept["sha256"] = hashlib.sha256(picture.tobytes()).hexdigest()
    return kept


# ---------------------------------------------------------------------- files
def scenarios() -> list[Path]:
    """All files."""
    return sorted(FOLDER.glob("*/*.json"))


def read(path: Path) -> dict[str, Any]:
    """A scenario."""
    scenario: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return scenario


def write(path: Path, scenario: dict[str, Any]) -> None:
    """One line an exchange, so that a change is seen as one."""
    lines = ",\n  ".join(json.dumps(exchange, ensure_ascii=False) for exchange in scenario["exchanges"])
    head = f' "about": {json.dumps(scenario["about"])},\n "uuids": {json.dumps(scenario["uuids"])},\n'
    path.write_text(f'{{\n{head} "exchanges": [\n  {lines}\n ]\n}}\n', encoding="utf-8")
