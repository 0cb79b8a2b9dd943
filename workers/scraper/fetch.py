"""HTTP towards publishers: conditional, compressed, capped, honest about who asks, and never into private networks.

Every connection, a redirect's too, goes through `PublicNetworks`: the address that was checked is the one connected to,
so a name that resolves differently the second time gains nothing.
"""

from __future__ import annotations

import asyncio
import socket
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from http.cookiejar import CookieJar, DefaultCookiePolicy
from ipaddress import ip_address
from types import TracebackType
from urllib.parse import urlsplit

import httpcore
import httpx

from infra.settings import Settings
from schemas.errors import Invalid, Transient

BODY_CAP = 15 * 1024 * 1024
TIMEOUT_S = 20.0
DEADLINE_S = 60.0
MAX_REDIRECTS = 5
MAX_CONNECTIONS = 64
PERMANENT = (301, 308)


@dataclass(frozen=True)
class Fetched:
    """An answer, whatever its status. `headers` have lower-case names; `moved_to` is set when all redirects to the
    final `url` were permanent ones."""

    status: int
    url: str
    headers: Mapping[str, str]
    body: bytes
    moved_to: str = ""

    def header(self, name: str) -> str:
        return self.headers.get(name, "")


class PublicNetworks(httpcore.AsyncNetworkBackend):
    """Connects to public addresses only: a feed must not make us read the house's own network (SSRF)."""

    def __init__(self, *, allow_private: bool) -> None:
        self._inner = httpcore.AnyIOBackend()
        self._allow_private = allow_private

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        if not self._allow_private:
            host = await self._public_address(host, port)
        return await self._inner.connect_tcp(host, port, timeout, local_address, socket_options)

    async def _public_address(self, host: str, port: int) -> str:
        try:
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError as error:
            raise httpcore.ConnectError(f"{host} is not known: {error}") from error
        return checked(host, [str(entry[4][0]) for entry in found])


def checked(host: str, addresses: Sequence[str]) -> str:
    """The address to connect to; `Invalid` if any of the host's is private: half a public name is no public name."""
    for address in addresses:
        if not is_public(address):
            raise Invalid(f"{host} is in a private network ({address}); COPYDESK_ALLOW_PRIVATE_NETWORKS=1 allows it")
    return addresses[0]


def is_public(address: str) -> bool:
    """True for an IP address that the whole internet can reach, so not for loopback, private or link-local ones."""
    ip = ip_address(address.split("%")[0])
    mapped = getattr(ip, "ipv4_mapped", None) or getattr(ip, "sixtofour", None)
    return ip.is_global and not ip.is_multicast and (mapped is None or mapped.is_global)


class Fetcher:
    """One client for all publishers: no cookies, no referer. Use as an async context manager."""

    def __init__(self, settings: Settings) -> None:
        transport = httpx.AsyncHTTPTransport()
        transport._pool = httpcore.AsyncConnectionPool(  # httpx has no public way to give its pool a network backend
            ssl_context=httpx.create_ssl_context(),
            max_connections=MAX_CONNECTIONS,
            max_keepalive_connections=MAX_CONNECTIONS // 2,
            keepalive_expiry=15.0,
            network_backend=PublicNetworks(allow_private=settings.allow_private_networks),
        )
        self._client = httpx.AsyncClient(
            transport=transport,
            headers={"user-agent": settings.user_agent, "accept-encoding": "gzip, deflate"},
            cookies=CookieJar(policy=DefaultCookiePolicy(allowed_domains=[])),
            timeout=TIMEOUT_S,
            trust_env=False,
        )

    async def __aenter__(self) -> Fetcher:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.aclose()

    async def get(self, url: str, *, etag: str = "", last_modified: str = "", accept: str = "*/*") -> Fetched:
        """GET with redirects. `etag` and `last_modified` go out byte for byte as they came in.

        Raises `Invalid` for an address we do not fetch or a body over `BODY_CAP`, `Transient` for network trouble.
        HTTP statuses raise nothing: the caller knows what they mean for what it asked.
        """
        headers = {"accept": accept}
        if etag:
            headers["if-none-match"] = etag
        if last_modified:
            headers["if-modified-since"] = last_modified
        try:
            async with asyncio.timeout(DEADLINE_S):  # httpx limits each read: a server that trickles would hold us
                return await self._follow(url, headers)
        except TimeoutError as error:
            raise Transient(f"no whole answer within {DEADLINE_S:.0f} s") from error
        except (httpx.InvalidURL, httpx.UnsupportedProtocol, httpx.DecodingError, zlib.error, UnicodeError) as error:
            raise Invalid(f"cannot be fetched: {error}") from error
        except httpx.TimeoutException as error:
            raise Transient(f"no answer within {TIMEOUT_S:.0f} s ({type(error).__name__})") from error
        except httpx.HTTPError as error:
            raise Transient(f"{type(error).__name__}: {error}") from error

    async def _follow(self, url: str, headers: dict[str, str]) -> Fetched:
        permanent, start = True, url
        for _ in range(MAX_REDIRECTS + 1):
            if urlsplit(url).scheme not in ("http", "https"):
                raise Invalid(f"only http and https addresses are fetched, not {url[:100]!r}")
            async with self._client.stream("GET", url, headers=headers) as answer:
                if answer.next_request is None:
                    body = await _read_capped(answer)
                    moved_to = url if permanent and url != start else ""
                    return Fetched(answer.status_code, url, dict(answer.headers.items()), body, moved_to)
                permanent = permanent and answer.status_code in PERMANENT
                url = str(answer.next_request.url)
        raise Invalid(f"more than {MAX_REDIRECTS} redirects")


async def _read_capped(answer: httpx.Response) -> bytes:
    body = bytearray()
    async for chunk in answer.aiter_bytes(64 * 1024):  # counted after decompression: a small bomb must not grow big
        body += chunk
        if len(body) > BODY_CAP:
            raise Invalid(f"the answer is larger than {BODY_CAP // 1024 // 1024} MiB")
    return bytes(body)
