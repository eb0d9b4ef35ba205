"""Every request comes in here: CORS, block list, dispatch, answer, one log line, metrics. One pure ASGI layer."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from itertools import count
from typing import Any, NamedTuple

from dvidpy.api.blocklist import source_address
from dvidpy.api.cors import Cors
from dvidpy.api.dispatch import StaticTable, Work, run_endpoint, whole_body
from dvidpy.api.instances import Instances
from dvidpy.api.lingering import Lingering
from dvidpy.api.logs import SILENT, trace
from dvidpy.api.nodes import prepare_node, refuse_unknown
from dvidpy.api.outbox import Outbox
from dvidpy.api.repeats import Repeats
from dvidpy.api.replies import Send, begin, not_found, options, refusal, send_reply
from dvidpy.api.repos import prepare_repo
from dvidpy.api.state import Server
from dvidpy.api.straight import Straight
from dvidpy.datatypes.exchange import TEXT, Call, Gone, Headers, Receive, Reply, Whole
from dvidpy.datatypes.rooms import Endpoint
from dvidpy.errors import DvidError

Scope = dict[str, Any]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

SOON_S = 0.001
"""Seconds of a small edit, say, behind which the loop lingers as behind a quick answer, if nobody else is served."""
GONE = 499
"""Status that the log and metrics show where the client hung up."""


class Begun(NamedTuple):
    """A request that needs waiting after all, or has just come."""

    call: Call
    work: Work | None
    """Its handler, where that was looked for."""
    at: float
    """When it came, by the clock that runs evenly."""


class Front:
    """The ASGI application. Whatever is not /api or /interface goes to the inner one: documentation, metrics, files."""

    def __init__(self, server: Server, table: StaticTable, inner: App) -> None:
        self._server = server
        self._table = table
        self._inner = inner
        self._cors = Cors(server.settings.server.cors_domains, timing=server.settings.server.allow_timing)
        self._instances = Instances(server)
        self._repeats = Repeats(server)
        self.outbox = Outbox()
        self.lingering = Lingering(lambda: server.pool.under_way, self.outbox.end_turn)
        self._limit = server.settings.server.max_request_bytes
        self._ids = map((secrets.token_hex(4) + "-%x").__mod__, count())
        """Ids of requests: random for each process, then counted."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI scope."""
        if scope["type"] != "http":
            await self._inner(scope, receive, send)
            return
        extra = self._cors.headers(scope["headers"])
        path = scope["path"]
        if scope["method"] == "OPTIONS" and self._cors.is_preflight(scope["headers"]):
            await send_reply(self._cors.preflight(), send, receive, extra, self._server.pool, head=False)
        elif path.startswith(("/api/", "/interface")):
            await self._serve(scope, receive, send, extra)
        else:
            await self._inner(scope, receive, _adding(send, extra))

    # ------------------------------------------------------------------ quick answers
    def answer_again(self, asked: bytes, client: str) -> tuple[Reply, Headers] | None:
        """As `answer_now`, to a request that was answered so before: by all its bytes."""
        known = self._repeats.find(asked)
        if known is None:
            return None
        began = time.perf_counter()
        call, arguments = known.again(next(self._ids), client)
        try:
            reply = _at_once(known.work.endpoint, arguments)
        except Exception as error:
            reply = self._refused(call, error)
        if reply is None:
            return None
        self._account(call, reply.status, began, 0, 0 if call.method == "HEAD" else reply.length or 0)
        return reply, known.extra

    def answer_now(
        self, method: str, path: str, query: bytes, headers: Headers, client: str, asked: bytes = b""
    ) -> tuple[Reply, Headers] | Begun | None:
        """Answer and further headers to a GET or HEAD without a body, if that takes no waiting; else how far it is.

        `asked` are all bytes of the request, where nothing else stands in them.
        """
        if not path.startswith("/api/"):
            return None
        began = time.perf_counter()
        pool, number = self._server.pool, next(self._ids)
        call = Call(method, path, query, headers, _nothing_to_receive, pool, self._limit, client, number)
        extra = self._cors.headers(headers)
        try:
            work = self._prepare(call)
            reply = not_found() if work is None else _run_now(work, call)
            if reply is None:
                return Begun(call, work, began)
            if asked and work is not None:
                self._repeats.learn(asked, call, work, extra)
        except Exception as error:
            reply = self._refused(call, error)
        self._account(call, reply.status, began, 0, 0 if method == "HEAD" else reply.length or 0)
        return reply, extra

    # ------------------------------------------------------------------ all others
    async def _serve(self, scope: Scope, receive: Receive, send: Send, extra: Headers) -> None:
        server = self._server
        prepared: Begun | None = scope.get("prepared")
        call, work, began = prepared or Begun(self._call(scope, receive), None, time.perf_counter())
        call.receive = receive
        server.metrics.active += 1
        status, sent = GONE, 0
        straight: Straight | None = scope.get("straight")  # only where our own protocol serves
        try:
            reply = await self._answer(call, work, straight, extra)
            status = reply.status
            sent = await send_reply(
                reply, send, receive, extra, server.pool, head=call.method == "HEAD", straight=straight
            )
        except Gone:
            status = GONE
        except Exception as error:  # in the middle of a stream: the connection breaks off
            trace(call, error)
        finally:
            call.close()
            if straight is not None:
                straight.close()
            server.metrics.active -= 1
            self._account(call, status, began, call.received, sent)
            if straight is not None and not server.metrics.active and time.perf_counter() - began < SOON_S:
                self.lingering.answered(asyncio.get_running_loop())

    def _call(self, scope: Scope, receive: Receive) -> Call:
        asked = scope["method"], scope["path"], scope["query_string"], scope["headers"]
        client = (scope.get("client") or ("",))[0]
        return Call(*asked, receive, self._server.pool, self._limit, client, next(self._ids))

    async def _answer(self, call: Call, work: Work | None, straight: Straight | None, extra: Headers) -> Reply:
        """The answer of a handler, or what it refused with. Bugs of ours are a 500 with the id of the request."""
        try:
            work = work or self._prepare(call)
            if work is None:
                return options(self._table.allowed(call.parts)) if call.method == "OPTIONS" else not_found()
            return await begin(await self._run(work, call, straight, extra), call)
        except Gone:
            raise
        except Exception as error:
            return self._refused(call, error)

    async def _run(self, work: Work, call: Call, straight: Straight | None, extra: Headers) -> Reply:
        if work.throttled:
            call.until_sent.enter_context(self._server.throttle())
        if work.gate is not None:
            return await self._instances.edit(work, call)
        body = await whole_body(work.endpoint, call)
        # Who takes one of a few turns hears of it when that is over.
        if straight is not None and work.endpoint.is_long and not work.throttled and call.method != "HEAD":
            call.send_ahead = straight.ahead(extra)
        return await run_endpoint(work.endpoint, call, work.here, body)

    # ------------------------------------------------------------------ what both share
    def _prepare(self, call: Call) -> Work | None:
        """The handler of a request and its subject; None for 404."""
        server = self._server
        if server.block_list and call.path not in SILENT:
            server.block_list.refuse(source_address(call.client, call.headers), call.query.get("u", ""))
        if call.query_string:
            call.admin = server.is_admin(call.query)
        path = call.path.split("/")
        if len(path) > 5 and path[1] == "api" and path[2] == "node" and path[5]:  # an instance's keyword
            return self._instances.prepare(call, path)
        call.parts = path[1:] if path[-1] or len(path) < 3 else path[1:-1]  # a final slash is ignored
        endpoint = self._table.find(call.method, call.parts)
        if endpoint is None:
            refuse_unknown(server, call)
            return None
        call.route = endpoint.path
        about = call.parts[1:2]
        if about == ["repo"]:
            return Work(endpoint, prepare_repo(server, endpoint, call))
        if about == ["node"]:
            return Work(endpoint, prepare_node(server, endpoint, call))
        return Work(endpoint, server)

    @staticmethod
    def _refused(call: Call, error: Exception) -> Reply:
        """What a handler refused with; anything else is a fault of ours."""
        if isinstance(error, DvidError):
            return refusal(error, call.path)
        trace(call, error)
        text = f"internal error, please report request {call.id}\n"
        return Reply(text.encode(), TEXT, 500, headers=((b"x-request-id", call.id.encode()),))

    def _account(self, call: Call, status: int, began: float, received: int, sent: int) -> None:
        """A request is over."""
        ended = time.perf_counter()
        server = self._server
        if call.interactive and server.hold_back_after:
            server.count_interactive()
        server.metrics.over((call, status, began, ended, received, sent))
        if call.path in SILENT and call.query.get("u"):
            server.heard_of(call.query["u"], int((ended - began) * 1000), datetime.now(UTC))


def _run_now(work: Work, call: Call) -> Reply | None:
    """The answer, if it takes no waiting."""
    endpoint = work.endpoint
    if not endpoint.at_once or work.gate is not None or work.throttled or endpoint.whole_body:
        return None
    return _at_once(endpoint, endpoint.arguments(call, work.here, b""))


def _at_once(endpoint: Endpoint, arguments: dict[str, Any]) -> Reply | None:
    found = endpoint.handler(**arguments)
    if isinstance(found, Reply):
        return found if isinstance(found.body, Whole) else None
    found.close()  # it needs waiting after all
    return None


async def _nothing_to_receive() -> Any:
    raise AssertionError("a quick answer reads no body")


def _adding(send: Send, extra: Headers) -> Send:
    """A `send` that adds headers."""

    async def adding(message: Any) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message["headers"], *extra]
        await send(message)

    return adding
