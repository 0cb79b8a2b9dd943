"""What stands before the pages and the API: Host and origin checks, a limit on bodies, headers that tie the page down.

The desk has no accounts yet; whoever reaches its port may judge. What must not happen is that some other web page in
the curator's browser does it: hence the origin check, and the Host check against DNS rebinding.
"""

from __future__ import annotations

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

BODY_LIMIT = 64 * 1024
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
}


class Guard:
    """ASGI middleware. `hosts` are the names by which the desk may be called; empty: any."""

    def __init__(self, app: ASGIApp, hosts: frozenset[str]) -> None:
        self._app = app
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, or pass on with the body limited and the headers set."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        refusal = self._refusal(str(scope["method"]), Headers(scope=scope))
        if refusal is not None:
            return await refusal(scope, receive, send)
        body = b""
        if scope["method"] not in _SAFE:
            whole = await _read(receive)
            if whole is None:
                return await _answer(413, f"more than {BODY_LIMIT} bytes")(scope, receive, send)
            body = whole
        return await self._app(scope, _replay(body, receive), _with_headers(send))

    def _refusal(self, method: str, headers: Headers) -> JSONResponse | None:
        host = headers.get("host", "")
        if self._hosts and _name(host) not in self._hosts:
            return _answer(421, f"this desk is not called {host!r}: name it in COPYDESK_DESK_ALLOWED_HOSTS")
        if method in _SAFE:
            return None
        if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            return _answer(403, "a verdict must come from the desk's own pages")
        origin = headers.get("origin")
        if origin is not None and origin.lower() not in (f"http://{host.lower()}", f"https://{host.lower()}"):
            return _answer(403, "a verdict must come from the desk's own pages")
        declared = headers.get("content-length", "0")
        if declared.isdigit() and int(declared) > BODY_LIMIT:
            return _answer(413, f"more than {BODY_LIMIT} bytes")
        return None


def allowed_hosts(listen: str, more: str) -> frozenset[str]:
    """The names the desk answers to: loopback's, its own address, and `more` (comma-separated; `*`: any name)."""
    names = {name.strip().lower() for name in more.split(",") if name.strip()}
    if "*" in names:
        return frozenset()
    return frozenset({"127.0.0.1", "localhost", "[::1]", listen.lower()} | names)


def _name(host: str) -> str:
    name, colon, port = host.lower().rpartition(":")
    return name if colon and port.isdigit() else host.lower()


async def _read(receive: Receive) -> bytes | None:
    """The whole body, or None when it is longer than the limit."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return bytes(body)
        body += message.get("body", b"")
        if len(body) > BODY_LIMIT:
            return None
        if not message.get("more_body", False):
            return bytes(body)


def _replay(body: bytes, receive: Receive) -> Receive:
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _PAGE_HEADERS.items():
                headers[name] = value
            headers.setdefault("Cache-Control", "no-store")
        await send(message)

    return sending


def _answer(status: int, detail: str) -> JSONResponse:
    return JSONResponse({"detail": detail}, status_code=status)
