"""What the surface of a gateway asks of others, and what it answers them: requests, actions, who is in calls."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from prometheus_client import Counter

from monitor.alerts.wire import Message
from monitor.host.calls import Actions, ActionStatus, Outcome
from monitor.host.cluster.fleet import Fleet
from monitor.host.cluster.ledger import Place
from monitor.host.cluster.link import LinkLost
from monitor.host.cluster.placement import HostView, places
from monitor.host.cluster.refusals import HostError
from monitor.host.peers.dialling import Peer
from monitor.host.peers.sharing import together
from monitor.types import Action

# Longer than a host has to answer an offer.
ANSWER_SECONDS = 30.0
CALLS_SECONDS = 2.0
HERE = 0

Answer = Callable[[Mapping[str, Any]], Awaitable[Mapping[str, Any]]]


@dataclass(slots=True)
class OtherGateways:
    """The `Gateways` of a surface: those that are linked, by their ids; `forwarded` counts what they answered."""

    peers: Mapping[str, Peer]
    forwarded: Counter
    fleet: Fleet | None = None
    _answer: Answer | None = None
    _acting: Mapping[str, Actions] = field(default_factory=dict)

    def answers_by(self, answer: Answer) -> None:
        """Have what others ask answered."""
        self._answer = answer

    def acts_by(self, ways: Mapping[str, Actions]) -> None:
        """Have what others want done done by the ways in of each tenant here, by its name."""
        self._acting = ways

    def others(self) -> list[str]:
        """Return the other gateways that are there."""
        return list(self.peers)

    def candidates(self, place: Place, is_offer: bool) -> list[str | None]:
        """Return which gateways are to answer a request of somebody, the best first; None is this one."""
        if self.here.ledger.seat(place) is not None:
            return [None]
        judged = [peer.view.id for peer in self.peers.values() if peer.view.seat(place) is not None]
        if judged or not is_offer:
            return [*judged[:1]] or [None]
        others = dict(enumerate(self.peers.values(), 1))
        views = [self.host(), *(peer.view.host(number) for number, peer in others.items())]
        order = places(views, place[0])
        return [None if number == HERE else others[number].view.id for number in order] or [None]

    async def ask(self, gateway: str, request: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """Have another gateway answer a request; None where it is gone, or does not."""
        peer = self.peers.get(gateway)
        if peer is None:
            return None
        try:
            found: Mapping[str, Any] = await peer.link.ask("request", dict(request), ANSWER_SECONDS)
        except (LinkLost, TimeoutError, HostError):
            return None
        self.forwarded.inc()
        return found

    async def act(self, tenant: str, call: str, participant: str, action: Action) -> Outcome:
        """Have done what cannot be done from here: one after the other is asked, until it is somebody's."""
        outcome = Outcome(ActionStatus.NOT_HERE, "they came by no source, or are here no more")
        for peer in list(self.peers.values()):
            try:
                outcome = await peer.link.ask("act", [tenant, call, participant, action], ANSWER_SECONDS)
            except (LinkLost, HostError):
                continue
            except TimeoutError:
                return Outcome(ActionStatus.FAILED, "another gateway has not answered: see whether it was done")
            if outcome.status is not ActionStatus.NOT_HERE:
                break
        return outcome

    async def calls(self, own: Sequence[Message]) -> list[Message]:
        """Return what all gateways say of their calls, with what this one says."""
        asked = [_calls_of(peer) for peer in self.peers.values()]
        return together([own, *await asyncio.gather(*asked)])

    async def answer(self, op: str, body: Any) -> Any:
        """Answer another gateway; raises `LookupError` for what nobody knows here."""
        match op:
            case "request" if self._answer is not None:
                return dict(await self._answer(body))
            case "act" if body[0] in self._acting:
                return await self._acting[body[0]].act(*body[1:])
            case "calls":
                return await self.here.calls()
            case _:
                raise LookupError("a gateway asks what nobody knows here")

    def host(self) -> HostView:
        """Return this gateway as whoever places somebody sees a host."""
        fleet = self.here
        hosts = [fleet.view(host) for host in fleet.hosts if host.open]
        calls: dict[str, int] = {}
        for call, judged in ((call, judged) for host in hosts for call, judged in host.calls.items()):
            calls[call] = calls.get(call, 0) + judged
        is_full = all(host.full for host in hosts) or fleet.full
        cores = sum(host.cores for host in hosts) or 1.0
        return HostView(HERE, bool(hosts) and not fleet.draining, is_full, len(fleet), calls, cores)

    @property
    def here(self) -> Fleet:
        """The hosts of this gateway."""
        if self.fleet is None:
            raise RuntimeError("this gateway does not run yet")
        return self.fleet


async def _calls_of(peer: Peer) -> list[Message]:
    try:
        found: list[Message] = await peer.link.ask("calls", None, CALLS_SECONDS)
    except (LinkLost, TimeoutError, HostError):
        return []
    return found
