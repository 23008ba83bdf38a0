"""How participants are judged here, from the settings and the models: a session each, a WebRTC peer for an offer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

from engines.base import MODELS
from engines.packs import installed
from monitor.alerts.policy.rules import Policy, Subject
from monitor.alerts.policy.terms import Terms, terms_of
from monitor.config import ConfigError, Settings
from monitor.decision.decide import DecisionConfig
from monitor.detectors.reference import Reference
from monitor.host.batched_models import BatchedModels
from monitor.host.publication import Answer
from monitor.host.step import SessionFactory
from monitor.identity.claimed import Claimed, stated
from monitor.identity.vault.errors import VaultError
from monitor.identity.vault.registry import Identities
from monitor.session.models import Models, load_models
from monitor.session.session import Session, SessionConfig
from monitor.storage.tenancy.names import outside
from monitor.tap.media.config import IceServer, TapConfig, local_addresses
from monitor.tap.webrtc import WebRtcPeer
from monitor.types import ParticipantKey, Profile

if TYPE_CHECKING:
    # Not otherwise: a host in a process of its own has no database.
    from monitor.identity.vault.vault import Vault


@dataclass(frozen=True, slots=True)
class Judging:
    """What begins a session for a participant, and what opens the peer of an SDP offer.

    `batched` computes participants together, where that is wanted. `is_outdated` says whether a reference was
    made by other encoders, `claimed` whom somebody who joins claims to be; it blocks. `warm_up` makes ready for whom
    the vault holds; it blocks, and is called in a thread. `tags` are those of the enrolled person of a name, as they
    were when a session was last begun with them; it does not block. `packs` are the hashes of the models, by pack.
    `learn_tags` reads tags anew, and blocks; so does `terms`, which says what a policy holds for somebody.
    """

    session: SessionFactory
    answer: Answer
    models: Models
    batched: BatchedModels | None = None
    is_outdated: Callable[[Reference], bool] = lambda _reference: True
    warm_up: Callable[[], None] = lambda: None
    claimed: Callable[[ParticipantKey, Profile], Claimed] = stated
    tags: Callable[[str | None], frozenset[str]] = lambda _name: frozenset()
    packs: Mapping[str, str] = field(default_factory=dict)
    learn_tags: Callable[[str | None], frozenset[str]] = lambda _name: frozenset()
    terms: Callable[[ParticipantKey], SessionTerms] = lambda _key: Terms()


def load(settings: Settings) -> Models:
    """Load the models that the settings name; what only a claimed identity needs is compiled later."""
    return load_models(settings.engine, settings.packs or MODELS, defer=True)


def judging(
    settings: Settings,
    vault: Vault,
    models: Models,
    policy: Policy | None = None,
    batched: BatchedModels | None = None,
) -> Judging:
    """Say how participants are judged, by what a policy says of each; raises `ConfigError`.

    `batched` is what computes the participants of other tenants together, whom those of this one join.
    """
    identities = Identities(vault, settings.claims)
    if batched is None and settings.batches:
        batched = BatchedModels(models)
    config, rules, tags = session_config(settings), policy or Policy(), Tags(vault, policy)
    packs = {pack.manifest.name: pack.manifest.sha256 for pack in installed(settings.packs or MODELS)}

    def terms(key: ParticipantKey) -> Terms:
        return terms_of(rules, Subject(outside(key.call)[1], key.identity, tags.learn(key.identity)))

    def session(key: ParticipantKey) -> Session:
        reference = identities.lookup(key.identity) if key.identity is not None else None
        by = session_config_of(config, terms(key))
        return Session(key, batched.models() if batched else models, by, reference)

    def warm_up() -> None:
        if vault.list():
            models.later.prepare()

    return Judging(
        session,
        webrtc_answer(settings),
        models,
        batched,
        models.is_outdated,
        warm_up,
        identities.claimed,
        tags.known,
        packs,
        tags.learn,
        terms,
    )


def session_config(settings: Settings) -> SessionConfig:
    """Return the window, hop and false alarm rate of every session; raises `ConfigError`."""
    try:
        return SessionConfig(
            DecisionConfig(
                false_alerts_per_hour=settings.false_alerts_per_hour,
                window_seconds=settings.window_seconds,
                hop_seconds=settings.hop_seconds,
            ),
            links=settings.rejoin_seconds > 0.0,
            live=True,
        )
    except ValueError as error:
        raise ConfigError(str(error)) from None


class SessionTerms(Protocol):
    """What a policy says of how somebody is judged; None where the settings hold."""

    @property
    def false_alerts_per_hour(self) -> float | None:
        """How many of them are accepted."""
        ...

    @property
    def window_seconds(self) -> float | None:
        """The length of a window."""
        ...

    @property
    def detectors(self) -> frozenset[str] | None:
        """Those that count."""
        ...


def session_config_of(config: SessionConfig, terms: SessionTerms) -> SessionConfig:
    """Return how somebody is judged for whom the terms of a policy hold."""
    decision = config.decision
    rate, window = terms.false_alerts_per_hour, terms.window_seconds
    return replace(
        config,
        decision=replace(
            decision,
            false_alerts_per_hour=decision.false_alerts_per_hour if rate is None else rate,
            window_seconds=decision.window_seconds if window is None else window,
            detectors=terms.detectors,
        ),
    )


class Tags:
    """What enrolled people are tagged as, read of the vault where a policy asks for it."""

    def __init__(self, vault: Vault, policy: Policy | None) -> None:
        self._vault = vault
        self._asked = policy is not None and any(group.tags for group in policy.every_group)
        self._known: dict[str, frozenset[str]] = {}

    def learn(self, name: str | None) -> frozenset[str]:
        """Read the tags of a name; blocks. Where the vault cannot be asked they are those that were read last."""
        if name is None or not self._asked:
            return frozenset()
        try:
            info = self._vault.show(name)
        except VaultError:
            return self.known(name)
        self._known[name] = frozenset(info.version.tags) if info is not None else frozenset()
        return self._known[name]

    def known(self, name: str | None) -> frozenset[str]:
        """Return the tags that were read last."""
        return self._known.get(name, frozenset()) if name is not None else frozenset()


def webrtc_answer(settings: Settings) -> Answer:
    """Return what answers WebRTC offers within the limits that the settings give."""
    tap = tap_config(settings)

    async def answer(offer: str) -> tuple[WebRtcPeer, str]:
        return await WebRtcPeer.answer(offer, tap)

    return answer


def tap_config(settings: Settings) -> TapConfig:
    """Return the limits of a peer that the settings give."""
    # Who listens on loopback only is published to by a browser on this machine.
    local = local_addresses() if settings.is_loopback else ()
    return TapConfig(
        max_sdp_bytes=settings.max_sdp_bytes,
        allowed_networks=settings.allowed_networks + local,
        leave_seconds=settings.leave_seconds,
        ice_servers=tuple(
            IceServer(server.url, server.username, server.credential.get_secret_value() if server.credential else None)
            for server in settings.ice_servers
        ),
    )
