"""More participants than the machine can judge, in virtual time: some are shed and say so, the rest keep their time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from monitor.alerts.push import Hub
from monitor.alerts.recorder import Recorder
from monitor.host.calls import AtCapacity
from monitor.host.host import Host
from monitor.host.metrics import Metrics
from monitor.host.participant import Participant
from monitor.host.shedding import MachineLoad
from monitor.host.step import SessionFactory
from monitor.session.models import Models, load_models
from monitor.session.session import Session
from monitor.tap.replay import read_clip
from monitor.types import AudioBlock, ParticipantKey, VideoFrame
from tests.monitor.alerts.build import ready_journal
from tests.monitor.frames import block, frame
from tests.monitor.rig import ScriptedSession, factory, no_answer, quiet_log
from tests.monitor.virtual import Camera, VirtualPool, run, seconds_for

CLIP = "clips/real/LivePortrait__d20.mp4"
HOP = 0.5
# Two participants at 12.5 pictures a second take 0.84 of the one worker, four 1.7.
PICTURE, SOUND = 0.03, 0.0015
Media = list[VideoFrame | AudioBlock]


@dataclass
class Site:
    """A host on a machine with one worker, and all that it says, with the time of each word."""

    host: Host
    metrics: Metrics
    media: Media
    busy: list[float]
    said: list[tuple[float, dict[str, Any]]]

    async def join(self, name: str, identity: str | None = None) -> Camera:
        key = ParticipantKey("board", name, identity)
        camera = Camera(self.media, 7.0)
        with self.host.reserve(key):
            await self.host.admit(key, camera)
        return camera

    def participant(self, name: str) -> Participant:
        found = self.host.find("board", name)
        assert found is not None
        return found

    def paused(self) -> set[str]:
        return {name for name in ("p0", "p1", "p2", "p3", "p4") if (p := self.host.find("board", name)) and p.paused}

    def words(self, name: str, since: float) -> list[tuple[float, dict[str, Any]]]:
        return [(at, word) for at, word in self.said if at >= since and word["participant"] == name]

    def number(self, name: str) -> float:
        return self.metrics.registry.get_sample_value(f"sidewitness_{name}") or 0.0

    def ages(self) -> tuple[float, float]:
        """Scores so far, and how many of them were at most a second old."""
        name = "sidewitness_score_age_seconds"
        within = self.metrics.registry.get_sample_value(f"{name}_bucket", {"le": "1.0"}) or 0.0
        return self.number("score_age_seconds_count"), within


@asynccontextmanager
async def site(folder: Path, sessions: SessionFactory, media: Media, places: int = 8) -> AsyncIterator[Site]:
    loop = asyncio.get_running_loop()
    hub, metrics, journal = Hub(), Metrics(), ready_journal(folder)
    said: list[tuple[float, dict[str, Any]]] = []

    def told(message: dict[str, Any], decided_at: float | None = None) -> None:
        said.append((loop.time(), message))

    hub.state = told  # type: ignore[method-assign]
    recorder = Recorder(journal, lambda *_: None)
    recorder.start()
    pool, busy = VirtualPool(1, seconds_for(PICTURE, SOUND)), [0.9]
    host = Host(
        sessions,
        no_answer,
        recorder,
        hub,
        metrics,
        HOP,
        places,
        machine_load=lambda: MachineLoad(busy[0]),
        clock=loop.time,
        pool=pool,
    )
    try:
        yield Site(host, metrics, media, busy, said)
    finally:
        await host.drain()
        await recorder.close()
        journal.close()


def virtually(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    with quiet_log():
        run(work)


@cache
def generated() -> Media:
    plane = np.full((32, 32), 100, np.uint8)
    pictures: Media = [frame(plane, n / 12.5) for n in range(87)]
    sounds: Media = [block(np.zeros(480, np.float32), n * 0.03) for n in range(233)]
    return sorted([*pictures, *sounds], key=lambda item: item.stamp.capture)


class Watched(ScriptedSession):
    """A session that takes media without being told what to do."""

    def push(self, item: Any) -> None:
        self.seen.append(item)


@pytest.fixture(scope="module")
def models() -> Models:
    return load_models()


@pytest.fixture(scope="module")
def genuine(data_dir: Path) -> Media:
    """A genuine clip of 7 s at 12.5 pictures a second."""
    items = [item for item in read_clip(data_dir / CLIP) if isinstance(item, VideoFrame | AudioBlock)]
    pictures = [item for item in items if isinstance(item, VideoFrame)][::2]
    kept: Media = [*pictures, *(item for item in items if isinstance(item, AudioBlock))]
    return sorted((item for item in kept if item.stamp.capture < 7.0), key=lambda item: item.stamp.capture)


@pytest.mark.data
def test_at_twice_the_load_the_shed_say_so_and_the_others_keep_their_time(
    tmp_path: Path, models: Models, genuine: Media
) -> None:
    """Real sessions on a real clip; who claims an identity stays although they came last."""

    async def work() -> None:
        now = asyncio.get_running_loop().time
        async with site(tmp_path, lambda key: Session(key, models), genuine) as here:
            for n in range(4):
                await here.join(f"p{n}", "Ann" if n == 3 else None)
            await asyncio.sleep(11)
            settled, (scores, within), lost = now(), here.ages(), here.number("media_items_dropped_total")
            await asyncio.sleep(4)
            assert here.paused() == {"p1", "p2"}
            assert (here.number("participants_shed"), here.number("sheds_total")) == (2, 2)
            for name in ("p1", "p2"):
                words = here.words(name, settled)
                assert {(word["verdict"], word["reason"]) for _, word in words} == {("inconclusive", "overloaded")}
                assert 7 <= len(words) <= 9
            for name in ("p0", "p3"):
                words = here.words(name, settled)
                assert len(words) >= 7
                assert all(word["scores"]["synchrony"]["score"] is not None for _, word in words)
            later = here.ages()
            assert later[0] - scores >= 14
            assert later[1] - within == later[0] - scores
            assert here.number("media_items_dropped_total") == lost

    virtually(work)


@pytest.mark.data
def test_who_comes_back_is_judged_again(tmp_path: Path, models: Models, genuine: Media) -> None:
    async def work() -> None:
        now = asyncio.get_running_loop().time
        async with site(tmp_path, lambda key: Session(key, models), genuine) as here:
            for n in range(3):
                await here.join(f"p{n}")
            await asyncio.sleep(7)
            assert here.paused() == {"p2"}
            await here.participant("p0").end()
            here.busy[0] = 0.4
            left = now()
            await asyncio.sleep(14)
            assert here.paused() == set()
            assert here.number("participants_shed") == 0
            reasons = [word["reason"] for _, word in here.words("p2", left)]
            assert reasons[0] == "overloaded"
            assert reasons[reasons.count("overloaded")] == "warming_up"
            _, last = here.words("p2", left)[-1]
            assert last["scores"]["synchrony"]["score"] is not None

    virtually(work)


def test_nobody_new_is_let_in_while_somebody_is_shed(tmp_path: Path) -> None:
    async def work() -> None:
        async with site(tmp_path, Watched, generated()) as here:
            for n in range(4):
                await here.join(f"p{n}")
            await asyncio.sleep(14)
            assert here.paused() == {"p2", "p3"}
            with pytest.raises(AtCapacity, match="too slow for one more") as refused:
                await here.join("p4")
            assert refused.value.retry_after == 15
            assert here.number("publications_refused_total") == 1
            for name in ("p0", "p1", "p2"):
                await here.participant(name).end()
            await asyncio.sleep(8)
            await here.join("p4")

    virtually(work)


def test_everybody_is_judged_lightly_before_some_are_not_judged_at_all_and_in_full_again(tmp_path: Path) -> None:
    lights: dict[str, list[bool]] = {}
    everybody = asyncio.Event()

    class Lightened(Watched):
        def lighten(self, light: bool) -> None:
            told = lights.setdefault(self.key.participant, [])
            if told[-1:] != [light]:
                told.append(light)
            if [each[-1] for each in lights.values()] == [True] * 4:
                everybody.set()

    async def work() -> None:
        async with site(tmp_path, Lightened, generated()) as here:
            for n in range(4):
                await here.join(f"p{n}")
            await everybody.wait()
            assert here.paused() == set()
            assert here.number("judged_lightly") == 1
            assert lights == {f"p{n}": [False, True] for n in range(4)}
            for name in ("p0", "p1", "p2"):
                await here.participant(name).end()
            here.busy[0] = 0.4
            await asyncio.sleep(12)
            assert here.number("judged_lightly") == 0
            assert lights["p3"] == [False, True, False]

    virtually(work)


def test_publishing_again_keeps_the_place_in_the_queue(tmp_path: Path) -> None:
    async def work() -> None:
        async with site(tmp_path, Watched, generated()) as here:
            for n in range(4):
                await here.join(f"p{n}")
            await asyncio.sleep(14)
            again = await here.join("p3")
            assert again.paused
            sent = again.sent
            first = await here.join("p0")
            assert not first.paused
            await asyncio.sleep(20)
            assert here.paused() == {"p2", "p3"}
            assert again.sent == sent
            assert here.number("participants_shed") == 2
            await here.participant("p3").end()
            assert here.number("participants_shed") == 1

    virtually(work)


def test_a_place_is_free_when_publishing_again_fails(tmp_path: Path) -> None:
    """The earlier publication ends first, and then the one that was to take its place cannot be admitted."""

    async def work() -> None:
        async with site(tmp_path, Watched, generated()) as here:
            for n in range(4):
                await here.join(f"p{n}")
            await asyncio.sleep(14)
            key = ParticipantKey("board", "p3")
            with here.host.reserve(key):
                await here.participant("p3").end()
                assert here.number("participants_shed") == 2
            assert here.number("participants_shed") == 1
            assert here.paused() == {"p2"}

    virtually(work)


def test_the_shed_cost_no_media_and_hold_none(tmp_path: Path) -> None:
    """What waits stays within its bounds, and nothing more is lost."""

    async def work() -> None:
        sessions: dict[str, Watched] = {}

        def make(key: ParticipantKey) -> Watched:
            return sessions.setdefault(key.participant, Watched(key))

        async with site(tmp_path, make, generated()) as here:
            cameras = [await here.join(f"p{n}") for n in range(4)]
            await asyncio.sleep(14)
            seen, lost = len(sessions["p3"].seen), here.number("media_items_dropped_total")
            await asyncio.sleep(16)
            assert len(sessions["p3"].seen) == seen
            assert [len(camera.backlog) for camera in cameras[2:]] == [0, 0]
            assert all(len(camera.backlog) < 32 for camera in cameras[:2])
            assert here.number("media_items_dropped_total") == lost
            assert len(sessions["p0"].seen) > 16 * 40
            assert here.number("sheds_total") == 2

    virtually(work)


def test_a_session_that_fails_at_rest_is_begun_anew(tmp_path: Path) -> None:
    async def work() -> None:
        class Broken(Watched):
            def rest(self, now: float) -> None:
                raise ValueError("broken")

        made: list[ParticipantKey] = []

        def make(key: ParticipantKey) -> ScriptedSession:
            made.append(key)
            return Broken(key) if len(made) == 1 else factory(key)

        async with site(tmp_path, make, generated()) as here:
            await here.join("p0")
            here.participant("p0").pause(True)
            await asyncio.sleep(2)
            assert here.number("session_failures_total") == 1
            assert [word["reason"] for _, word in here.said][:2] == ["session_failed", "overloaded"]

    virtually(work)


def test_a_load_that_cannot_be_read_is_read_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async def work() -> None:
        async with site(tmp_path, Watched, generated()) as here:
            for n in range(4):
                await here.join(f"p{n}")
            here.busy.clear()
            await asyncio.sleep(1)
            here.busy.append(0.9)
            await asyncio.sleep(6)
            assert here.paused() == {"p2", "p3"}

    virtually(work)
    assert "the load could not be read" in capsys.readouterr().err
