"""What keeps a participant from being judged, by what their tracks bring: always the cause, never what follows from it.

Pure. A track is a `TrackState`, changed by what comes (`received`, `faulted`) and by the time that passes (`settled`);
`obstacle` names one reason. Three rules hold it together, and `docs/architecture.md` has them as a table:

- A fault stays the reason while the track does not come back, whatever its absence would be called.
- What comes steadily, at whatever rate, has one steady reason: each limit has a second one for the way back.
- Where several things are in the way, `REASON_PRIORITY` picks one, so that the order in which they came does not.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum

from monitor.decision.decide import most_useful
from monitor.types import Reason, TrackFault, TrackKind

# A track stalls when nothing came for longer than the first, and is gone after the second.
STALE_SECONDS = 1.5
MISSING_SECONDS = 5.0
# On the way back no gap may be longer than these; a steady track comes back after a second of that. Both are 0.4 s and
# more apart from the limits, so that media that come 0.1 s early or late never cross both.
_RETURN_STALE_SECONDS = 1.1
_RETURN_MISSING_SECONDS = 4.0
_RETURN_SECONDS = 1.0
# Until something comes for the first time.
PATIENCE_SECONDS = 2 * STALE_SECONDS
# Long gaps in a row that make a track slow; one is a stall.
_SLOW_GAPS = 2
MIN_FPS = 8.0
_RETURN_FPS = 9.0
_DAMAGE_SECONDS = 1.0

# What a detector says of sound in which it finds too little speech, whatever tells speech from other sound.
_OF_SOUND = frozenset({Reason.NO_AUDIO, Reason.SILENCE, Reason("no_speech"), Reason.TOO_LITTLE_SPEECH})
_OF_PICTURE = frozenset({Reason.NO_FACE, Reason.LOW_QUALITY})


class Flow(IntEnum):
    """How a track comes: steadily, with gaps in which it seems to have stalled, or hardly at all."""

    STEADY = 0
    SLOW = 1
    GONE = 2


@dataclass(frozen=True, slots=True)
class TrackState:
    """What has come of one track; times are seconds of the arrival clock.

    `arrived` is the newest media and `steady_since`, `present_since` are since when no gap was longer than the way back
    allows. `fault` is the last one that may still explain why nothing comes; `damaged_at` and `lossy_at` are when
    pictures were damaged and sound was lost.
    """

    kind: TrackKind
    flow: Flow = Flow.STEADY
    arrived: float | None = None
    steady_since: float = 0.0
    present_since: float = 0.0
    gaps: int = 0
    low_rate: bool = False
    fault: TrackFault | None = None
    damaged_at: float = float("-inf")
    lossy_at: float = float("-inf")


def received(state: TrackState, arrival: float, damaged: bool = False, pause: float = 0.0) -> TrackState:
    """Take media that came at `arrival`; a `pause` of so many seconds before them, which the sender made, is no gap."""
    if damaged:
        state = replace(state, damaged_at=arrival)
    if state.arrived is None:
        return replace(state, arrived=arrival, steady_since=arrival, present_since=arrival)
    newest, gap = max(arrival, state.arrived), arrival - state.arrived - pause
    state = replace(_worsen(state, gap), arrived=newest)
    if gap > _RETURN_STALE_SECONDS:
        state = replace(state, steady_since=arrival, gaps=state.gaps + 1)
    if gap > _RETURN_MISSING_SECONDS:
        state = replace(state, present_since=arrival)
    if arrival - state.steady_since >= _RETURN_SECONDS:
        over = state.fault is not None and arrival - state.fault.arrival >= _RETURN_SECONDS
        return replace(state, flow=Flow.STEADY, gaps=0, fault=None if over else state.fault)
    if state.flow is Flow.GONE and arrival > state.present_since:
        return replace(state, flow=Flow.SLOW)
    return state


def faulted(state: TrackState, fault: TrackFault) -> TrackState:
    """Take a fault of the source. That nothing comes any more ends every other: its cause is gone as well."""
    if fault.reason is Reason.AUDIO_LOSS:
        return replace(state, lossy_at=fault.arrival)
    return replace(state, fault=None if fault.reason is Reason.MEDIA_STALLED else fault)


def settled(state: TrackState, now: float, waiting: bool, rate: float | None = None) -> TrackState:
    """Let time pass until `now`.

    `waiting` says that a track which never came is still expected. `rate` is in pictures a second of media, None where
    too few came to say.
    """
    if state.arrived is None:
        return state if waiting else replace(state, flow=Flow.GONE)
    low_rate = state.low_rate if rate is None else rate < (_RETURN_FPS if state.low_rate else MIN_FPS)
    return replace(_worsen(state, now - state.arrived), low_rate=low_rate)


def obstacle(
    tracks: Sequence[TrackState], now: float, others: Iterable[Reason] = (), every_picture: bool = True
) -> Reason | None:
    """Say what keeps these tracks from being judged at `now`; None where nothing does.

    The tracks were `settled` at `now`. `others` are reasons from elsewhere. Without `every_picture` a low rate is none.
    """
    reasons = [*others, *(reason for track in tracks for reason in _reasons(track, now, every_picture))]
    return most_useful(reasons) if reasons else None


def explained(reason: Reason, tracks: Iterable[TrackState], now: float, window_seconds: float) -> Reason:
    """Give the cause behind a detector's reason, where a track that comes is damaged or full of gaps.

    A window shows for `window_seconds` what was wrong in it.
    """
    for track in tracks:
        if reason in _OF_SOUND and now - track.lossy_at <= window_seconds:
            return Reason.AUDIO_LOSS
        if reason in _OF_PICTURE and now - track.damaged_at <= window_seconds:
            return Reason.PICTURE_DAMAGED
    return reason


def _worsen(state: TrackState, gap: float) -> TrackState:
    flow = Flow.GONE if gap > MISSING_SECONDS else Flow.SLOW if gap > STALE_SECONDS else Flow.STEADY
    # Most of the time nothing changes, and this is asked for every packet of sound.
    return replace(state, flow=flow) if flow > state.flow else state


def _reasons(track: TrackState, now: float, every_picture: bool) -> Iterable[Reason]:
    absence = _absence(track, now)
    low_rate = Reason.LOW_FRAME_RATE if track.low_rate and every_picture else None
    if absence or low_rate:
        yield track.fault.reason if track.fault else absence or Reason.LOW_FRAME_RATE
    if now - track.damaged_at < _DAMAGE_SECONDS:
        yield Reason.PICTURE_DAMAGED


def _absence(track: TrackState, now: float) -> Reason | None:
    if track.flow is Flow.GONE:
        return Reason.NO_VIDEO if track.kind == "video" else Reason.NO_AUDIO
    if track.arrived is None:
        return Reason.WARMING_UP
    if track.flow is Flow.STEADY:
        return None
    if track.gaps >= _SLOW_GAPS:
        return Reason.LOW_FRAME_RATE if track.kind == "video" else Reason.MEDIA_STALLED
    return Reason.MEDIA_STALLED if now - track.arrived > STALE_SECONDS else Reason.WARMING_UP
