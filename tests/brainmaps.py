"""A server that plays Google BrainMaps and its tokens, on 127.0.0.1: one volume of bytes at two scales."""

from __future__ import annotations

import io
import json
import threading
import time
from dataclasses import dataclass, field
from functools import lru_cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import numpy as np
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from PIL import Image

from dvidpy.datatypes.googlevoxels import brainmaps

VOLUME = "281930192:stanford"
_SIZES = ((40, 60, 100), (20, 30, 50))
_SHIFTS = (3, 5, 7)


def volume(scale: int) -> np.ndarray:
    """(z, y, x) bytes of a scale."""
    z, y, x = np.indices(_SIZES[scale], np.uint8)
    return np.asarray((z * _SHIFTS[0] + y * _SHIFTS[1] + x * _SHIFTS[2] + scale) % 251, np.uint8)


def _geometry(scale: int, kind: str = "UINT8") -> dict[str, Any]:
    z, y, x = _SIZES[scale]
    pixel = 8.0 * 2**scale
    return {
        "volumeSize": {"x": str(x), "y": str(y), "z": str(z)},
        "channelCount": "1",
        "channelType": kind,
        "pixelSize": {"x": pixel, "y": pixel, "z": pixel},
    }


DESCRIPTION = {"geometry": [_geometry(1), _geometry(0)]}
"""The coarse scale first: its index is 0."""


@dataclass
class Google:
    """What it does, which tests change, and what it was asked."""

    settings: dict[str, str]
    asked: list[tuple[str, Any]] = field(default_factory=list)
    description: Any = None
    status: int = 200
    token_status: int = 200
    wait_s: float = 0.0
    cut: int = 0
    """Bytes that its answers are too short, or too long below 0."""
    garbage: bytes = b""
    """Sent instead of voxels and pictures."""

    def reset(self) -> None:
        self.asked.clear()
        self.description, self.status, self.token_status, self.wait_s = DESCRIPTION, 200, 200, 0.0
        self.cut, self.garbage = 0, b""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Nothing is written to the terminal."""

    @property
    def google(self) -> Google:
        return self.server.google  # type: ignore[attr-defined,no-any-return]

    def do_GET(self) -> None:
        self._answer(None)

    def do_POST(self) -> None:
        self._answer(self.rfile.read(int(self.headers["content-length"])))

    def _answer(self, body: bytes | None) -> None:
        google = self.google
        if self.path == "/token":
            token = {"access_token": "t0ken", "expires_in": 3600, "token_type": "Bearer"}
            said = token if google.token_status == 200 else {"error": "invalid_grant"}
            self._send(google.token_status, json.dumps(said).encode(), "application/json")
            return
        google.asked.append((self.path, json.loads(body) if body else None))
        time.sleep(google.wait_s)
        if self.headers.get("authorization") != "Bearer t0ken":
            self._send(401, b"no token", "text/plain")
        elif google.status != 200:
            self._send(google.status, b"{}", "application/json")
        elif self.path == f"/v1/volumes/{VOLUME}":
            self._send(200, json.dumps(google.description).encode(), "application/json")
        elif body:
            made = google.garbage or _make(self.path, json.loads(body))
            self._send(200, made[: len(made) - google.cut] if google.cut >= 0 else made + bytes(-google.cut), "x/y")
        else:
            self._send(404, b"", "text/plain")

    def _send(self, status: int, body: bytes, media_type: str) -> None:
        self.send_response(status)
        self.send_header("content-type", media_type)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _make(path: str, asked: Any) -> bytes:
    spec = asked.get("imageSpec", asked)
    x, y, z = map(int, spec["geometry"]["corner"].split(","))
    width, height, depth = map(int, spec["geometry"]["size"].split(","))
    whole = volume(1 - spec["geometry"]["scale"])
    assert min(x, y, z) >= 0
    assert x + width <= whole.shape[2]
    box = whole[z : z + depth, y : y + height, x : x + width]
    assert box.shape == (depth, height, width)
    if path.endswith("/subvolume:binary") and asked["subvolumeFormat"] == "RAW":
        return box.tobytes()
    if path.endswith("/imagetile:binary"):
        assert 1 in box.shape
        pixels = box.squeeze(axis=box.shape.index(1))
    else:
        pixels = box.reshape(depth * height, width)
    out = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(out, spec["imageOptions"]["imageFormat"])
    return out.getvalue()


@lru_cache(1)
def play() -> Google:
    """The one that all tests of this process share; the server asks it from now on."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    address = f"http://127.0.0.1:{server.server_address[1]}"
    key = rsa.generate_private_key(65537, 2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    account = {
        "type": "service_account",
        "client_email": "tests@example.org",
        "private_key_id": "1",
        "private_key": key.decode(),
        "token_uri": f"{address}/token",
    }
    file = Path(mkdtemp()) / "account.json"
    file.write_text(json.dumps(account))
    google = server.google = Google({"volumeid": VOLUME, "jwtfile": str(file)})  # type: ignore[attr-defined]
    google.reset()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    brainmaps.ADDRESS = f"{address}/v1"
    return google
