"""`sidewitness serve`: a sidecar with its HTTP surface, from the first warning to the last message.

At the end publications are refused first, then participants end and their findings close, then the journal has them,
then subscribers and sinks are sent them, and only then the sockets go.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import structlog
import uvloop

from monitor.alerts.together import Hubs, Recorders
from monitor.api.access.authority import Authority
from monitor.api.access.issuer import Issuer
from monitor.api.access.keyring import KeyRing, key_ring
from monitor.api.access.oidc.options import options_of as oidc_options_of
from monitor.api.access.oidc.provider import Provider
from monitor.api.access.oidc.verifier import ProviderTokens
from monitor.api.access.register import Register
from monitor.api.access.sessions import Sessions
from monitor.api.access.verifiers import SignedTokens, StaticToken, Verifier
from monitor.api.alerts import Room
from monitor.api.app import Parts, build_operators
from monitor.api.app import build as build_app
from monitor.api.auth import FILE as TOKEN_FILE
from monitor.api.auth import load_or_make
from monitor.api.enroller import enroller
from monitor.api.enrolments import Enrolments
from monitor.api.identities import People, Policy
from monitor.api.refusals import Refusals
from monitor.api.server import Server, address, beside, listen, operators_config, server_config
from monitor.api.sign_in import SignIn
from monitor.api.uploads import Uploads
from monitor.config import STRONG_TOKEN, ConfigError, Settings, prepare_state_dir, unknown_variables
from monitor.host import logging as log
from monitor.host.cluster import gateway
from monitor.host.cluster.audience import Audience
from monitor.host.components import Components, TenantParts
from monitor.host.metrics import Metrics
from monitor.host.peers.options import options_of
from monitor.host.peers.peers import Peers
from monitor.host.sidecar import Sidecar, build
from monitor.host.tenants import Tenancy
from monitor.identity.vault.registry import Identities
from monitor.identity.vault.vault import Vault
from monitor.storage.tenancy.names import DEFAULT_TENANT

if TYPE_CHECKING:
    from monitor.host.judging import Judging
    from monitor.session.models import Models

Announce = Callable[[str], None]

FLUSH_SECONDS = 1.0
# A container with a terminal (`-t`) has it as its console, and keeps what its first process writes there as its log.
CONTAINER_LOGS = (Path("/proc/1/fd/1"), Path("/dev/console"))


def say(line: str) -> None:
    """Print a line at once, also into a pipe."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def run(settings: Settings, models: Callable[[], Models], announce: Announce = say) -> None:
    """Serve in this process until stopped; `models` waits for the models, which another thread may be loading.

    Raises `ConfigError`, `JournalError`, `VaultError` or `EngineError`.
    """
    prepare_state_dir(settings.state_dir)
    given = settings.token.get_secret_value() if settings.token else None
    token = given or load_or_make(settings.state_dir)
    log.configure(settings.log_level, settings.log_format, [token])
    warn(settings, token)
    others = other_gateways(settings)
    sidecar = gateway.build(settings, models, others) if gateway.is_wanted(settings) else build(settings, models)

    def ready(base: str, admin: str) -> None:
        for line in greeting(base, admin, None if given else token, settings, is_private(sys.stdout)):
            announce(line)

    with closing(sidecar), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(sidecar, settings, token, ready))


def other_gateways(settings: Settings) -> gateway.Beside | None:
    """Return what makes the other gateways that the settings name, None for none; raises `ConfigError`."""
    options = options_of(settings)
    if options is None:
        return None

    def made(tenancy: Tenancy, metrics: Metrics) -> tuple[Audience, gateway.Asked]:
        peers = Peers(options, tenancy, tenancy, metrics)
        return peers, peers.gateways

    return made


def warn(settings: Settings, token: str) -> None:
    """Log what is better changed before strangers can reach this machine."""
    logger = structlog.stdlib.get_logger("serve")
    if len(token) < STRONG_TOKEN:
        logger.warning("the token is short enough to be guessed", use_at_least=STRONG_TOKEN)
    for name in unknown_variables(os.environ):
        logger.warning("this variable sets nothing", variable=name)
    if not settings.is_loopback:
        logger.warning("listening beyond this machine without TLS: put a TLS proxy in front")


async def serve(sidecar: Sidecar, settings: Settings, token: str, ready: Callable[[str, str], None]) -> None:
    """Serve until SIGTERM or SIGINT; `ready` is called with both base URLs once connections are accepted.

    The second is that of health and metrics, which answer until everybody has been let go.
    """
    # First: a second sidecar on the same port must not touch what the first one writes.
    with closing(listen(settings.host, settings.port)) as listener, closing(listen_for_operators(settings)) as own:
        async with sidecar:
            people = await asyncio.to_thread(everybodys_people, settings, sidecar.components)
            surface = Surface(sidecar, settings, token, people.pop(DEFAULT_TENANT), people)
            both = address(listener), address(own)
            async with surface.operators(own):
                await surface.server(lambda: ready(*both)).serve([listener])


def listen_for_operators(settings: Settings) -> socket.socket:
    """Return the bound socket of health and metrics; raises `ConfigError`."""
    remedy = "set SIDEWITNESS_ADMIN_PORT or SIDEWITNESS_ADMIN_HOST, where health and metrics are"
    return listen(settings.admin_host, settings.health_port, remedy)


@dataclass(frozen=True, slots=True)
class Shared:
    """What the surfaces of all tenants have in common."""

    metrics: Metrics
    authority: Authority
    keys: KeyRing
    sign_in: SignIn | None


class Surface:
    """The HTTP surface of a running sidecar: its application, and how it is let go."""

    def __init__(
        self,
        sidecar: Sidecar,
        settings: Settings,
        token: str,
        people: People | None = None,
        tenants: Mapping[str, People | None] | None = None,
    ) -> None:
        inside, self._sidecar, self._settings = sidecar.components, sidecar, settings
        every, keys = inside.every_tenant, key_ring(settings)
        self._registers = {one.name: Register(one.stores.journal) for one in every}
        # One that the operator has set is theirs to use from wherever they like; one that was made is for this machine.
        static = StaticToken(token, local_only=settings.token is None)
        register = self._registers[DEFAULT_TENANT]
        verifiers: list[Verifier] = [static, SignedTokens(keys, register, tenants=self._registers)]
        sign_in = sign_in_of(settings, inside, keys, register)
        if sign_in is not None and sign_in.options.audience is not None:
            verifiers.append(ProviderTokens(sign_in.provider, sign_in.options.audience))
        sessions = sign_in.sessions if sign_in is not None else None
        authority = Authority(verifiers, inside.metrics, sessions=sessions)
        self._shared = Shared(inside.metrics, authority, keys, sign_in)
        found = {DEFAULT_TENANT: people, **(tenants or {})}
        made = {one.name: self._parts(one, every, found.get(one.name)) for one in every}
        self.parts = made.pop(DEFAULT_TENANT)
        self.tenants = made
        self._refusals = Refusals(inside.metrics)
        self.app = build_app(settings, self.parts, self._refusals, self.tenants)

    def _parts(self, own: TenantParts, every: Sequence[TenantParts], people: People | None) -> Parts:
        """Return what a tenant's surface is of: its own stores, and of those of the others how many they hold."""
        shared, stores = self._shared, own.stores
        sign_in = shared.sign_in
        return Parts(
            own.calls,
            stores.journal,
            Recorders([one.stores.recorder for one in every]),
            Hubs([one.stores.hub for one in every]),
            shared.metrics,
            shared.authority,
            Issuer(shared.keys, self._registers[own.name], tenant=own.name),
            own.ingest,
            stores.desk,
            stores.policing,
            stores.drills,
            people,
            sign_in and replace(sign_in, sessions=sign_in.sessions.of(own.name)),
            own.name,
            {one.name: Room(one.stores.hub, one.stores.journal) for one in every if own.name == DEFAULT_TENANT},
            len(every) > 1,
            gateway.hosts_of(self._sidecar.components.host),
            self._sidecar.components.gateways,
        )

    def server(self, ready: Callable[[], None]) -> Server:
        """Return the server of the public port; `ready` is called once it accepts connections."""
        return Server(server_config(self._settings, self.app, self._refusals), ready, self.drain)

    def operators(self, listener: socket.socket) -> contextlib.AbstractAsyncContextManager[None]:
        """Serve health and metrics on a listener of their own while the context is open."""
        app = build_operators(self._settings, self.parts, self._refusals)
        return beside(operators_config(app, self._refusals), listener)

    async def drain(self) -> None:
        """End enrolments and participants, and send subscribers what that closes, within the time there is."""
        await self._sidecar.within_drain_seconds(self._drain())

    async def _drain(self) -> None:
        people = [own.people for own in (self.parts, *self.tenants.values()) if own.people is not None]
        enrolments = [own.enrolments.close() for own in people]
        sign_in = [self.parts.sign_in.close()] if self.parts.sign_in is not None else []
        await asyncio.gather(self._sidecar.drain(), *enrolments, *sign_in)
        await flush(self.parts.hubs)


async def flush(hubs: Hubs) -> None:
    """Wait until subscribers have taken what waits for them; a deadline bounds it."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(FLUSH_SECONDS):
            while hubs.waiting:  # noqa: ASYNC110 - sockets drain one by one
                await asyncio.sleep(0.01)


def sign_in_of(settings: Settings, components: Components, keys: KeyRing, register: Register) -> SignIn | None:
    """Give what signing in is made of, None where nobody does; raises `ConfigError` for the setting `oidc`."""
    if settings.oidc is None:
        return None
    options = oidc_options_of(settings.oidc)
    if options.public_url is None and not settings.is_loopback:
        raise ConfigError("setting 'oidc.public_url': set it to the https address that browsers see this server at")
    if not set(options.tenants.values()) <= {DEFAULT_TENANT, *components.tenants}:
        raise ConfigError("setting 'oidc.tenants': it names a tenant that is not in the setting 'tenants'")
    idle, lifetime = options.idle_minutes * 60, options.session_hours * 3600
    sessions = Sessions(components.journal, register, options.digest, idle, lifetime)
    return SignIn(options, Provider(options), sessions, keys)


def everybodys_people(settings: Settings, components: Components) -> dict[str, People | None]:
    """Do `people_of` for every tenant, by name."""
    return {
        one.name: people_of(one.settings or settings, one.stores.vault, one.stores.judging)
        for one in components.every_tenant
    }


def people_of(settings: Settings, vault: Vault | None, judging: Judging) -> People | None:
    """Give what the surface needs to enrol people and tell of them; raises `ConfigError` for the folder of uploads."""
    if vault is None:
        return None
    uploads = Uploads(settings.state_dir / "uploads", settings.max_upload_mb << 20)
    uploads.open()
    policy = Policy(settings.consent_required, settings.consent_days, settings.second_approver, judging.is_outdated)
    return People(vault, Identities(vault), uploads, Enrolments(enroller(judging.models, vault)), policy)


def greeting(base: str, admin: str, token: str | None, settings: Settings, private: bool) -> list[str]:
    """Return what is printed at the start.

    `token` is None where the operator set it and need not be told. It is in a line only where `private` says that
    nobody keeps what is printed; elsewhere the lines say which file holds it.
    """
    health = f"Health and metrics: {admin}/"
    if token is not None and private:
        return [
            f"Sidewitness is ready: {base}/#token={token}",
            f"Try it with your camera: {base}/try#token={token}",
            f"Token: {token}  (kept in {settings.state_dir / TOKEN_FILE})",
            health,
        ]
    where = "SIDEWITNESS_TOKEN" if token is None else f"the file {settings.state_dir / TOKEN_FILE}"
    return [f"Sidewitness is ready: {base}/  (try it: {base}/try)", f"Token: the one in {where}", health]


def is_private(stream: TextIO) -> bool:
    """Whether only a person at a terminal reads a stream: not a pipe, a file, or what a container keeps as its log."""
    return stream.isatty() and os.fstat(stream.fileno()).st_rdev not in map(_terminal_at, CONTAINER_LOGS)


def _terminal_at(path: Path) -> int | None:
    """Return the number of the terminal at a path; None where there is none, or nobody may look."""
    try:
        return path.stat().st_rdev
    except OSError:
        return None
