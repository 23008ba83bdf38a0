"""The times of a recorded clip put in order: what steps back, jumps or begins days late becomes one short timeline.

Recordings are spliced, cut and damaged, and MPEG-TS time wraps after 26 hours (ISO/IEC 13818-1 section 2.4.3.7). What
follows is laid out on a grid of 25 steps a second, so a jump in a file must not cost the memory of the time it jumps
over. Pure.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import replace

from monitor.types import SAMPLE_RATE_HZ, AudioBlock, ClockState, MediaItem, Stamp, TrackFault, VideoFrame

_UNCERTAINTY_SECONDS = 0.001
# A larger step back is taken for a splice, a smaller one for a reordered packet.
_SPLICE_SECONDS = 1.0
# A larger step ahead is believed once a second item says the same.
_JUMP_SECONDS = 10.0
# Shifts nearer than this are the same splice, seen by the other track.
_SAME_SPLICE_SECONDS = 2.0
_REMEMBERED_SPLICES = 16
# No clip lasts three years: such a time is damage.
_FARTHEST_SECONDS = 1e8
# In which neither track has anything; a longer one is shortened to this.
_LONGEST_GAP_SECONDS = 10.0
# Up to this nothing is a gap: slides change slowly.
_SHORT_GAP_SECONDS = 1.0
# All gaps of a clip may last this long together, and as long again as what was decoded: time that nothing was decoded
# for costs as much to judge as any other.
_FREE_GAP_SECONDS = 60.0
_EARLIEST_SECONDS = -1.0


class Scattered(Exception):  # noqa: N818 - a finding about the clip
    """There is more nothing than media in a clip."""


class Splices:
    """By how much the tracks of one clip are moved at their splices: both by the same, so that they stay together."""

    def __init__(self) -> None:
        self._shifts: deque[float] = deque(maxlen=_REMEMBERED_SPLICES)

    def agree(self, shift: float) -> float:
        """Return the shift that the other track has taken for this splice, or this one if it is the first."""
        for other in self._shifts:
            if abs(other - shift) <= _SAME_SPLICE_SECONDS:
                return other
        self._shifts.append(shift)
        return shift


class Timeline:
    """Makes pts monotonic: items a little in the past are left out, a large step back (a splice) is re-anchored.

    A single item far ahead or far back is damage and left out; where the next one agrees, it was a jump.
    """

    def __init__(self, splices: Splices | None = None) -> None:
        self._splices = splices or Splices()
        self._shift = 0.0
        self._last: float | None = None
        self._duration = 0.0
        self._doubtful: float | None = None

    def place(self, seconds: float | None, duration: float) -> Stamp | None:
        """Stamp an item of `duration` whose pts is `seconds` (None: unknown); None when it is to be left out."""
        if seconds is not None and abs(seconds) > _FARTHEST_SECONDS:
            seconds = None
        capture = seconds
        if self._last is not None:
            capture = self._follow(seconds, self._last, self._last + self._duration)
            if capture is None:
                return None
        self._doubtful = None
        capture = capture or 0.0
        self._last, self._duration = capture, duration
        return stamp_at(capture)

    def _follow(self, seconds: float | None, last: float, end: float) -> float | None:
        """Place an item after others, the last of which began at `last` and lasts to `end`."""
        if seconds is None:
            return end
        capture = seconds + self._shift
        back = capture <= last - _SPLICE_SECONDS
        if back or capture > end + _JUMP_SECONDS:
            if self._doubtful is None or seconds < self._doubtful:
                self._doubtful = seconds
                return None
            if back:
                self._shift = self._splices.agree(end - seconds)
                capture = seconds + self._shift
        return capture if capture > last else None


def item_time(item: MediaItem) -> float:
    """Seconds by which items are ordered: the capture time, or a fault's arrival."""
    return item.arrival if isinstance(item, TrackFault) else item.stamp.capture


def close_gaps(items: Iterable[MediaItem]) -> Iterator[MediaItem]:
    """Shorten what lies between the items of both tracks, ordered by time, to ten seconds.

    A clip that begins earlier than a second before 0, or more than ten after it, begins at 0 instead. Both tracks are
    moved by the same. Raises `Scattered` when the gaps together last a minute longer than what was decoded.
    """
    shift, end, allowance = 0.0, None, _FREE_GAP_SECONDS
    for item in items:
        at = item_time(item) + shift
        if isinstance(item, TrackFault):
            # Says nothing of when the media begin.
            yield replace(item, arrival=0.0 if end is None else at)
            continue
        gap = 0.0
        if end is None:
            late = at if not _EARLIEST_SECONDS <= at <= _LONGEST_GAP_SECONDS else 0.0
            end = at - late
        else:
            late = max(at - end - _LONGEST_GAP_SECONDS, 0.0)
            gap = max(at - late - end, 0.0)
        shift, at = shift - late, at - late
        lasts = item.samples.size / SAMPLE_RATE_HZ if isinstance(item, AudioBlock) else 0.0
        decoded = max(at + lasts - end, 0.0) - gap
        allowance += decoded + (gap if gap <= _SHORT_GAP_SECONDS else -gap)
        if allowance < 0:
            raise Scattered
        end = max(end, at + lasts)
        yield _moved(item, shift) if shift else item


def stamp_at(capture: float) -> Stamp:
    """Stamp an item of a recording: it arrives as it was captured."""
    return Stamp(capture, capture, _UNCERTAINTY_SECONDS, ClockState.MAPPED, capture)


def _moved(item: VideoFrame | AudioBlock, shift: float) -> VideoFrame | AudioBlock:
    stamp = item.stamp
    media, capture, arrival = (at + shift for at in (stamp.media, stamp.capture, stamp.arrival))
    return replace(item, stamp=replace(stamp, media=media, capture=capture, arrival=arrival))
