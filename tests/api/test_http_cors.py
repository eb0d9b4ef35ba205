"""Cross-origin requests: headers on every answer, preflights before routing."""

from __future__ import annotations

import pytest
from served import Serve, Served

from dvidpy.api.cors import Cors

PREFLIGHT = {"Origin": "https://viewer.example.org", "Access-Control-Request-Method": "POST"}
ALLOW = "access-control-allow-origin"


def paths(served: Served) -> list[tuple[str, str, int]]:
    """(method, path, status) of answers of every kind."""
    kv = served.instance(served.repo())
    served.http.post(f"{kv}/key/a", content=b"1")
    served.http.post(f"{kv}/key/large", content=bytes(3_000_000))
    return [
        ("GET", "/api/heartbeat", 200),
        ("GET", "/api/nowhere", 404),
        ("GET", "/nowhere", 404),
        ("GET", "/api/node/nobody/kv/keys", 400),
        ("GET", f"{kv}/key/a", 200),
        ("HEAD", f"{kv}/key/a", 200),
        ("GET", f"{kv}/key/none", 404),
        ("GET", f"{kv}/key/large", 200),
        ("GET", f"{kv}/keyrangevalues/a/z", 200),
        ("POST", f"{kv}/key/b", 200),
        ("POST", f"{kv}/nothing", 400),
        ("OPTIONS", f"{kv}/nothing", 400),
        ("GET", "/healthz", 200),
        ("GET", "/docs", 200),
        ("GET", "/openapi.json", 200),
        ("GET", "/", 200),
    ]


def test_all_origins(serve: Serve) -> None:
    served = serve(cors_domains=("*",))
    for method, path, status in paths(served):
        answer = served.http.request(method, path, headers={"Origin": "https://any.where"})
        assert (answer.status_code, answer.headers[ALLOW]) == (status, "*"), path
        assert "content-range" in answer.headers["access-control-expose-headers"]
        assert served.http.request(method, path).headers[ALLOW] == "*"


def test_listed_origins_only(serve: Serve) -> None:
    served = serve(cors_domains=("https://one.org", "example.org/"))
    good = ("https://one.org", "https://example.org", "http://example.org:8080", "https://deep.viewer.EXAMPLE.org")
    bad = (
        "https://two.org",
        "http://one.org",
        "https://badexample.org",
        "null",
        "",
        "http://[",
        "example.org.evil.com",
    )
    for method, path, status in paths(served):
        for origin in good:
            answer = served.http.request(method, path, headers={"Origin": origin})
            assert (answer.status_code, answer.headers[ALLOW]) == (status, origin), (path, origin)
            assert answer.headers["vary"].lower() == "origin"
        for origin in bad:
            answer = served.http.request(method, path, headers={"Origin": origin})
            assert (answer.status_code, answer.headers.get(ALLOW)) == (status, None), (path, origin)
            assert answer.headers["vary"].lower() == "origin"


def test_none_are_configured(served: Served) -> None:
    for method, path, status in paths(served):
        answer = served.http.request(method, path, headers={"Origin": "https://any.where"})
        assert answer.status_code == status
        assert not [name for name in answer.headers if name.startswith("access-control")]


@pytest.mark.parametrize("domains", [("*",), ("example.org",), ()])
def test_a_preflight_is_answered_on_every_path_before_anything_else(serve: Serve, domains: tuple[str, ...]) -> None:
    served = serve(cors_domains=domains)
    for path in ("/api/repos", "/api/nowhere", "/api/node/no/no/no/no", "/nowhere", "/", "/interface", "/docs", "/%ff"):
        answer = served.http.options(path, headers=PREFLIGHT)
        assert (answer.status_code, answer.content) == (204, b""), path
        allowed = {"*": "*", "example.org": PREFLIGHT["Origin"]}.get("".join(domains))
        assert answer.headers.get(ALLOW) == allowed
        assert "POST" in answer.headers["access-control-allow-methods"]
        assert "authorization" in answer.headers["access-control-allow-headers"]


def test_other_options_are_no_preflights(serve: Serve) -> None:
    served = serve(cors_domains=("*",))
    kv = served.instance(served.repo())
    for headers in ({}, {"Origin": "https://a.org"}, {"Access-Control-Request-Method": "GET"}):
        assert served.http.options(f"{kv}/key/a", headers=headers).status_code == 400
        assert served.http.options("/api/server/info", headers=headers).headers["allow"] == "GET, HEAD, OPTIONS"
        assert served.http.options("/api/server/nothing", headers=headers).status_code == 404


def test_timing_is_told_where_it_is_allowed(serve: Serve) -> None:
    answer = serve(allow_timing=True).http.get("/api/heartbeat")
    assert answer.headers["timing-allow-origin"] == "*"
    assert ALLOW not in answer.headers


@pytest.mark.parametrize("origin", ["http://[", "http://[::1", "]", "https://a\x00b", "\xff", "http://a:b:c"])
def test_any_origin_is_judged(origin: str) -> None:
    headers = dict(Cors(("example.org",), timing=False).headers([(b"origin", origin.encode("latin-1"))]))
    assert headers == {b"vary": b"origin"}
