"""People as recorded clips show them move: divided into what is enrolled and what is probed.

The invariants: what is probed is never enrolled, and no stretch of one recording is both; a person who has one
recording is enrolled from half of it and probed with the other. Rows are relative to the median of their own stretch,
so that nothing of a face at rest is carried from one to the other.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from monitor.detectors.persona.windows import WINDOW_STEPS, MotionWindow, windows_of
from monitor.face.expression import ExpressionBasis, neutral_of
from monitor.lab.corpus.manifest import Row
from monitor.lab.corpus.motion_features import ClipMotion, jitter_of, load_motions
from monitor.lab.corpus.speech_features import Change
from monitor.tap.media.digest import digest
from monitor.types import BoolArray, FloatArray
from monitor.window.grid import GRID_HZ

# Steps between windows: to enrol from, and to measure on.
ENROL_HOP_STEPS, HOP_STEPS = 5, 25
# Of a person with many short clips so much is enrolled at most, and so many clips are read.
ENROLLED_SECONDS = 120.0
MAX_CLIPS = 60
# Who gives less on either side is not enrolled.
MIN_SECONDS = 4.0
# Who counts as a person of interest, by seconds of speech.
OF_INTEREST_SECONDS = 15.0
# Clips too short for a window are padded; then so much of a face and of speech is enough.
SHORT_VALID_SECONDS, SHORT_SPEECH_SECONDS = 1.6, 0.4

Tick = Callable[[str | None], None]


@dataclass(frozen=True, slots=True, eq=False)
class Footage:
    """One recording: how the face moves in it; `key` is the digest of the clip and of what was done to it."""

    row: Row
    motion: ClipMotion
    key: str

    @property
    def bitrate(self) -> float:
        """Of the file, sound included, in kbit/s."""
        return self.row.path.stat().st_size * 8e-3 / max(len(self.motion) / GRID_HZ, 0.1)


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """The steps from `first` to before `last` of a recording."""

    footage: Footage
    first: int
    last: int

    @classmethod
    def whole(cls, footage: Footage) -> Part:
        """All of it."""
        return cls(footage, 0, len(footage.motion))

    @property
    def key(self) -> str:
        """Names the recording and the steps."""
        return f"{self.footage.key}-{self.first}-{self.last}"

    @property
    def speech(self) -> float:
        """Seconds in which somebody speaks and a face is seen."""
        steps, motion = slice(self.first, self.last), self.footage.motion
        return float((motion.speech[steps] & motion.valid[steps]).sum()) / GRID_HZ

    @property
    def size(self) -> float:
        """Logarithm of the face's size beside the picture's height, its median."""
        valid = self.footage.motion.valid[self.first : self.last]
        sizes = self.footage.motion.head[self.first : self.last, -1][valid]
        return float(np.median(sizes)) if len(sizes) else float("nan")

    @property
    def jitter(self) -> float:
        """Logarithm of how much the landmarks shake."""
        steps, motion = slice(self.first, self.last), self.footage.motion
        return float(np.log(max(jitter_of(motion.shape[steps], motion.valid[steps]), 1e-3)))

    def windows(self, basis: ExpressionBasis, hop: int) -> list[MotionWindow]:
        """Cut its windows, relative to its neutral face; one, padded, of a recording that is shorter than a window."""
        steps, motion = slice(self.first, self.last), self.footage.motion
        parts = motion.valid[steps], motion.voice[steps], motion.speech[steps]
        rows = motion.motion(basis)[steps]
        start = self.first / GRID_HZ
        if len(rows) >= WINDOW_STEPS:
            return windows_of(rows, *parts, hop=hop, start=start)
        return list(_padded(rows - neutral_of(rows, parts[0]), *parts, start)) if len(rows) else []


def _padded(
    rows: FloatArray, valid: BoolArray, voice: FloatArray, speech: BoolArray, start: float
) -> Iterator[MotionWindow]:
    speech_steps = speech & valid
    if valid.sum() < SHORT_VALID_SECONDS * GRID_HZ or speech_steps.sum() < SHORT_SPEECH_SECONDS * GRID_HZ:
        return
    missing, shown = WINDOW_STEPS - len(valid), valid[:, None]
    motion, voice_rows = (np.pad(np.where(shown, values, 0), ((0, missing), (0, 0))) for values in (rows, voice))
    mask, speech_mask = (np.pad(values, (0, missing)) for values in (valid, speech_steps))
    yield MotionWindow(motion.astype(np.float32), voice_rows.astype(np.float32), mask, speech_mask, start)


@dataclass(frozen=True, slots=True, eq=False)
class MotionTrial:
    """One division of a person's genuine footage: what is enrolled and what is probed."""

    person: str
    number: int
    enrolled: tuple[Part, ...]
    probes: tuple[Part, ...]

    @property
    def same_recording(self) -> bool:
        """Whether both are halves of the only recording."""
        return self.enrolled[0].footage is self.probes[0].footage


def load_footage(
    rows: Sequence[Row], cache: Path, workers: int, tick: Tick, change: Change | None = None
) -> list[Footage]:
    """Analyse clips, or find them analysed; those without one speaking face are left out, with a line to `tick`."""
    footage = []
    for row, motion in load_motions(rows, cache, workers, lambda _count: None, change):
        if isinstance(motion, str) or motion.faces > 1 or not (motion.valid & motion.speech).any():
            tick(motion if isinstance(motion, str) else f"{row.name}: not one speaking face")
            continue
        key = digest(row.path, row.sound) + (f".{change.name}" if change else "")
        footage.append(Footage(row, motion, key))
        tick(None)
    return footage


def chosen_rows(rows: Sequence[Row], max_clips: int = MAX_CLIPS) -> list[Row]:
    """Keep at most so many genuine clips of a person, evenly spread in their order, and every forged one."""
    groups: defaultdict[str, list[Row]] = defaultdict(list)
    for row in rows:
        if row.label == "real":
            groups[row.subject].append(row)
    chosen = {
        clips[n].name
        for clips in groups.values()
        for n in np.unique(np.linspace(0, len(clips) - 1, min(max_clips, len(clips))).astype(int))
    }
    return [row for row in rows if row.label != "real" or row.name in chosen]


def _spread(count: int, max_count: int) -> list[int]:
    return sorted({int(n) for n in np.linspace(0, count - 1, min(max_count, count))})


def speech_of(recordings: Sequence[Footage]) -> float:
    """Seconds of speech in all of it."""
    return sum(Part.whole(recording).speech for recording in recordings)


def trials(person: str, recordings: Sequence[Footage], both: bool = True) -> list[MotionTrial]:
    """Divide a person's footage in two, each enrolled once and probed once; nothing of who has too little.

    Several recordings are dealt to the two sides by their speech, the longest first. Without `both` only the first side
    is enrolled.
    """
    sides = _halves(recordings[0]) if len(recordings) == 1 else _dealt(recordings)
    if min(sum(part.speech for part in side) for side in sides) < MIN_SECONDS:
        return []
    ways = (sides, sides[::-1]) if both else (sides,)
    return [MotionTrial(person, number, tuple(_limited(a)), tuple(b)) for number, (a, b) in enumerate(ways)]


def _halves(footage: Footage) -> list[list[Part]]:
    middle = len(footage.motion) // 2
    return [[Part(footage, 0, middle)], [Part(footage, middle, len(footage.motion))]]


def _dealt(recordings: Sequence[Footage]) -> list[list[Part]]:
    sides: list[list[Part]] = [[], []]
    order = sorted(range(len(recordings)), key=lambda n: (-Part.whole(recordings[n]).speech, n))
    for n in order:
        totals = [sum(part.speech for part in side) for side in sides]
        sides[int(totals[1] < totals[0])].append(Part.whole(recordings[n]))
    place = {recording.key: n for n, recording in enumerate(recordings)}
    return [sorted(side, key=lambda part: place[part.footage.key]) for side in sides]


def _limited(parts: Sequence[Part]) -> Iterator[Part]:
    total = 0.0
    for part in parts:
        if total < ENROLLED_SECONDS:
            total += part.speech
            yield part


def pieces(windows: Sequence[Sequence[MotionWindow]], seconds: float) -> list[list[tuple[int, int]]]:
    """Gather windows, (part, number), into pieces that do not overlap, each as short as `seconds` of speech allow.

    Windows are in the order of time within a part; a piece may go on in the next part.
    """
    complete: list[list[tuple[int, int]]] = []
    for piece, spoken in _gathered(windows, seconds):
        if spoken + 1e-6 >= seconds:
            complete.append(piece)
    return complete


def _gathered(
    windows: Sequence[Sequence[MotionWindow]], seconds: float
) -> Iterator[tuple[list[tuple[int, int]], float]]:
    piece: list[tuple[int, int]] = []
    spoken = 0.0
    for part, part_windows in enumerate(windows):
        end_of_speech_seconds, end_of_piece_seconds = -np.inf, -np.inf
        for number, window in enumerate(part_windows):
            if window.start < end_of_piece_seconds - 1e-6:
                # It begins within the piece before.
                continue
            new_step = (
                int(np.clip(round((end_of_speech_seconds - window.start) * GRID_HZ), 0, WINDOW_STEPS))
                if np.isfinite(end_of_speech_seconds)
                else 0
            )
            spoken += float(window.speech[new_step:].sum()) / GRID_HZ
            end_of_speech_seconds = window.start + WINDOW_STEPS / GRID_HZ
            piece.append((part, number))
            if spoken + 1e-6 >= seconds:
                yield piece, spoken
                piece, spoken, end_of_piece_seconds = [], 0.0, end_of_speech_seconds
    if piece:
        yield piece, spoken
