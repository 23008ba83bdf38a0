"""What a gateway that has just come is told: everything, however much that is."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import numpy as np

from monitor.decision.decide import DecisionConfig, initial
from monitor.host.cluster.channel import StreamChannel
from monitor.host.cluster.link import Link
from monitor.host.departed import MAX_IN_ALL, Departed
from monitor.host.peers.peer_view import PeerView
from monitor.host.peers.speaking import Speaking
from monitor.types import ParticipantKey

PATIENCE = 20.0
# More than anybody's memories take: together they are more than one frame may hold.
MEMORY = np.zeros(4096)


async def nothing_is_asked(_op: str, _body: Any) -> Any:
    raise LookupError("nothing is asked here")


async def test_a_thousand_people_are_told_of() -> None:
    one, other = socket.socketpair()
    speaking, view, whole = Speaking("one"), PeerView("one"), asyncio.Event()
    state = initial(DecisionConfig())
    keys = [ParticipantKey("board", f"person-{number}") for number in range(MAX_IN_ALL)]
    speaking.remembered([Departed(key, 1.0, "ended", state, memories={"toy": MEMORY}) for key in keys])

    def heard(op: str, body: Any) -> None:
        if op == "hello":
            return
        view.take(op, body)
        if view.whole:
            whole.set()

    says = Link(await StreamChannel.over(one), lambda _op, _body: None, nothing_is_asked)
    hears = Link(await StreamChannel.over(other), heard, nothing_is_asked)
    running = [asyncio.create_task(link.run()) for link in (says, hears)]
    speaking.greet(says, [], 1.0)
    try:
        async with asyncio.timeout(PATIENCE):
            await whole.wait()
        assert view.kept.keys() == set(keys)
    finally:
        says.close()
        await asyncio.wait(running)
