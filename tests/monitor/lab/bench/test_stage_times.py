"""One participant taken apart, stage by stage."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from monitor.lab.bench import stage_times as stages
from monitor.lab.bench.clip import FPS, OPUS_FRAMES_PER_SECOND, Stream
from monitor.lab.bench.stage_times import NAMES, Timer, attach, face_milliseconds, packets, summarize, watch
from monitor.session.models import Models
from monitor.session.session import Session
from monitor.types import ParticipantKey


def test_packets_come_in_capture_order_round_after_round() -> None:
    made = Stream((b"v0", b"v1", b"v2"), (b"a0", b"a1", b"a2", b"a3", b"a4"))
    order = list(packets(made, 2))
    assert [one.media for one in order] == sorted(one.media for one in order)
    assert b"".join(one.data for one in order if one.kind == "video") == b"v0v1v2v0v1v2"
    assert b"".join(one.data for one in order if one.kind == "audio") == b"a0a1a2a3a4" * 2
    assert order[0].kind == "audio"


def test_every_stage_of_a_real_session_is_reached(
    stream: Stream, models: Models, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[dict[str, Timer]] = []
    attached: Callable[..., None] = attach

    def remember(session: Session, timers: dict[str, Timer]) -> None:
        attached(session, timers)
        made.append(timers)

    monkeypatch.setattr(stages, "attach", remember)
    found = stages.measure(stream, models)
    timers = made[0]
    rounds = 2 * stream.seconds - stages.HEAD_SECONDS
    assert len(timers["track"].samples) == pytest.approx(rounds * FPS, abs=2)
    assert len(timers["decode audio"].samples) == pytest.approx(rounds * OPUS_FRAMES_PER_SECOND, abs=2)
    # Nobody's face is in the clip: what a face needs is not called, all the rest is.
    assert {name for name, timer in timers.items() if not timer.samples} <= {"landmarks", "detect"}
    outer = ("decode video", "decode audio", "picture", "front", "voice", "tick")
    total = sum(timers[name].total for name in outer)
    assert sum(one.per_frame for one in found) * len(timers["track"].samples) / 1000 == pytest.approx(total)


def test_the_wrapped_session_decides_as_before(stream: Stream, models: Models) -> None:
    plain, wrapped = (Session(ParticipantKey("c", "p"), models) for _ in range(2))
    attach(wrapped, {name: Timer() for name in NAMES})
    for item in stages.decoded(stream, 1, {name: Timer() for name in NAMES}):
        now = item.stamp.arrival
        assert plain.tick(now) == wrapped.tick(now)
        plain.push(item)
        wrapped.push(item)


def test_a_part_that_is_gone_is_an_error() -> None:
    with pytest.raises(AttributeError):
        watch(object(), "no_such_part", Timer())


def test_a_timer_counts_calls_that_fail_and_none_while_off() -> None:
    timer = Timer()
    with pytest.raises(ZeroDivisionError):
        timer(lambda: 1 / 0)()
    timer.on = False
    assert timer(lambda x: x + 1)(1) == 2
    assert len(timer.samples) == 1


def test_nested_timers_become_disjoint_stages() -> None:
    timers = {name: Timer() for name in NAMES}
    timers["track"].samples = [0.005, 0.005]
    timers["landmarks"].samples = [0.002, 0.002]
    timers["detector"].samples = [0.001]
    timers["picture"].samples = [0.007, 0.007]
    timers["lips"].samples = [0.001]
    timers["tick"].samples = [0.004]
    timers["window"].samples = [0.001]
    timers["decide"].samples = [0.002]
    timers["detect"].samples = [0.0015]
    found = {one.name: one for one in summarize(timers, 2.0)}
    assert found["face detector"].per_frame == pytest.approx(0.5)
    assert found["face detector"].per_call == pytest.approx(1.0)
    assert found["face detector"].calls_per_second == 0.5
    assert found["crops, pose, quality"].per_frame == pytest.approx(2.5)
    assert found["crops, pose, quality"].per_call_p95 is None
    assert found["resampling, book-keeping"].per_frame == pytest.approx(1.5)
    assert found["calibrate, decide"].per_call == pytest.approx(0.5)
    assert found["report"].per_call == pytest.approx(1.0)
    assert found["decode audio"].per_call is None
    assert face_milliseconds(list(found.values())) == pytest.approx(4.5)
    assert sum(one.per_frame for one in found.values()) == pytest.approx(1000 * (0.014 + 0.004) / 2)
