"""Whose a name in a call is, as the host sees it: until their media have stopped."""

from __future__ import annotations

import time

import pytest

from monitor.host.calls import Occupied
from tests.monitor.host.test_host import ADA, Bench
from tests.monitor.rig import ScriptedSource


class Peer(ScriptedSource):
    """A source that knows when a packet came last."""

    etag = "ice-1"
    heard_at: float | None = None

    async def add_candidates(self, fragment: str) -> None:
        raise AssertionError("nobody trickles here")


async def test_a_name_is_free_when_the_media_of_its_owner_have_stopped(bench: Bench) -> None:
    peers: list[Peer] = []

    async def answer(_offer: str) -> tuple[Peer, str]:
        peers.append(Peer())
        return peers[-1], "v=0"

    bench.host._answer = answer
    first = await bench.host.publish(ADA, "offer", "alice")
    # Who has just joined has not been silent for long, though nothing came yet.
    with pytest.raises(Occupied):
        await bench.host.publish(ADA, "offer", "eve")
    judged = bench.host.find("board", "ada")
    assert judged is not None
    judged._heard_at -= 100.0
    peers[0].heard_at = time.monotonic()
    with pytest.raises(Occupied):
        await bench.host.publish(ADA, "offer", "eve")
    assert (first.ended, len(peers)) == (False, 1)
    peers[0].heard_at -= 100.0
    second = await bench.host.publish(ADA, "offer", "eve")
    assert (first.ended, second.ended) == (True, False)
    # Now it is theirs.
    with pytest.raises(Occupied):
        await bench.host.publish(ADA, "offer", "alice")
