"""Long calls made of short clips: one person's clips strung together on one continuous clock.

What this is and what it is not: the pictures and the sound are real and pass as one stream, so windows, evidence and
findings behave as they do live; but a person with few clips is seen again and again, in changed order, and what is
peculiar about a clip repeats with it. Such a call holds less evidence than its length says, of either kind, and it is
not a real call of that length. At every join a moment of one clip's lips stands beside the next one's voice.
"""

from __future__ import annotations

import heapq
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from monitor.lab.corpus.manifest import Row
from monitor.lab.corpus.separate_tracks import read_media
from monitor.tap.media.source import SourceError
from monitor.types import SAMPLE_RATE_HZ, AudioBlock, MediaItem, TrackFault, TrackKind, VideoFrame

DUB_METHOD = "other-voice dub"
_FIRST_PICTURE_SECONDS = 0.04


@dataclass(frozen=True, slots=True)
class VirtualCall:
    """Clips of one person, or of one forgery of them, to be seen as one call of `seconds`.

    With a `voice`, those clips' sound is heard in place of their own. What order they come in follows from `seed` and
    `name`.
    """

    name: str
    label: str
    method: str
    subject: str
    clips: tuple[Row, ...]
    seconds: float
    voice: tuple[Row, ...] = ()
    seed: int = 0

    def items(self) -> Iterator[MediaItem]:
        """Return the call's media from second 0 in the order of its clock; clips that cannot be read are left out."""
        if not self.voice:
            return strung(self.clips, self.seconds, self._random(0))
        pictures = only("video", strung(self.clips, self.seconds, self._random(0)))
        sound = only("audio", strung(self.voice, self.seconds, self._random(1)))
        return heapq.merge(pictures, sound, key=moment)

    def _random(self, stream: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, stream, zlib.crc32(self.name.encode())])


def calls_of(rows: Sequence[Row], seconds: float, dubs: bool = False, seed: int = 0) -> list[VirtualCall]:
    """Make one call of each genuine subject, and one of each method and subject of the forgeries.

    With `dubs` every genuine subject is also shown with the voice of another one, each voice used once.
    """
    genuine: dict[str, list[Row]] = {}
    forged: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        if row.label == "real":
            genuine.setdefault(row.subject, []).append(row)
        else:
            forged.setdefault((row.method, row.subject), []).append(row)
    calls = [
        VirtualCall(f"genuine/{subject}", "real", "real", subject, tuple(clips), seconds)
        for subject, clips in genuine.items()
    ]
    for (method, subject), clips in forged.items():
        calls.append(VirtualCall(f"{method}/{subject}", "fake", method, subject, tuple(clips), seconds))
    if dubs and len(genuine) > 1:
        people = [str(subject) for subject in np.random.default_rng(seed).permutation(sorted(genuine))]
        for subject, other in zip(people, people[1:] + people[:1], strict=True):
            voice = tuple(genuine[other])
            calls.append(
                VirtualCall(
                    f"dub/{subject}+{other}", "fake", DUB_METHOD, subject, tuple(genuine[subject]), seconds, voice
                )
            )
    return [replace(call, seed=seed) for call in calls]


def strung(clips: Sequence[Row], seconds: float, random: np.random.Generator) -> Iterator[MediaItem]:
    """Yield clips in random order, again and again, on one clock from 0 until `seconds` have passed.

    A clip begins where the longer track of the one before ended.
    """
    end = 0.0
    while True:
        before = end
        for n in random.permutation(len(clips)):
            place = Place(end)
            try:
                for item in media(clips[int(n)]):
                    placed = place.put(item)
                    if moment(placed) >= seconds:
                        return
                    yield placed
            except SourceError:
                pass
            end = place.end
        if end <= before:
            return


def media(row: Row) -> Iterator[MediaItem]:
    """Read a clip, also one whose pictures and sound are kept apart; raises `SourceError`."""
    return read_media(row.path, row.sound)


def only(kind: TrackKind, items: Iterable[MediaItem]) -> Iterator[MediaItem]:
    """Keep what belongs to one track."""
    return (item for item in items if _kind(item) == kind)


def moment(item: MediaItem) -> float:
    """When an item arrives, in seconds of the call."""
    return item.arrival if isinstance(item, TrackFault) else item.stamp.arrival


def _kind(item: MediaItem) -> TrackKind:
    if isinstance(item, TrackFault):
        return item.track
    return "video" if isinstance(item, VideoFrame) else "audio"


class Place:
    """Moves one clip to where the call has come, and knows where it ends there."""

    def __init__(self, start: float) -> None:
        self._start = start
        self._shift: float | None = None
        self._picture: float | None = None
        self.end = start

    def put(self, item: MediaItem) -> MediaItem:
        """Give an item of the clip at its time in the call; in the order of the clip."""
        if isinstance(item, TrackFault):
            return replace(item, arrival=max(self._start, item.arrival + (self._shift or 0.0)))
        if self._shift is None:
            self._shift = self._start - item.stamp.capture
        at, last = item.stamp.capture + self._shift, self._picture
        if isinstance(item, AudioBlock):
            self.end = max(self.end, at + item.samples.size / SAMPLE_RATE_HZ)
        else:
            self.end = max(self.end, at + (_FIRST_PICTURE_SECONDS if last is None else at - last))
            self._picture = at
        return replace(item, stamp=replace(item.stamp, media=at, capture=at, arrival=at))
