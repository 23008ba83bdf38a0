"""What keeps a participant from being judged: causes before what follows, and one reason for what is steady."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterator, Sequence
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from monitor.decision.decide import REASON_PRIORITY
from monitor.session.obstacle import (
    MIN_FPS,
    MISSING_SECONDS,
    PATIENCE_SECONDS,
    STALE_SECONDS,
    TrackState,
    explained,
    faulted,
    obstacle,
    received,
    settled,
)
from monitor.types import Reason, TrackFault, TrackKind
from tests.examples_count import examples

HOP = 0.5
CAUSES = (Reason.UNSUPPORTED_CODEC, Reason.FRAME_TOO_LARGE, Reason.DECODER_FAILED, Reason.KEYFRAME_MISSING)


def fault(reason: Reason, at: float = 0.0, track: TrackKind = "video") -> TrackFault:
    return TrackFault(track, reason, "", at)


def flowing(kind: TrackKind, until: float, step: float = 0.04, start: float = 0.0) -> TrackState:
    state = TrackState(kind)
    for n in range(int((until - start) / step) + 1):
        state = received(state, start + n * step)
    return state


def rates(times: Sequence[float]) -> float | None:
    """The rate of pictures at these times, as the session counts them."""
    recent = [t for t in times if t > times[-1] - 2.0] if times else []
    recent = recent if len(recent) >= 3 else list(times[-3:])
    span = recent[-1] - recent[0] if recent else 0.0
    return (len(recent) - 1) / span if span >= 1.0 else None


def reasons(
    times: Sequence[float], until: float, phase: float = 0.0, kind: TrackKind = "video"
) -> Iterator[Reason | None]:
    """The reason at each hop for a track whose media come at these times."""
    state, waiting, seen = TrackState(kind), deque(times), deque[float](maxlen=100)
    now = phase
    while now < until:
        while waiting and waiting[0] <= now:
            seen.append(waiting.popleft())
            state = received(state, seen[-1])
        state = settled(state, now, now < PATIENCE_SECONDS, rates(list(seen)) if kind == "video" else None)
        yield obstacle([state], now)
        now += HOP


def named(track: TrackKind) -> Reason:
    return Reason.NO_VIDEO if track == "video" else Reason.NO_AUDIO


@pytest.mark.parametrize("kind", ["video", "audio"])
def test_a_track_that_never_comes_is_waited_for_and_then_missing(kind: TrackKind) -> None:
    found = list(reasons([], 8.0, kind=kind))
    assert found == [Reason.WARMING_UP] * 6 + [named(kind)] * 10


@pytest.mark.parametrize("kind", ["video", "audio"])
def test_a_track_that_stops_has_stalled_then_is_gone_and_is_back_after_a_second(kind: TrackKind) -> None:
    times = [n / 25 for n in range(26)] + [8 + n / 25 for n in range(100)]
    found = list(reasons(times, 11.0, kind=kind))
    seconds = {reason: [n * HOP for n, said in enumerate(found) if said is reason] for reason in found}
    assert seconds[Reason.MEDIA_STALLED] == [3.0 + n * HOP for n in range(7)]
    assert seconds[named(kind)] == [6.5, 7.0, 7.5, 8.0]
    assert seconds[Reason.WARMING_UP] == [8.5]
    assert seconds[None][-4:] == [9.0, 9.5, 10.0, 10.5]


def test_a_fault_stays_while_nothing_comes_and_ends_when_the_track_is_back() -> None:
    state = faulted(flowing("video", 2.0), fault(Reason.FRAME_TOO_LARGE, 2.0))
    for now in (2.5, 4.0, 7.5, 60.0):
        state = settled(state, now, False)
        assert obstacle([state], now) is (Reason.FRAME_TOO_LARGE if now > 3.5 else None)
    for n in range(60):
        state = received(state, 60.0 + n / 25)
    assert obstacle([settled(state, 62.4, False)], 62.4) is None
    later = settled(state, 65.0, False)
    assert obstacle([later], 65.0) is Reason.MEDIA_STALLED


def test_a_fault_of_which_something_comes_through_now_and_then_is_still_the_reason() -> None:
    """One picture a second is decoded between damaged ones: too few, and that is not the reason."""
    state = TrackState("video")
    for n in range(10):
        state = received(faulted(state, fault(Reason.DECODER_FAILED, n - 0.5)), float(n))
        state = settled(state, n + 0.1, False, rate=1.0 if n > 1 else None)
        assert obstacle([state], n + 0.1) is (Reason.DECODER_FAILED if n > 1 else None)
    assert obstacle([state], 9.1, every_picture=False) is None


def test_that_nothing_comes_any_more_ends_a_fault() -> None:
    state = faulted(flowing("video", 2.0), fault(Reason.UNSUPPORTED_CODEC, 2.0))
    state = settled(state, 4.0, False)
    assert obstacle([state], 4.0) is Reason.UNSUPPORTED_CODEC
    state = settled(faulted(state, fault(Reason.MEDIA_STALLED, 5.0)), 5.0, False)
    assert obstacle([state], 5.0) is Reason.MEDIA_STALLED
    assert obstacle([settled(state, 9.0, False)], 9.0) is Reason.NO_VIDEO


def test_damaged_pictures_are_a_reason_for_a_second() -> None:
    state = received(flowing("video", 3.0), 3.04, damaged=True)
    assert obstacle([state], 3.1) is Reason.PICTURE_DAMAGED
    assert obstacle([state], 3.1, every_picture=False) is Reason.PICTURE_DAMAGED
    assert obstacle([received(state, 4.0)], 4.1) is None


def test_too_few_pictures_are_too_few_until_there_are_clearly_more() -> None:
    said = []
    state = flowing("video", 3.0)
    for rate in (25.0, MIN_FPS, 7.9, 8.5, None, 8.9, 9.1, 8.5):
        state = settled(state, 3.1, False, rate)
        said.append(obstacle([state], 3.1))
    low = Reason.LOW_FRAME_RATE
    assert said == [None, None, low, low, low, low, None, None]


def test_what_a_detector_lacks_is_explained_by_what_is_wrong_with_the_track() -> None:
    sound = faulted(flowing("audio", 3.0), fault(Reason.AUDIO_LOSS, 3.0, "audio"))
    picture = received(flowing("video", 3.0), 3.0, damaged=True)
    assert obstacle([sound], 3.0) is None
    for reason, cause in (
        (Reason.SILENCE, Reason.AUDIO_LOSS),
        (Reason.NO_AUDIO, Reason.AUDIO_LOSS),
        (Reason("no_speech"), Reason.AUDIO_LOSS),
        (Reason.TOO_LITTLE_SPEECH, Reason.AUDIO_LOSS),
        (Reason.NO_FACE, Reason.PICTURE_DAMAGED),
        (Reason.LOW_QUALITY, Reason.PICTURE_DAMAGED),
        (Reason.NOT_ENROLLED, Reason.NOT_ENROLLED),
    ):
        assert explained(reason, [picture, sound], 8.0, 5.0) is cause
        assert explained(reason, [picture, sound], 8.1, 5.0) is reason
        assert explained(reason, [], 8.0, 5.0) is reason


JITTER_SECONDS = 0.1


@settings(max_examples=examples(150))
@given(
    st.sampled_from(["video", "audio"]),
    st.floats(0.04, 9.0),
    st.floats(0.0, 1.0),
    st.floats(0.0, HOP),
    st.lists(st.floats(0.02, 8.0), max_size=8),
    st.integers(0, 2**32),
)
@example("video", 1.375, 1.0, 0.0, [], 10)
@example("audio", 1.3, 1.0, 0.0, [], 0)
@example("audio", 4.5, 1.0, 0.0, [], 0)
def test_what_comes_steadily_has_one_steady_reason(
    kind: TrackKind, interval: float, jitter: float, phase: float, before: list[float], seed: int
) -> None:
    """Whatever the rate, the jitter and what came before: once it has settled, the reason changes at most once more.

    Where the jitter reaches just over one limit, that may take long: it does not come back.
    """
    draw = random.Random(seed).uniform
    spread = jitter * min(JITTER_SECONDS, interval / 4)
    times, at = list[float](), 0.0
    for gap in before:
        at += gap
        times.append(at)
    start = at
    settled_at = start + 6 * max(interval, 1.0) + MISSING_SECONDS
    until = settled_at + max(15.0, 8 * interval)
    n = 0
    while (at := start + n * interval) < until:
        times.append(at + draw(-spread, spread))
        n += 1
    said = list(reasons(sorted(times), until, phase, kind))[int((settled_at - phase) / HOP) :]
    assert sum(a is not b for a, b in pairwise(said)) <= 1
    if spread == 0.0:
        assert len(set(said)) == 1


REASONS = st.sampled_from(CAUSES)


@given(REASONS, st.lists(st.floats(0.1, 3.0), min_size=1, max_size=30))
def test_a_cause_is_never_replaced_by_what_follows_from_it(cause: Reason, steps: list[float]) -> None:
    for state in (TrackState("video"), flowing("video", 2.0)):
        now = 2.0
        track = faulted(state, fault(cause, now))
        for step in steps:
            now += step
            track = settled(track, now, waiting=False)
            if now - 2.0 > STALE_SECONDS:
                assert obstacle([track], now) is cause
                assert obstacle([track, flowing("audio", now, 0.2, now - 2.0)], now) is cause


@given(st.lists(st.sampled_from([*CAUSES, Reason.MEDIA_STALLED]), min_size=2, max_size=2), st.booleans())
def test_of_several_reasons_the_first_by_priority_is_given_whichever_came_first(two: list[Reason], swap: bool) -> None:
    kinds: tuple[TrackKind, TrackKind] = ("video", "audio")
    tracks = [
        settled(faulted(flowing(kind, 1.0), fault(reason, 1.0, kind)), 9.0, False)
        for kind, reason in zip(kinds, two, strict=True)
    ]
    said = obstacle(tracks[::-1] if swap else tracks, 9.0, [Reason.OVERLOADED])
    expected = {two[0], two[1], Reason.OVERLOADED} - {Reason.MEDIA_STALLED}
    assert said is min(expected, key=REASON_PRIORITY.index)


def test_a_crowd_or_an_overload_is_a_reason_by_itself_and_nothing_is_none() -> None:
    tracks = [flowing("video", 3.0), flowing("audio", 3.0)]
    assert obstacle(tracks, 3.0) is None
    assert obstacle(tracks, 3.0, [Reason.SEVERAL_FACES]) is Reason.SEVERAL_FACES


@pytest.mark.parametrize("pause", [1.3, 2.0, 10.0])
def test_a_pause_that_the_sender_made_is_no_gap_once_it_is_known(pause: float) -> None:
    """Sound that comes again after one is there at once; after a loss as long it has to come for a second."""
    state, now = flowing("audio", 10.0), 10.0
    for _ in range(5):
        now += pause
        state = settled(received(settled(state, now, waiting=False), now, pause=pause), now + 0.4, waiting=False)
        assert obstacle([state], now + 0.4) is None
    lost = received(settled(state, now + 2 * pause, waiting=False), now + 2 * pause)
    assert obstacle([settled(lost, now + 2 * pause + 0.4, waiting=False)], now + 2 * pause + 0.4) is not None
