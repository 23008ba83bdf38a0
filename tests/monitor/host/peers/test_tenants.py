"""A tenant that one gateway has and another has not, as while their settings are changed one after the other."""

from __future__ import annotations

import socket
from dataclasses import replace
from typing import Any

import pytest

from monitor.decision.decide import DecisionConfig, initial
from monitor.host.cluster.channel import StreamChannel
from monitor.host.cluster.ledger import Seat
from monitor.host.cluster.link import Link
from monitor.host.departed import Departed
from monitor.host.metrics import Metrics
from monitor.host.peers.dialling import Peer
from monitor.host.peers.options import PeerOptions
from monitor.host.peers.peer_view import PeerView
from monitor.host.peers.peers import Peers
from monitor.host.tenants import Tenancy
from monitor.identity.claimed import stated
from monitor.types import ParticipantKey
from tests.monitor.alerts.build import finding
from tests.monitor.host.peers.site import SECRET

KEY = ParticipantKey("acme/board", "alice")
STATE = {"type": "state", "call": KEY.call, "participant": KEY.participant}
KNOWN = Departed(KEY, 1.0, "ended", initial(DecisionConfig()))


async def nothing_is_asked(_op: str, _body: Any) -> Any:
    raise LookupError("nothing is asked here")


@pytest.mark.parametrize(
    ("op", "body"),
    [
        ("seat", Seat(0, stated(KEY), "noon")),
        ("claimed", stated(KEY)),
        ("state", {"message": STATE, "at": 1.0}),
        ("notice", {"message": {**STATE, "type": "unmonitored"}, "at": 1.0}),
        ("finding", {"finding": replace(finding(), key=KEY), "at": 1.0}),
        ("checkpoint", {"known": KNOWN, "continues": None}),
        ("kept", KNOWN),
        ("let_go", KEY),
        ("ended", (KEY.call, KEY.participant)),
    ],
)
async def test_what_is_of_a_tenant_that_is_not_here_ends_no_link(op: str, body: Any) -> None:
    tenancy = Tenancy({})
    peers = Peers(PeerOptions("127.0.0.1", 0, (), SECRET), tenancy, tenancy, Metrics())
    one, other = socket.socketpair()
    channel = await StreamChannel.over(one)
    peer = Peer(Link(channel, lambda _op, _body: None, nothing_is_asked), PeerView("another one"))
    try:
        assert peers.came(peer)
        peers.said(peer, op, body)
        assert not peer.view.ledger.seats()
        assert not peer.view.kept
        assert not peer.view.recent
    finally:
        await channel.close()
        other.close()
