"""Every request comes in here: CORS, block list, dispatch, answer, one log line, metrics. One pure ASGI layer."""

from __future__ import annotations

import secrets
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote_to_bytes

from dvidpy.api.blocklist import source_address
from dvidpy.api.cors import Cors
from dvidpy.api.dispatch import StaticTable, run_endpoint
from dvidpy.api.instances import Instances
from dvidpy.api.logs import RequestLog
from dvidpy.api.nodes import answer_node
from dvidpy.api.replies import Send, not_found, refusal, send_reply
from dvidpy.api.repos import answer_repo
from dvidpy.api.state import Server
from dvidpy.datatypes.exchange import TEXT, Call, Gone, Receive, Reply
from dvidpy.errors import BadRequest, DvidError

Scope = dict[str, Any]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

SILENT = ("/api/load", "/api/heartbeat", "/api/user-latencies", "/healthz", "/readyz", "/metrics")
"""Polled by machines: no log line, no block list."""


class Front:
    """The ASGI application. Whatever is not /api or /interface goes to the inner one: documentation, metrics, files."""

    def __init__(self, server: Server, table: StaticTable, inner: App, log: RequestLog) -> None:
        self._server = server
        self._table = table
        self._inner = inner
        self._log = log
        self._cors = Cors(server.settings.server.cors_domains, timing=server.settings.server.allow_timing)
        self._instances = Instances(server)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI scope."""
        if scope["type"] != "http":
            await self._inner(scope, receive, send)
            return
        extra = self._cors.headers(scope["headers"])
        path = scope["path"]
        if scope["method"] == "OPTIONS" and self._cors.is_preflight(scope["headers"]):
            await send_reply(self._cors.preflight(), send, extra, self._server.pool, head=False)
        elif path.startswith(("/api/", "/interface")):
            await self._serve(scope, receive, send, extra)
        else:
            await self._inner(scope, receive, _adding(send, extra))

    async def _serve(self, scope: Scope, receive: Receive, send: Send, extra: list[tuple[bytes, bytes]]) -> None:
        server = self._server
        started = time.perf_counter()
        call = Call(scope, receive, server.pool, server.settings.server.max_request_bytes)
        call.id = secrets.token_hex(6)
        server.metrics.active += 1
        status, sent = 499, 0
        try:
            reply = await self._answer(call)
            status = reply.status
            sent = await send_reply(reply, send, extra, server.pool, head=call.method == "HEAD")
        except Gone:
            pass
        except DvidError as error:  # in the middle of a stream: the connection breaks off
            self._log.trace(call, error)
        except Exception as error:
            self._log.trace(call, error)
        finally:
            server.metrics.active -= 1
            seconds = time.perf_counter() - started
            received = call.content_length or 0 if call.method != "GET" else 0
            server.metrics.count((call.method, call.route or "other", status), seconds, received, sent)
            if call.path not in SILENT:
                self._log.line(call, status, seconds, received, sent)
            elif call.query.get("u"):
                server.heard_of(call.query["u"], int(seconds * 1000), datetime.now(UTC))

    async def _answer(self, call: Call) -> Reply:
        """The answer of a handler, or what it refused with. Bugs of ours are a 500 with the id of the request."""
        try:
            return await self._dispatch(call)
        except DvidError as error:
            return refusal(error, call.path)
        except Gone:
            raise
        except Exception as error:
            self._log.trace(call, error)
            text = f"internal error, please report request {call.id}\n"
            return Reply(text.encode(), TEXT, 500, headers=((b"x-request-id", call.id.encode()),))

    async def _dispatch(self, call: Call) -> Reply:
        server = self._server
        demand_text(call)
        if server.block_list and call.path not in SILENT:
            client = (call.scope.get("client") or ("",))[0]
            server.block_list.refuse(source_address(client, call.headers), call.query.get("u", ""))
        call.admin = bool(call.query_string) and server.is_admin(call.query)
        path = call.path.split("/")
        if len(path) > 5 and path[2] == "node" and path[5]:  # an instance's keyword
            return await self._instances.answer(call, path)
        parts = path[1:] if path[-1] or len(path) < 3 else path[1:-1]  # a final slash is ignored
        endpoint = self._table.find(call.method, parts)
        if endpoint is None:
            return not_found()
        call.privileged = call.admin or server.is_trusted(call.scope, call.headers)
        call.parts = parts
        call.route = endpoint.path
        if parts[1] == "repo":
            return await answer_repo(server, endpoint, call)
        if parts[1] == "node":
            return await answer_node(server, endpoint, call)
        return await run_endpoint(endpoint, call, server)


def demand_text(call: Call) -> None:
    """BadRequest for a path that is not UTF-8: two such paths would look alike."""
    if "\ufffd" in call.path:
        try:
            unquote_to_bytes(call.scope["raw_path"]).decode()
        except UnicodeDecodeError:
            raise BadRequest("the path is not UTF-8") from None


def _adding(send: Send, extra: list[tuple[bytes, bytes]]) -> Send:
    """A `send` that adds headers."""

    async def adding(message: Any) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message["headers"], *extra]
        await send(message)

    return adding
