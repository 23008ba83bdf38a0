"""Start-up and shutdown: builds the parts, serves until told to stop, then lets everybody go in the right order.

At the end publications are refused first, then participants end and their findings close, then the journal has them,
then subscribers and sinks are sent them, and only then the sockets go.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING

import structlog
import uvicorn
import uvloop
from starlette.types import ASGIApp
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from monitor.alerts.finding import Finding
from monitor.alerts.journal import Entry, Journal
from monitor.alerts.push import Hub
from monitor.alerts.recorder import Recorder
from monitor.alerts.sinks.delivery import Deliveries
from monitor.alerts.sinks.registry import NamedSink, open_sinks
from monitor.api.app import Parts, build
from monitor.api.auth import Token, load_or_make
from monitor.api.enrolments import Enrolments, Work
from monitor.api.identities import People, Policy
from monitor.api.uploads import Uploads
from monitor.config import STRONG_TOKEN, ConfigError, Settings, prepare_state_dir, unknown_variables
from monitor.host import logging as log
from monitor.host.cpu_load import StrainMeter
from monitor.host.host import Host
from monitor.host.metrics import Metrics
from monitor.host.participant import SessionFactory
from monitor.host.publication import Answer
from monitor.identity.vault.open import open_vault
from monitor.identity.vault.registry import Identities
from monitor.identity.vault.sweeper import Sweeper
from monitor.identity.vault.vault import Vault
from monitor.types import ParticipantKey

if TYPE_CHECKING:
    from monitor.host.batched_models import Batched
    from monitor.session.models import Models

Announce = Callable[[str], None]

MAX_WEBSOCKET_MESSAGE = 16384
PING_SECONDS = 20.0
ABORT_SECONDS = 10.0
FLUSH_SECONDS = 1.0
MAX_CONNECTIONS = 1024


class AlertsProtocol(WebSocketsSansIOProtocol):
    """uvicorn's protocol, but a client that stopped reading cannot keep its connection and buffer after the close."""

    async def run_asgi(self) -> None:
        """Serve the connection, then give its peer a few seconds to take what is left."""
        await super().run_asgi()
        self.loop.call_later(ABORT_SECONDS, self.transport.abort)


class Server(uvicorn.Server):
    """uvicorn, with our own way of starting to stop."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None], drain: Callable[[], Awaitable[None]]) -> None:
        super().__init__(config)
        self._ready = ready
        self._drain = drain

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, then say so."""
        await super().startup(sockets)
        self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Drain while the sockets still work."""
        await self._drain()
        await super().shutdown(sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop on SIGTERM and SIGINT and end with status 0; uvicorn's own way would end by the signal."""
        loop = asyncio.get_running_loop()
        handled = (signal.SIGTERM, signal.SIGINT)
        for number in handled:
            loop.add_signal_handler(number, self.handle_exit, number, None)
        try:
            yield
        finally:
            for number in handled:
                loop.remove_signal_handler(number)


@dataclass(frozen=True, slots=True)
class Running:
    """The parts of a server that must be let go."""

    host: Host
    parts: Parts
    deliveries: Deliveries
    app: ASGIApp

    async def drain(self) -> None:
        """End every participant, write what that closes, and send and deliver it."""
        parts = self.parts
        if parts.people is not None:
            await asyncio.gather(parts.people.enrolments.close(), self.host.drain())
        else:
            await self.host.drain()
        await parts.recorder.close()
        await asyncio.gather(self._flush(), self.deliveries.close())

    async def _flush(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FLUSH_SECONDS):
                while self.parts.hub.waiting:  # noqa: ASYNC110 - sockets drain one by one, a deadline bounds it
                    await asyncio.sleep(0.01)


def assemble(
    settings: Settings,
    token: str,
    factory: SessionFactory,
    answer: Answer,
    journal: Journal,
    people: People | None = None,
    batched: Batched | None = None,
    sinks: Sequence[NamedSink] = (),
) -> Running:
    """Wire the parts together, on the running loop; journal, vault and uploads are open already.

    Deliveries to sinks are started by the caller.
    """
    hub, metrics = Hub(), Metrics()
    if batched is not None:
        metrics.batching(batched.load)
    deliveries = Deliveries(sinks, journal, metrics.registry)

    def committed(seq: int, finding: Finding, decided_at: float) -> None:
        hub.finding(Entry(seq, finding), decided_at)
        deliveries.committed(seq)

    recorder = Recorder(journal, committed)
    recorder.start()
    host = Host(
        factory,
        answer,
        recorder,
        hub,
        metrics,
        settings.hop_seconds,
        settings.max_participants,
        settings.session_threads,
        StrainMeter(batched.load if batched is not None else None).read,
    )
    parts = Parts(host, journal, recorder, hub, metrics, Token(token), people)
    return Running(host, parts, deliveries, build(settings, parts))


@dataclass(frozen=True, slots=True)
class Live:
    """How sessions are begun, offers answered and people enrolled; `key` is that of the face encoders, if any.

    `batched` is what computes participants together, where that is wanted. `expect` makes ready for whom the vault
    holds; it is called in a thread once the server runs.
    """

    factory: SessionFactory
    answer: Answer
    enrol: Work
    key: str | None = None
    batched: Batched | None = None
    expect: Callable[[], None] = lambda: None


async def serve(
    settings: Settings,
    token: str,
    live: Live,
    vault: Vault,
    ready: Callable[[str], None],
    sinks: Sequence[NamedSink] = (),
) -> None:
    """Serve until SIGTERM or SIGINT; `ready` is called with the base URL once connections are accepted.

    The vault is open already; here it is swept.
    """
    listener = listen(settings.host, settings.port)
    journal = Journal(settings.journal_url, settings.findings_kept)
    sweeper = Sweeper(vault, settings.retention_sweep_minutes * 60.0)
    try:
        await asyncio.to_thread(journal.open)
        people = await asyncio.to_thread(people_of, settings, live, vault)
        running = assemble(settings, token, live.factory, live.answer, journal, people, live.batched, sinks)
        await running.deliveries.start()

        async def drain() -> None:
            try:
                await asyncio.wait_for(running.drain(), settings.drain_seconds)
            except TimeoutError:
                structlog.stdlib.get_logger("serve").warning(
                    "not everything could be let go in time", seconds=settings.drain_seconds
                )

        def listening() -> None:
            ready(address(listener))
            asyncio.get_running_loop().run_in_executor(None, live.expect)

        sweeper.start()
        server = Server(server_config(settings, running.app), listening, drain)
        await server.serve([listener])
    finally:
        await sweeper.close()
        if live.batched is not None:
            await asyncio.to_thread(live.batched.close)
        journal.close()
        listener.close()


def people_of(settings: Settings, live: Live, vault: Vault) -> People:
    """Give what the surface needs to enrol people and tell of them; raises `ConfigError` for the folder of uploads."""
    uploads = Uploads(settings.state_dir / "uploads", settings.max_upload_mb << 20)
    uploads.open()
    policy = Policy(settings.consent_required, settings.consent_days, settings.second_approver, live.key)
    return People(vault, Identities(vault), uploads, Enrolments(live.enrol), policy)


def server_config(settings: Settings, app: ASGIApp) -> uvicorn.Config:
    """Return uvicorn's configuration: no access log (it holds names), no proxy headers, bounded everything."""
    return uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        loop="none",
        ws=AlertsProtocol,
        ws_max_size=MAX_WEBSOCKET_MESSAGE,
        ws_ping_interval=PING_SECONDS,
        ws_ping_timeout=PING_SECONDS,
        ws_per_message_deflate=False,
        lifespan="off",
        log_config=None,
        log_level="warning",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        limit_concurrency=MAX_CONNECTIONS,
        timeout_graceful_shutdown=2,
    )


def live_parts(settings: Settings, vault: Vault, loaded: Callable[[], Models]) -> Live:
    """Say how sessions are begun, offers answered and people enrolled, with the models that `loaded` waits for.

    Raises `EngineError` or `ConfigError`.
    """
    # Here and not above: the tests of the surface need neither engines nor WebRTC.
    from monitor.api.enroller import enroller
    from monitor.decision.decide import DecisionConfig
    from monitor.host.batched_models import Batched
    from monitor.session.session import Session, SessionConfig
    from monitor.tap.media.config import IceServer, TapConfig, local_addresses
    from monitor.tap.webrtc import WebRtcPeer

    try:
        decision = DecisionConfig(
            false_alerts_per_hour=settings.false_alerts_per_hour,
            window_seconds=settings.window_seconds,
            hop_seconds=settings.hop_seconds,
        )
    except ValueError as error:
        raise ConfigError(str(error)) from None
    config = SessionConfig(decision)
    tap = TapConfig(
        max_sdp_bytes=settings.max_sdp_bytes,
        # Who listens on loopback only is published to by a browser on this machine.
        allowed_networks=settings.allowed_networks + (local_addresses() if _is_loopback(settings.host) else ()),
        ice_servers=tuple(
            IceServer(each.url, each.username, each.credential.get_secret_value() if each.credential else None)
            for each in settings.ice_servers
        ),
    )

    async def answer(offer: str) -> tuple[WebRtcPeer, str]:
        return await WebRtcPeer.answer(offer, tap)

    identities, models = Identities(vault), loaded()
    batched = Batched(models) if settings.batches else None

    def factory(key: ParticipantKey) -> Session:
        own = batched.models() if batched else models
        return Session(key, own, config, identities.lookup(key.identity) if key.identity is not None else None)

    def expect() -> None:
        if vault.list():
            models.later.prepare()

    return Live(factory, answer, enroller(models, vault), models.faces.key if models.faces else None, batched, expect)


def say(line: str) -> None:
    """Print a line at once, also into a pipe."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def run(settings: Settings, loaded: Callable[[], Models], announce: Announce = say) -> None:
    """Serve in this process until stopped; `loaded` gives the models, which another thread may be loading meanwhile.

    Raises `ConfigError`, `JournalError`, `VaultError` or `EngineError`.
    """
    prepare_state_dir(settings.state_dir)
    given = settings.token.get_secret_value() if settings.token else None
    token = given or load_or_make(settings.state_dir)
    log.configure(settings.log_level, settings.log_format, [token])
    if len(token) < STRONG_TOKEN:
        structlog.stdlib.get_logger("serve").warning(
            "the token is short enough to be guessed", use_at_least=STRONG_TOKEN
        )
    for name in unknown_variables(os.environ):
        structlog.stdlib.get_logger("serve").warning("this variable sets nothing", variable=name)
    if not _is_loopback(settings.host):
        structlog.stdlib.get_logger("serve").warning(
            "listening beyond this machine without TLS: put a TLS proxy in front"
        )
    sinks = open_sinks(settings.sinks)
    vault = open_vault(settings)
    live = live_parts(settings, vault, loaded)

    def ready(base: str) -> None:
        for line in greeting(base, None if given else token, settings):
            announce(line)

    with closing(vault), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(settings, token, live, vault, ready, sinks))


def greeting(base: str, token: str | None, settings: Settings) -> list[str]:
    """Return what is printed at the start; `token` is None where the operator set it and need not be told."""
    if token is None:
        return [f"Sidewitness is ready: {base}/  (try it: {base}/try)", "Token: the one in SIDEWITNESS_TOKEN"]
    return [
        f"Sidewitness is ready: {base}/#token={token}",
        f"Try it with your camera: {base}/try#token={token}",
        f"Token: {token}  (kept in {settings.state_dir / 'token'})",
    ]


def listen(host: str, port: int) -> socket.socket:
    """Return a bound socket; raises `ConfigError` where the address cannot be had."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family)
    except OSError as error:
        # Not the error's own text: it repeats the address in the form of the C library.
        why = error.strerror if not isinstance(error, socket.gaierror) else "no such address"
        raise ConfigError(f"cannot listen on {host} port {port} ({why}): choose another --host or --port") from None


def address(listener: socket.socket) -> str:
    """Return the base URL of a bound socket."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
