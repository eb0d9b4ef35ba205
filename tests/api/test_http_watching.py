"""What operators see: the log, metrics, health, latencies, and bugs of ours."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
import structlog
from prometheus_client.parser import text_string_to_metric_families
from served import TOKEN, Serve, Served

from dvidpy.api.metrics import METHODS
from dvidpy.api.state import USERS
from dvidpy.storage.log import JsonLines


@pytest.fixture
def kv(served: Served) -> str:
    return served.instance(served.repo())


def counted(served: Served) -> dict[tuple[str, str, str], float]:
    """(method, route, status) -> requests."""
    families = text_string_to_metric_families(served.http.get("/metrics").text)
    return {
        (sample.labels["method"], sample.labels["route"], sample.labels["status"]): sample.value
        for family in families
        for sample in family.samples
        if sample.name == "dvidpy_request_seconds_count"
    }


# ---------------------------------------------------------------------- the log
def test_one_json_line_a_request(served: Served, kv: str) -> None:
    before = len(served.log_lines())
    served.http.post(f"{kv}/key/a%20b?u=jane&app=tracer&admintoken={TOKEN}", content=b"12345")
    served.http.get(f"{kv}/key/a%20b")
    served.http.get(f"{kv}/key/none")
    served.http.post(f"{kv}/key/chunked", content=iter([b"x" * 10, b"y" * 7]))
    text = served.log_lines()[before:]
    lines = [json.loads(line) for line in text]
    shown = [(line["method"], line["path"], line["status"], line["in"]) for line in lines]
    assert shown == [
        ("POST", f"{kv}/key/a b", 200, 5),
        ("GET", f"{kv}/key/a b", 200, 0),
        ("GET", f"{kv}/key/none", 404, 0),
        ("POST", f"{kv}/key/chunked", 200, 17),
    ]
    assert [line["out"] for line in lines[:2]] == [0, 5]
    assert (lines[0]["user"], lines[0]["app"]) == ("jane", "tracer")
    assert "user" not in lines[1]
    assert len({line["id"] for line in lines}) == len(lines)
    assert all(line["event"] == "request" and line["ms"] >= 0 for line in lines)


def test_no_token_ever_stands_in_the_log(served: Served, kv: str) -> None:
    for path in (f"{kv}/key/a", "/api/server/config", "/api/nowhere", "/api/repos/info", f"{kv}/key/%ff"):
        for query in (f"admintoken={TOKEN}", f"u=x&admintoken={TOKEN}", f"admintoken=wrong-{TOKEN}"):
            served.http.get(f"{path}?{query}")
            served.http.post(f"{path}?{query}", content=b"{}")
    text = b"\n".join(served.log_lines())
    assert len(text) > 1000
    assert TOKEN.encode() not in text


def test_lines_stay_lines_whatever_stands_in_the_path(served: Served, kv: str) -> None:
    before = len(served.log_lines())
    for key in ('a%0A{"event":"forged"}', "%22", "%00", "%E2%80%A8", "%F0%9F%90%9F"):
        served.http.get(f"{kv}/key/{key}?u=a%0Ab")
    lines = [json.loads(line) for line in served.log_lines()[before:]]
    assert [line["event"] for line in lines] == ["request"] * 5
    assert {line["user"] for line in lines} == {"a\nb"}


def test_what_machines_poll_is_not_logged(served: Served) -> None:
    before = len(served.log_lines())
    for path in ("/api/load", "/api/heartbeat?u=x", "/api/user-latencies", "/healthz", "/readyz", "/metrics"):
        assert served.http.get(path).status_code == 200
    assert len(served.log_lines()) == before


# ---------------------------------------------------------------------- bugs of ours
@pytest.mark.parametrize("where", ["info", "all_keys", "put"])
def test_a_bug_is_a_500_with_an_id_and_the_server_goes_on(
    served: Served, kv: str, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    from dvidpy.datatypes.keyvalue.values import KeyValue

    def broken(*_: Any) -> Any:
        raise ZeroDivisionError("a bug that was put here")

    asked: dict[str, Callable[[], Any]] = {
        "info": lambda: served.http.get(f"{kv}/info?admintoken={TOKEN}"),
        "all_keys": lambda: served.http.get(f"{kv}/keys?admintoken={TOKEN}"),
        "put": lambda: served.http.post(f"{kv}/key/a?admintoken={TOKEN}", content=b"1"),
    }
    monkeypatch.setattr(KeyValue, where, broken)
    with structlog.testing.capture_logs() as logs:
        answer = asked[where]()
    assert answer.status_code == 500
    number = answer.headers["x-request-id"]
    assert answer.text == f"internal error, please report request {number}\n"
    (entry,) = [entry for entry in logs if entry["event"] == "internal error"]
    assert (entry["id"], entry["log_level"]) == (number, "error")
    assert "ZeroDivisionError: a bug that was put here" in entry["trace"]
    assert TOKEN not in json.dumps(logs)
    assert json.loads(served.log_lines()[-1])["id"] == number
    monkeypatch.undo()
    assert asked[where]().status_code == 200
    assert served.server.datastore.gates.writing() == 0


def test_a_bug_in_the_middle_of_an_answer_breaks_it_off(
    served: Served, kv: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dvidpy.datatypes.exchange import WHOLE, pieces_reply
    from dvidpy.datatypes.keyvalues import forms

    def pieces(_: Any) -> Any:
        yield bytes(WHOLE)
        yield bytes(100_000)
        raise ZeroDivisionError("a bug that was put here")

    monkeypatch.setattr(forms, "pieces_reply", lambda given, media_type: pieces_reply(pieces(given), media_type))
    answer = served.raw(b"GET %b/keyrangevalues/a/b HTTP/1.1\r\n\r\n" % kv.encode())
    assert answer.startswith(b"HTTP/1.1 200")
    assert not answer.endswith(b"0\r\n\r\n")  # a client must see that it is not whole
    monkeypatch.undo()
    assert served.http.get(f"{kv}/keys").json() == []


# ---------------------------------------------------------------------- metrics, health
def test_metrics_count_by_route_templates(served: Served, kv: str) -> None:
    for number in range(30):
        served.http.post(f"{kv}/key/k{number}", content=b"1")
        served.http.get(f"{kv}/key/k{number}")
        served.http.get(f"/api/nowhere/{number}")
        served.http.get(f"/api/repo/{number}/info")
        served.http.get(f"/api/node/{number}/kv/keys")
        served.http.get(f"{kv}/nothing{number}")
        served.http.get(f"/api/server/blobstore/{number}")
        served.http.request("PROPFIND", f"/api/{number}")
    found = counted(served)
    assert found["POST", "/api/node/{uuid}/{keyvalue}/key/{key}", "200"] == 30
    assert found["GET", "/api/node/{uuid}/{keyvalue}/key/{key}", "200"] == 30
    assert len(found) < 15
    assert {method for method, _, _ in found} <= METHODS | {"other"}
    assert not [route for _, route, _ in found if re.search(r"\d", route)]
    text = served.http.get("/metrics").text
    for name in ("queue_length", "commits_waiting", "store_bytes", "cache_hits", "requests_active", "response_bytes"):
        assert f"dvidpy_{name}" in text
    assert "process_resident_memory_bytes" in text


def test_health(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    for path, text in [("/healthz", "ok\n"), ("/readyz", "ready\n")]:
        assert served.http.get(path).text == text
        head = served.http.head(path)
        assert (head.status_code, head.content) == (200, b"")

    def broken(_: bytes) -> bytes:
        raise OSError("no disk")

    monkeypatch.setattr(served.server.datastore.main.store, "get", broken)
    assert served.http.get("/readyz").status_code == 503
    assert served.http.get("/healthz").status_code == 200


# ---------------------------------------------------------------------- latencies, load, interactive
def test_latencies_of_users(served: Served) -> None:
    served.http.get("/api/heartbeat?u=jane")
    served.http.get("/api/load?u=jane")
    one = served.http.get("/api/user-latencies?u=jane").json()
    assert one["User"] == "jane"
    assert 0 <= one["MinLatency"] <= one["LastLatency"] <= one["MaxLatency"]
    assert list(served.http.get("/api/user-latencies").json()) == ["jane"]
    assert served.http.get("/api/user-latencies?u=nobody").json()["User"] == ""


def test_made_up_users_do_not_fill_the_memory(served: Served) -> None:
    for number in range(USERS + 50):
        served.http.get(f"/api/heartbeat?u=user{number}")
    known = served.http.get("/api/user-latencies").json()
    assert len(known) == USERS
    assert f"user{USERS + 49}" in known
    assert "user0" not in known


def test_load_is_whole_numbers(served: Served) -> None:
    shown = served.http.get("/api/load").json()
    assert len(shown) == 12
    assert all(type(value) is int for value in shown.values())


def test_interactive_requests_hold_background_work_back(serve: Serve) -> None:
    served = serve(interactive_ops_before_block=3)
    kv = served.instance(served.repo())
    for query in ("?interactive=false", "?u=x&interactive=0"):
        for _ in range(5):
            served.http.get(f"{kv}/keys{query}")
            served.http.get(f"{kv}/key/a{query}")
    assert not served.server.people_are_working()
    for _ in range(3):
        served.http.get(f"{kv}/keys")
    assert not served.server.people_are_working()
    served.http.get(f"{kv}/key/a?interactive=true")
    assert served.server.people_are_working()


def test_an_edit_stands_though_its_line_cannot_be_written(
    served: Served, kv: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(lines: JsonLines, name: str, text: bytes) -> None:
        raise OSError("no space left")

    served.http.post(f"{kv}/key/a", content=b"1")
    with monkeypatch.context() as patch:
        patch.setattr(JsonLines, "append", fail)
        assert served.http.post(f"{kv}/key/b", content=b"2").status_code == 200
        assert served.http.get(f"{kv}/key/b").content == b"2"
        assert [one["Key"] for one in served.http.get(f"{kv}/mutations").json()] == ["a", "b"]
        assert 'dvidpy_log_behind{store="main"} 1.0' in served.http.get("/metrics").text
    served.http.post(f"{kv}/key/c", content=b"3")
    assert [one["Key"] for one in served.http.get(f"{kv}/mutations").json()] == ["a", "b", "c"]
    assert 'dvidpy_log_behind{store="main"} 0.0' in served.http.get("/metrics").text
