"""A thousand offers whose publishers never connect: places, sockets, memory and the loop stay within bounds."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from psutil import Process

from monitor.host.calls import AtCapacity
from monitor.host.quota import Quota
from monitor.tap.media.config import TapConfig
from monitor.tap.webrtc import WebRtcPeer
from monitor.types import ParticipantKey
from tests.monitor.host.test_host import Bench, bench_with
from tests.monitor.rig import factory, quiet_log
from tests.monitor.tap.test_canary import line, offered

OFFERS, AT_ONCE = 1000, 50
PLACES = 8
HANDSHAKE_SECONDS = 1.0
MALLORY, ANN = "mallory", "ann"
# A few sockets a peer, one for each address of this machine; what the loop and the journal open is there before.
SOCKETS_PER_PEER = 8
MOST_GROWN_BYTES = 64 << 20
MOST_LAG_SECONDS, USUAL_LAG_SECONDS = 1.0, 0.1


@dataclass
class Watch:
    """What was seen while it lasted: how late the loop was, how many places, peers and sockets there were."""

    bench: Bench
    peers: weakref.WeakSet[WebRtcPeer]
    lags: list[float] = field(default_factory=list)
    most: dict[str, int] = field(default_factory=dict)

    async def run(self) -> None:
        loop, process = asyncio.get_running_loop(), Process()
        while True:
            due = loop.time() + 0.01
            await asyncio.sleep(0.01)
            self.lags.append(loop.time() - due)
            live = sum(not peer.ended for peer in self.peers)
            for name, count in (("here", len(self.bench.host)), ("peers", live), ("files", process.num_fds())):
                self.most[name] = max(count, self.most.get(name, 0))


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[tuple[Bench, weakref.WeakSet[WebRtcPeer]]]:
    """A host whose offers the real stack answers."""
    peers: weakref.WeakSet[WebRtcPeer] = weakref.WeakSet()
    limits = TapConfig(handshake_seconds=HANDSHAKE_SECONDS)

    async def answer(offer: str) -> tuple[WebRtcPeer, str]:
        peer, text = await WebRtcPeer.answer(offer, limits)
        peers.add(peer)
        return peer, text

    with quiet_log():
        bench = bench_with(tmp_path, factory, PLACES)
        bench.host._answer = answer
        yield bench, peers
        await bench.host.drain()
        await bench.recorder.close()
        bench.journal.close()


async def publish(bench: Bench, offer: str, name: str, subject: str) -> bool:
    """Whether an offer got a place."""
    try:
        await bench.host.publish(ParticipantKey("board", name), offer, subject)
    except AtCapacity:
        return False
    return True


async def emptied(bench: Bench) -> None:
    """Wait for everybody to be let go."""
    async with asyncio.timeout(30):
        while len(bench.host):
            found = next(iter(bench.host._participants.values()))
            await found.wait()
            await asyncio.sleep(0)


async def test_a_thousand_half_open_offers_stay_within_bounds(
    site: tuple[Bench, weakref.WeakSet[WebRtcPeer]],
) -> None:
    bench, peers = site
    offer = await offered([line("93.184.216.34", 50000, 1)])
    # Once before, for what is loaded and kept at the first.
    assert await publish(bench, offer, "first", MALLORY)
    await emptied(bench)
    process, watch = Process(), Watch(bench, peers)
    memory, files = process.memory_info().rss, process.num_fds()
    watching = asyncio.create_task(watch.run())
    admitted = 0
    for wave in range(0, OFFERS, AT_ONCE):
        names = [f"p{n}" for n in range(wave, wave + AT_ONCE)]
        admitted += sum(await asyncio.gather(*(publish(bench, offer, name, MALLORY) for name in names)))
    assert 0 < admitted < OFFERS / 2
    assert bench.number("publications_refused_total") == OFFERS - admitted
    # Half of the places are not for a subject whose publishers have yet to connect: others get one at once.
    assert await publish(bench, offer, "ann", ANN)
    await emptied(bench)
    watching.cancel()
    assert watch.most["here"] <= PLACES // 2 + 1
    assert watch.most["peers"] <= PLACES // 2 + 1
    assert watch.most["files"] <= files + SOCKETS_PER_PEER * (PLACES // 2 + 1)
    assert process.num_fds() <= files
    assert process.memory_info().rss - memory < MOST_GROWN_BYTES
    lags = sorted(watch.lags)
    assert lags[len(lags) // 2] < USUAL_LAG_SECONDS
    assert lags[-1] < MOST_LAG_SECONDS
    assert await publish(bench, offer, "afterwards", MALLORY)
    await emptied(bench)


async def test_a_subject_has_no_more_places_than_the_settings_give(
    site: tuple[Bench, weakref.WeakSet[WebRtcPeer]],
) -> None:
    bench, _ = site
    bench.host._quota = Quota(PLACES, places=2, connecting=PLACES)
    offer = await offered([])
    assert [await publish(bench, offer, f"p{n}", MALLORY) for n in range(3)] == [True, True, False]
    # Publishing again takes no further place.
    assert await publish(bench, offer, "p1", MALLORY)
    assert await publish(bench, offer, "p3", ANN)
    await emptied(bench)
    assert await publish(bench, offer, "p4", MALLORY)
