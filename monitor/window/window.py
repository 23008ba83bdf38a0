"""The rolling window: encoder outputs of both tracks on 25 Hz grids, paired by capture time only when they are read.

Each track has an integer grid (index k is media time k / rate), so what was stored is never moved; the shift between
the grids follows from the newest stamp of each track, and a late sender report re-aligns the past as well. The
invariant: a frame is valid only if it was pushed, was usable, and belongs to the current run of its track; all other
frames are zero and masked.
"""

from __future__ import annotations

import math
from copy import copy
from dataclasses import dataclass, replace

import numpy as np

from monitor.types import BoolArray, ByteArray, ClockState, FloatArray, Stamp, TrackKind
from monitor.window.doubts import doubts_of
from monitor.window.spoken import AROUND_FRAMES, spoken

# How long the window waits for the slower track before it advances with that track masked.
PATIENCE_SECONDS = 1.0
# Where sender reports and arrival differ by more about which frames belong together, both are read. Tracks of one
# sender come by the same way: their encoders and pacing leave them less apart.
MAX_DISAGREEMENT_SECONDS = 0.2


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """The last T = seconds * rate frames of both tracks; frame t of `lips` and of `voice` were captured together.

    `lips` (T, D) with `lips_mask` (T,), `voice` (T, E) with `voice_mask` (T,) and `speech` (T,); vectors are zero where
    masked. `pictures` (T,) is true where a picture was seen, with or without a usable face, and `doubts` (T,) holds the
    `Doubt` for which lips are masked though the face is usable, 0 where there is none. `end` is the capture time
    of the end in seconds, `age` the seconds since the first push, `uncertainty` the half-width in seconds of the
    pairing's error (the window's length while a track has no stamp). `memory` is the longer past that ends with this
    window, where one was asked for. `by_arrival` is the window with its frames paired as they arrive, where the
    capture times say something else by more than `MAX_DISAGREEMENT_SECONDS`. `sound` (T,) is true where
    there is sound, speech or other; None where the two are not told apart.
    """

    end: float
    rate: int
    lips: FloatArray
    lips_mask: BoolArray
    voice: FloatArray
    voice_mask: BoolArray
    speech: BoolArray
    clock: ClockState
    uncertainty: float
    pictures: BoolArray
    doubts: ByteArray
    age: float
    memory: Window | None = None
    by_arrival: Window | None = None
    sound: BoolArray | None = None

    @property
    def pairings(self) -> tuple[Window, ...]:
        """This window and, where reports and arrival disagree, the one paired by arrival."""
        return (self,) if self.by_arrival is None else (self, self.by_arrival)

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return len(self.lips_mask) / self.rate

    @property
    def speech_seconds(self) -> float:
        """Seconds in which lips and voice are valid and the voice speaks."""
        return float(np.count_nonzero(self.lips_mask & self.voice_mask & self.speech)) / self.rate

    @property
    def coverage(self) -> float:
        """Fraction of frames in which lips and voice are valid."""
        return float(np.mean(self.lips_mask & self.voice_mask))

    @property
    def face_fraction(self) -> float:
        """Fraction of frames with a usable face."""
        return float(np.mean(self.face_mask))

    @property
    def face_mask(self) -> BoolArray:
        """Frames (T,) with a usable face, whether or not its lips are set aside."""
        return np.asarray(self.lips_mask | (self.doubts > 0), np.bool_)

    def last(self, frames: int) -> Window:
        """Return the newest `frames` of the window, without its memory and its other pairing."""
        newest = {
            name: steps[len(self.lips_mask) - frames :]
            for name in ("lips", "lips_mask", "voice", "voice_mask", "speech", "pictures", "sound", "doubts")
            if (steps := getattr(self, name)) is not None
        }
        return replace(self, **newest, memory=None, by_arrival=None)


@dataclass(frozen=True, slots=True, eq=False)
class Stretch:
    """T frames of facial motion beside the voice, from index `first` on the video grid.

    `motion` (T, M) and `voice` (T, E), zero where there is none; `valid` (T,): a usable face and audio; `speech` (T,):
    somebody spoke.
    """

    first: int
    motion: FloatArray
    valid: BoolArray
    voice: FloatArray
    speech: BoolArray

    @property
    def end(self) -> int:
        """Index after the last frame."""
        return self.first + len(self.valid)

    def after(self, index: int) -> Stretch:
        """Return a copy of the frames from `index` on, which does not hold the memory of those before."""
        cut = index - self.first
        faces = self.motion[cut:].copy(), self.valid[cut:].copy()
        return Stretch(index, *faces, self.voice[cut:].copy(), self.speech[cut:].copy())


class WindowBuffer:
    """Ring buffers of `keep_seconds` for lips, voice and motion, and the window of `seconds` at their newest end.

    A push within the newest window may come late or overwrite; one that ends before it means that the index went back,
    and the track restarts. Frames between two pushes are masked. Raises `ValueError` where the window does not fit.
    """

    def __init__(self, seconds: float = 5.0, rate: int = 25, keep_seconds: float = 30.0) -> None:
        if not 0.0 < seconds <= keep_seconds - PATIENCE_SECONDS:
            raise ValueError(
                f"a window must be longer than 0 and at most {keep_seconds - PATIENCE_SECONDS:g} s: {seconds:g}"
            )
        self.seconds = seconds
        self.rate = rate
        self.keep_seconds = keep_seconds
        capacity = round(keep_seconds * rate)
        self._lips = _RingBuffer(capacity, round(seconds * rate))
        self._voice = _RingBuffer(capacity, round(seconds * rate))
        self._motion = _RingBuffer(capacity, round(seconds * rate))
        self._beside_motion = _RingBuffer(capacity, round(seconds * rate))
        self._doubts = _RingBuffer(capacity, round(seconds * rate))
        self._stamps: dict[TrackKind, Stamp] = {}
        self.began = 0.0

    def beside(self) -> WindowBuffer:
        """Give a window of other lips beside the same voice, motion and doubts, on the same clocks."""
        other = copy(self)
        other._lips = _RingBuffer(self._lips.capacity, self._lips.max_delay)
        return other

    def push_lips(self, first_index: int, vectors: FloatArray, usable: BoolArray) -> None:
        """Store lip vectors (N, D) of the frames from `first_index`; `usable` (N,) is false where no face was read."""
        self._lips.push(first_index, vectors, usable)

    def push_motion(self, first_index: int, rows: FloatArray, usable: BoolArray) -> None:
        """Store motion rows (N, M) of the frames from `first_index` on the grid of the lips."""
        self._motion.push(first_index, rows, usable)

    def push_doubts(self, first_index: int, reaches: FloatArray) -> None:
        """Store how many frames up to each of those from `first_index` are in doubt, (N, 3): see `doubts_of`."""
        self._doubts.push(first_index, reaches, np.ones(len(reaches), np.bool_))

    def push_voice(
        self, first_index: int, vectors: FloatArray, speech: BoolArray, sound: BoolArray | None = None
    ) -> None:
        """Store voice vectors (N, E) of the frames from `first_index`; `speech` (N,) is true where somebody speaks.

        `sound` (N,) is true where there is sound, of which speech is a part; without it there is no other sound. What
        is read as speech is sound around which speech was heard (`monitor.window.spoken`).
        """
        self._voice.push(first_index, vectors, speech, sound)

    def push_beside_motion(self, first_index: int, vectors: FloatArray) -> None:
        """Store vectors (N, V) of the same voice by another encoder, which motion is read beside where it has any."""
        self._beside_motion.push(first_index, vectors, np.ones(len(vectors), np.bool_))

    def push_silence(self, first_media: float, last_media: float) -> None:
        """Store that nobody spoke between two media times of the voice, in seconds; vectors of it are zero."""
        first, last = math.ceil(first_media * self.rate), math.floor(last_media * self.rate)
        first = max(first, self._voice.end, last - self._voice.capacity)
        if self._voice.started and first < last:
            zeros = np.zeros((last - first, self._voice.vectors.shape[1]), np.float32)
            self._voice.push(first, zeros, np.zeros(last - first, np.bool_))
            if self._beside_motion.started:
                size = self._beside_motion.vectors.shape[1]
                self.push_beside_motion(first, np.zeros((last - first, size), np.float32))

    def mark(self, kind: TrackKind, stamp: Stamp) -> None:
        """Set the newest stamp of a track: its media time in capture time, and the uncertainty of that.

        `began` is the media time of the first picture.
        """
        if kind == "video" and kind not in self._stamps:
            self.began = stamp.media
        self._stamps[kind] = stamp

    @property
    def shift(self) -> int:
        """Frames by which the voice index is ahead of the lips index; 0 until both tracks are marked."""
        if len(self._stamps) < 2:
            return 0
        return round(self.rate * (self._clock_offset("video") - self._clock_offset("audio")))

    @property
    def _disagreement(self) -> int:
        """Frames by which the voice index is further ahead by arrival than by capture."""
        if len(self._stamps) < 2:
            return 0
        return round(self.rate * (self._stamps["video"].delay - self._stamps["audio"].delay))

    def window(self, seconds: float | None = None) -> Window:
        """Read the newest window, of `seconds` if given; missing frames are masked. Raises `ValueError`."""
        length = round((self.seconds if seconds is None else seconds) * self.rate)
        if not 0 < length <= round((self.keep_seconds - PATIENCE_SECONDS) * self.rate):
            raise ValueError(f"a window of {seconds} s does not fit: keep_seconds is {self.keep_seconds:g}")
        shift, by_arrival = self.shift, self.shift + self._disagreement
        other = (
            self._read(length, by_arrival) if abs(by_arrival - shift) > MAX_DISAGREEMENT_SECONDS * self.rate else None
        )
        return replace(self._read(length, shift), by_arrival=other)

    def _read(self, length: int, shift: int) -> Window:
        end = self._end_index(shift)
        lips, pictures, face, _ = self._lips.read(end - length, length)
        doubts = np.where(face, self._read_doubts(end - length, length), np.uint8(0))
        usable = np.asarray(face & (doubts == 0), np.bool_)
        voice, voice_mask, speech, sound = self._read_voice(end - length + shift, length)
        return Window(
            end=self._capture(end, shift),
            rate=self.rate,
            lips=np.where(usable[:, None], lips, np.float32(0.0)),
            lips_mask=usable,
            voice=voice,
            voice_mask=voice_mask,
            speech=speech,
            clock=self._clock(),
            uncertainty=sum(s.uncertainty for s in self._stamps.values()) if len(self._stamps) == 2 else self.seconds,
            pictures=pictures,
            doubts=doubts,
            age=self._age(end, shift),
            sound=sound,
        )

    def recall(self, speech_seconds: float) -> Window:
        """Read the newest window with a `memory` that holds `speech_seconds` of usable speech, or all that is kept.

        The memory is never shorter than the window.
        """
        longest = self.window(self.keep_seconds - PATIENCE_SECONDS)
        remembered = [self._remember(pairing, speech_seconds) for pairing in longest.pairings]
        return replace(remembered[0], by_arrival=remembered[-1] if len(remembered) > 1 else None)

    def _remember(self, longest: Window, speech_seconds: float) -> Window:
        speech_frames = np.cumsum((longest.lips_mask & longest.voice_mask & longest.speech)[::-1])
        needed_frames = int(np.searchsorted(speech_frames, round(speech_seconds * self.rate))) + 1
        length = min(max(needed_frames, round(self.seconds * self.rate)), len(speech_frames))
        return replace(longest.last(round(self.seconds * self.rate)), memory=longest.last(length))

    def moving(self) -> Stretch:
        """Read facial motion beside the voice, as far back as is kept."""
        shift, length = self.shift, round((self.keep_seconds - PATIENCE_SECONDS) * self.rate)
        first = self._end_index(shift) - length
        motion, _, usable, _ = self._motion.read(first, length)
        usable &= self._read_doubts(first, length) == 0
        voice, voice_mask, speech, _ = self._read_voice(first + shift, length)
        if self._beside_motion.started:
            voice, heard, _, _ = self._beside_motion.read(first + shift, length)
            voice_mask &= heard
        return Stretch(first, motion, usable & voice_mask, voice, speech)

    def _read_doubts(self, first: int, length: int) -> ByteArray:
        # What is known by now of frames before: lips come out of their encoder later than doubts are pushed.
        reaches, _, _, _ = self._doubts.read(first, length + 3 * self.rate)
        return doubts_of(reaches)[:length] if reaches.shape[1] else np.zeros(length, np.uint8)

    def _read_voice(self, first: int, length: int) -> tuple[FloatArray, BoolArray, BoolArray, BoolArray]:
        """Vectors, pushed, speech and sound of the frames from `first`; speech is judged by what lies around it."""
        oldest = min(first, max(first - AROUND_FRAMES, self._voice.end - self._voice.capacity))
        newest = max(first + length, min(first + length + AROUND_FRAMES, self._voice.end))
        vectors, filled, heard, sound = self._voice.read(oldest, newest - oldest)
        part = slice(first - oldest, first - oldest + length)
        return vectors[part], filled[part], spoken(heard, sound)[part], sound[part]

    def _clock_offset(self, kind: TrackKind) -> float:
        stamp = self._stamps.get(kind)
        return stamp.capture - stamp.media if stamp else 0.0

    def _capture(self, end: int, shift: int) -> float:
        if "video" in self._stamps:
            return end / self.rate + self._clock_offset("video")
        return (end + shift) / self.rate + self._clock_offset("audio")

    def _clock(self) -> ClockState:
        mapped = [stamp.state is ClockState.MAPPED for stamp in self._stamps.values()]
        return ClockState.MAPPED if len(mapped) == 2 and all(mapped) else ClockState.UNKNOWN

    def _end_index(self, shift: int) -> int:
        ends = [ring.end - move for ring, move in ((self._lips, 0), (self._voice, shift)) if ring.started]
        if not ends:
            return 0
        return max(min(ends), max(ends) - round(PATIENCE_SECONDS * self.rate))

    def _age(self, end: int, shift: int) -> float:
        begins = [ring.begin - move for ring, move in ((self._lips, 0), (self._voice, shift)) if ring.started]
        return max(0, end - min(begins)) / self.rate if begins else 0.0


class _RingBuffer:
    """The newest `capacity` frames of one track, [end - capacity, end); slot = index modulo capacity."""

    def __init__(self, capacity: int, max_delay: int) -> None:
        self.capacity = capacity
        self.max_delay = max_delay
        self.started = False
        self.begin = 0
        self.end = 0
        self.vectors = np.zeros((capacity, 0), np.float32)
        self.filled = np.zeros(capacity, np.bool_)
        self.flags = np.zeros(capacity, np.bool_)
        self.others = np.zeros(capacity, np.bool_)

    def push(self, first: int, vectors: FloatArray, flags: BoolArray, others: BoolArray | None = None) -> None:
        if vectors.ndim != 2 or flags.shape != vectors.shape[:1]:
            raise ValueError(f"vectors {vectors.shape} and flags {flags.shape} must be (N, D) and (N,)")
        if not len(vectors):
            return
        if vectors.shape[1] != self.vectors.shape[1]:
            self.vectors = np.zeros((self.capacity, vectors.shape[1]), np.float32)
            self.started = False
        end = first + len(vectors)
        if not self.started or end <= self.end - self.max_delay:
            self._restart(first)
        self._invalidate(max(self.end, end - self.capacity), end)
        self.end = max(self.end, end)
        skip = max(0, self.end - self.capacity - first)
        slots = np.arange(first + skip, end) % self.capacity
        # NaN would spread into every mean: such a vector counts as never pushed.
        finite: BoolArray = np.asarray(np.isfinite(vectors[skip:]).all(axis=1), np.bool_)
        self.vectors[slots] = np.where(finite[:, None], vectors[skip:], np.float32(0.0))
        self.filled[slots] = finite
        self.flags[slots] = flags[skip:]
        self.others[slots] = (flags if others is None else others)[skip:]

    def read(self, first: int, length: int) -> tuple[FloatArray, BoolArray, BoolArray, BoolArray]:
        """Vectors (length, D), pushed, flags and others (length,); zero where nothing is. `first` >= end - capacity."""
        index = np.arange(first, first + length)
        slots = index % self.capacity
        filled = self.filled[slots] & (index < self.end)
        vectors = np.where(filled[:, None], self.vectors[slots], np.float32(0.0))
        return vectors, filled, self.flags[slots] & filled, self.others[slots] & filled

    def _restart(self, first: int) -> None:
        self.started = True
        self.begin = self.end = first
        self.filled[:] = False

    def _invalidate(self, first: int, end: int) -> None:
        if end > first:
            self.filled[np.arange(first, end) % self.capacity] = False
