"""How sinks send HTTP requests: to addresses that were checked, verified, within bounds, and without redirects.

What a reply means is the same for all of them. 2xx is accepted. 410 ends the sink. What says that this request can
never be taken makes a dead letter; everything else, a wrong token or path too, is for somebody to put right, and the
findings wait for that in the journal.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

import httpcore
from pydantic import AfterValidator, SecretStr

from monitor.alerts.sinks.address import checked_addresses
from monitor.alerts.sinks.base import GoneError, Item, RefusedError, SinkError
from monitor.alerts.sinks.tls import ConnectOptions, tls_context
from monitor.alerts.sinks.url import objection

# A reply says little; more than this is not read.
MAX_REPLY_BYTES = 1 << 20
KEEP_ALIVE_SECONDS = 30.0
CLOSE_SECONDS = 1.0
# Statuses of RFC 9110 and others that say something of the sender, the address or the hour, not of what was sent.
OF_THE_CONFIGURATION: Final = frozenset((401, 402, 403, 404, 405, 407, 411, 421, 426, 451))
LATER: Final = frozenset((408, 409, 423, 424, 425, 429))
GONE: Final = 410


def _is_url(value: SecretStr) -> SecretStr:
    if (why := objection(value.get_secret_value())) is not None:
        raise ValueError(why)
    return value


# An address may hold a secret, as those of Slack and Teams do.
Url = Annotated[SecretStr, AfterValidator(_is_url)]


def _is_header(value: SecretStr) -> SecretStr:
    if not value or not all("!" <= char <= "~" for char in value.get_secret_value()):
        raise ValueError("use printable ASCII characters without spaces")
    return value


# What goes into a header.
Token = Annotated[SecretStr, AfterValidator(_is_header)]


class HttpOptions(ConnectOptions):
    """Options of every sink that speaks HTTP; `http://` is for private addresses that are allowed."""


@dataclass(frozen=True, slots=True)
class Post:
    """One request; nothing of it is shown, since each part may be or hold a secret."""

    url: str = field(repr=False)
    body: bytes = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    content_type: str = "application/json"
    method: str = "POST"


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back; names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


class CheckedBackend(httpcore.AsyncNetworkBackend):
    """Connects to addresses that were looked up and checked; `plain` ports are those of `http://`."""

    def __init__(self, allow_private: bool) -> None:
        self._allow_private = allow_private
        self._backend = httpcore.AnyIOBackend()
        self.plain = False

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to the first address that answers; the name of the host stays that of the certificate."""
        async with asyncio.timeout(timeout):
            addresses = await checked_addresses(host, port, self._allow_private, self.plain)
            error: Exception = httpcore.ConnectError()
            for address in addresses:
                try:
                    return await self._backend.connect_tcp(address, port, timeout, local_address, socket_options)
                except httpcore.ConnectError as failed:
                    error = failed
            raise error

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)


class HttpClient:
    """Sends one request at a time, over a connection that is kept a while."""

    def __init__(self, options: ConnectOptions) -> None:
        self._seconds = options.timeout_seconds
        self._allow_private = options.allow_private
        self._backend = CheckedBackend(options.allow_private)
        self._context = tls_context(options)
        self._pool = self._fresh()

    async def post(self, post: Post) -> Reply:
        """Send a request and return the reply, whatever it says; raises `SinkError` where there is none."""
        self._backend.plain = post.url.startswith("http://")
        if self._backend.plain and not self._allow_private:
            raise SinkError("it would be sent in the clear: use https, or set allow_private for a private address")
        try:
            async with asyncio.timeout(self._seconds):
                return await self._send(post)
        except BaseException as error:
            # A pool whose request is cancelled at the wrong moment keeps its only place taken: nothing would be sent
            # by it ever again.
            pool, self._pool = self._pool, self._fresh()
            await _closed(pool)
            if isinstance(error, TimeoutError):
                raise SinkError("the receiver did not answer in time") from None
            if isinstance(error, httpcore.TimeoutException | httpcore.NetworkError | httpcore.ProtocolError | OSError):
                raise SinkError(_why(error)) from None
            raise

    async def close(self) -> None:
        """Close the connection."""
        await self._pool.aclose()

    def _fresh(self) -> httpcore.AsyncConnectionPool:
        return httpcore.AsyncConnectionPool(
            ssl_context=self._context,
            max_connections=1,
            keepalive_expiry=KEEP_ALIVE_SECONDS,
            network_backend=self._backend,
        )

    async def _send(self, post: Post) -> Reply:
        seconds = dict.fromkeys(("connect", "read", "write", "pool"), self._seconds)
        headers = {"Host": urlsplit(post.url).netloc, "User-Agent": "sidewitness", "Content-Type": post.content_type}
        headers |= {"Content-Length": str(len(post.body)), "Accept": "application/json", **post.headers}
        extensions: dict[str, Any] = {"timeout": seconds}
        async with self._pool.stream(
            post.method, post.url, headers=list(headers.items()), content=post.body, extensions=extensions
        ) as response:
            body = b""
            async for chunk in response.aiter_stream():
                body += chunk
                if len(body) > MAX_REPLY_BYTES:
                    raise SinkError("the receiver's answer has no end: correct the address of the sink")
            names = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers}
            return Reply(response.status, names, body)


class HttpSink:
    """A sink that sends requests, in order, each accepted before the next; subclasses say what is in them."""

    def __init__(self, options: HttpOptions) -> None:
        self.client = HttpClient(options)

    async def deliver(self, items: Sequence[Item]) -> None:
        """Send what `posts` makes of the items."""
        for post in self.posts(items):
            self.check(await self.client.post(post))

    def posts(self, items: Sequence[Item]) -> Iterable[Post]:
        """Return the requests that the items are sent with."""
        raise NotImplementedError

    def check(self, reply: Reply) -> None:
        """Raise `SinkError` where the receiver has not accepted."""
        check(reply)

    async def close(self) -> None:
        """Close the connection."""
        await self.client.close()


async def _closed(pool: httpcore.AsyncConnectionPool) -> None:
    """Close a pool that is given up, whatever state it is in."""
    with contextlib.suppress(Exception):
        async with asyncio.timeout(CLOSE_SECONDS):
            await pool.aclose()


def check(reply: Reply, now: datetime | None = None) -> None:
    """Raise what a status means: nothing, `RefusedError`, `GoneError` or `SinkError`; `now` dates a `Retry-After`."""
    status = reply.status
    if 200 <= status < 300:
        return
    if status == GONE:
        raise GoneError("the receiver wants nothing more (410): correct the address of the sink, or take the sink out")
    if 300 <= status < 400:
        raise SinkError(f"the receiver answers {status}, and redirects are not followed: set the address it leads to")
    if status in OF_THE_CONFIGURATION:
        raise SinkError(f"the receiver answers {status}: correct the address or the credentials of the sink")
    if 400 <= status < 500 and status not in LATER:
        raise RefusedError(f"the receiver refuses it ({status})")
    raise SinkError(f"the receiver answers {status}", retry_after_seconds(reply.headers.get("retry-after"), now))


def retry_after_seconds(value: str | None, now: datetime | None = None) -> float | None:
    """Return the seconds of a `Retry-After` (RFC 9110 section 10.2.3), a number or a date; None for anything else."""
    text = (value or "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    if date.tzinfo is None:
        date = date.replace(tzinfo=UTC)
    return max(0.0, (date - (now or datetime.now(UTC))).total_seconds())


def _why(error: Exception) -> str:
    """Return why no reply came, without the text of errors, which may quote an address."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"the receiver's certificate is not believed ({cause.verify_message}): set ca_file, or correct it"
        if isinstance(cause, ConnectionRefusedError):
            return "nobody listens at the receiver's address: start it, or correct the address"
        cause = cause.__cause__ or cause.__context__
    if isinstance(error, httpcore.TimeoutException):
        return "the receiver did not answer in time"
    if isinstance(error, httpcore.ConnectError):
        return "the receiver cannot be connected to: start it, or correct the address"
    return "the connection broke before the receiver had answered"
