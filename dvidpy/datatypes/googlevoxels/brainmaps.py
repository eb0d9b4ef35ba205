"""Google's BrainMaps API (https://brainmaps.googleapis.com/v1), asked as a service account.

Nothing waits for ever: connecting, each read, and a whole answer have limits. What goes wrong is BadGateway.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from dvidpy.errors import BadGateway, BadRequest
from dvidpy.geometry import Box, to_wire

if TYPE_CHECKING:
    from google.auth.transport.requests import AuthorizedSession
    from google.oauth2.service_account import Credentials
    from requests import Response

ADDRESS = "https://brainmaps.googleapis.com/v1"
SCOPE = "https://www.googleapis.com/auth/brainmaps"
CONNECT_S, READ_S, TOKEN_S, WHOLE_S = 5.0, 30.0, 20.0, 300.0
"""Seconds for a connection, for the next bytes of an answer, for a token, and for a whole answer."""
PIECE = 1 << 18
"""Bytes of an answer that are passed on together."""
LARGEST_DESCRIPTION = 16 << 20
"""Bytes of an answer about a volume."""
_SESSIONS = threading.local()
MOST_SESSIONS = 32
"""Accounts that a thread keeps connections of."""


def demand_key(text: str) -> None:
    """BadRequest where a text is no key file of a service account."""
    _credentials(text)


def _credentials(key: str) -> Credentials:
    from google.auth.exceptions import GoogleAuthError
    from google.oauth2.service_account import Credentials

    try:
        return Credentials.from_service_account_info(json.loads(key), scopes=[SCOPE])  # type: ignore[no-any-return,no-untyped-call]
    except (ValueError, TypeError, AttributeError, KeyError, GoogleAuthError):
        raise BadRequest("the jwtfile is no key of a service account, as Google gives them out") from None


def _session(key: str) -> AuthorizedSession:
    """A session of this thread; its token is fetched when it is first needed, and again when it ends."""
    from google.auth.transport.requests import AuthorizedSession

    known: dict[str, AuthorizedSession] = _SESSIONS.__dict__.setdefault("known", {})
    if key not in known:
        if len(known) >= MOST_SESSIONS:
            known.clear()
        known[key] = AuthorizedSession(_credentials(key), refresh_timeout=TOKEN_S)  # type: ignore[no-untyped-call]
    return known[key]


def _ask(key: str, method: str, path: str, body: Any = None) -> Response:
    """An answer whose body was not read yet."""
    from google.auth.exceptions import GoogleAuthError
    from requests import RequestException

    try:
        answer: Response = _session(key).request(  # type: ignore[no-untyped-call]
            method,
            ADDRESS + path,
            json=body,
            stream=True,
            allow_redirects=False,
            timeout=(CONNECT_S, READ_S),
            max_allowed_time=WHOLE_S,
        )
        return answer  # noqa: TRY300  # nothing else here can fail
    except GoogleAuthError as error:
        raise BadGateway(f"Google gives no token for this account: {_brief(error)}") from error
    except RequestException as error:
        raise BadGateway(f"Google BrainMaps cannot be reached: {type(error).__name__}") from error


def _brief(error: Exception) -> str:
    return str(error.args[0] if error.args else error)[:200]


def pieces(answer: Response, limit: int, size: int | None = None) -> Iterator[bytes]:
    """The body of an answer; BadGateway where it stalls, has not the `size` it should, or more bytes than the limit."""
    from requests import RequestException

    until, total = time.monotonic() + WHOLE_S, 0
    said = answer.headers.get("content-length", "")
    if size is not None and said.isdecimal() and int(said) != size and "content-encoding" not in answer.headers:
        raise BadGateway(f"Google BrainMaps sends {said} bytes, not {size}")
    try:
        for piece in answer.iter_content(PIECE):
            total += len(piece)
            if total > (limit if size is None else size) or time.monotonic() > until:
                break
            yield piece
    except RequestException as error:
        raise BadGateway(f"Google BrainMaps stopped answering: {type(error).__name__}") from error
    if time.monotonic() > until:
        raise BadGateway(f"Google BrainMaps took more than {WHOLE_S:.0f} seconds")
    if total > limit or (size is not None and total != size):
        raise BadGateway(f"Google BrainMaps sent {total} bytes or more, not {limit if size is None else size}")


# ---------------------------------------------------------------------- what is asked
def describe_volume(key: str, volume: str) -> Any:
    """What Google says of a volume, as JSON; BadRequest where it does not give it to this account."""
    answer = _ask(key, "GET", f"/volumes/{quote(volume, safe=':')}")
    with answer:
        if answer.status_code in (400, 401, 403, 404):
            raise BadRequest(f"Google answers {answer.status_code} when asked for volume {volume!r}")
        if answer.status_code != 200:
            raise BadGateway(f"Google answers {answer.status_code} when asked for volume {volume!r}")
        try:
            return json.loads(b"".join(pieces(answer, LARGEST_DESCRIPTION)))
        except ValueError:
            raise BadGateway("Google's answer about the volume is no JSON") from None


def _geometry(box: Box, scale: int) -> dict[str, Any]:
    corner, size = (",".join(map(str, to_wire(point))) for point in box)
    return {"corner": corner, "size": size, "scale": scale}


def ask_tile(key: str, volume: str, box: Box, scale: int, options: dict[str, Any]) -> Response:
    """A slice as a picture."""
    body = {"imageSpec": {"geometry": _geometry(box, scale), "imageOptions": options}}
    return _demand_good(_ask(key, "POST", f"/volumes/{quote(volume, safe=':')}/imagetile:binary", body))


def ask_subvolume(key: str, volume: str, box: Box, scale: int, options: dict[str, Any] | None = None) -> Response:
    """A box of voxels, x fastest; with options one picture."""
    form = "RAW" if options is None else "SINGLE_IMAGE"
    body = {"geometry": _geometry(box, scale), "subvolumeFormat": form}
    body |= {"imageOptions": options} if options else {}
    return _demand_good(_ask(key, "POST", f"/volumes/{quote(volume, safe=':')}/subvolume:binary", body))


def _demand_good(answer: Response) -> Response:
    if answer.status_code != 200:
        answer.close()
        raise BadGateway(f"Google BrainMaps answers {answer.status_code} when asked for voxels")
    return answer
