"""How far somebody gets who tries out what synchrony thinks of their dub: a black-box search over the sound.

    python -m monitor.lab.studies.probing --queries 40 LIPS.mp4 VOICE.mp4 [LIPS.mp4 VOICE.mp4 ...]

The attacker lays another's voice under a picture that they leave as it is, sees the score of every try, shifts pieces
of the voice in time and makes them quieter, and keeps what helps (a (1+1) evolution strategy). That is more than a
viewer sees, and than a participant, who sees no score at all. What judges the picture alone is given the same picture.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from monitor.decision.decide import DecisionConfig, advance, initial
from monitor.detectors.base import MEMORY_SECONDS
from monitor.detectors.synchrony.detector import SynchronyDetector
from monitor.detectors.synchrony.live import LoadedSynchrony
from monitor.session.models import Models, load_models
from monitor.session.picture import PictureTrack
from monitor.session.sound import SoundTrack
from monitor.tap.replay import read_clip
from monitor.types import SAMPLE_RATE_HZ, AudioBlock, ClockState, FloatArray, Score, Stamp, VideoFrame
from monitor.window.window import Window, WindowBuffer

RATE, WINDOW_SECONDS, HOP_SECONDS = 25, 5.0, 0.5
BLOCK_SAMPLES = 8000
# How far a piece of the voice may be moved, and how quiet it may get.
KNOT_SECONDS = 0.5
MAX_SHIFT_SECONDS = 0.3
LEAST_GAIN = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class Edit:
    """What is done to a voice: seconds (K,) by which each half second is moved, and its gain (K,)."""

    shifts: FloatArray
    gains: FloatArray

    @classmethod
    def none(cls, seconds: float) -> Edit:
        """Leave a voice as it is."""
        count = int(seconds / KNOT_SECONDS) + 1
        return cls(np.zeros(count, np.float32), np.ones(count, np.float32))

    def changed(self, random: np.random.Generator) -> Edit:
        """Change a few neighbouring pieces at random."""
        count = len(self.shifts)
        width = int(random.integers(1, max(2, count // 4)))
        begin = int(random.integers(0, count - width + 1))
        shifts, gains = self.shifts.copy(), self.gains.copy()
        if random.random() < 0.75:
            shifts[begin : begin + width] += random.normal(0.0, 0.5 * MAX_SHIFT_SECONDS)
        else:
            gains[begin : begin + width] *= random.uniform(0.3, 1.5)
        return Edit(
            np.clip(shifts, -MAX_SHIFT_SECONDS, MAX_SHIFT_SECONDS), np.clip(gains, LEAST_GAIN, 1.0).astype(np.float32)
        )

    def apply(self, samples: FloatArray) -> FloatArray:
        """Move and quieten a voice (N,), smoothly from piece to piece."""
        time = np.arange(len(samples)) / SAMPLE_RATE_HZ
        knots = np.arange(len(self.shifts)) * KNOT_SECONDS
        moved = np.interp(time + np.interp(time, knots, self.shifts), time, samples)
        return np.asarray(moved * np.interp(time, knots, self.gains), np.float32)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a voice does: mean agreement of its windows, the share with p of 0.05 or less, and the evidence at the end.

    `alerts_after` is seconds, None for never; `judged` the share of hops that could be judged.
    """

    agreement: float
    suspicious: float
    judged: float
    statistic: float
    alerts_after: float | None


@dataclass(frozen=True, slots=True)
class Attack:
    """A dub as it is and after so many tries."""

    lips: str
    voice: str
    queries: int
    before: Outcome
    after: Outcome


def climb(start: Edit, cost: Callable[[Edit], float], queries: int, random: np.random.Generator) -> Edit:
    """Keep what lowers the cost, in so many questions, the first included."""
    best, least = start, cost(start)
    for _ in range(queries - 1):
        tried = best.changed(random)
        value = cost(tried)
        if value < least:
            best, least = tried, value
    return best


class Target:
    """The picture of a call, against which voices are tried."""

    def __init__(self, models: Models, clip: Path, seconds: float) -> None:
        self._models, self._frames = models, round(seconds * RATE)
        synchrony = models.of(LoadedSynchrony)
        self._calibration, self._detector = synchrony.calibration, SynchronyDetector(familiar=synchrony.familiar)
        buffer, track = self._buffer(), PictureTrack(models)
        for item in read_clip(clip):
            if isinstance(item, VideoFrame) and item.stamp.media < seconds:
                track.push(item, buffer)
        self._lips = self._grid(buffer)

    def judge(self, samples: FloatArray) -> Outcome:
        """Say how a voice does in a call with this picture."""
        scores = self._scores(samples)
        state, alert = initial(DecisionConfig()), None
        for n, score in enumerate(scores):
            state, decision = advance(state, n * HOP_SECONDS, [score])
            alert = n * HOP_SECONDS if alert is None and decision.statistic >= decision.threshold else alert
        said = [score for score in scores if score.p_value is not None]
        return Outcome(
            round(-float(np.mean([score.value or 0.0 for score in said])), 3) if said else 0.0,
            round(float(np.mean([(score.p_value or 1.0) <= 0.05 for score in said])), 3) if said else 0.0,
            round(len(said) / len(scores), 3),
            round(state.running.statistic, 1),
            alert,
        )

    def cost(self, samples: FloatArray) -> float:
        """Give what an attacker lowers: how suspicious the judged windows are, where as many are judged as may be."""
        outcome = self.judge(samples)
        return -outcome.agreement + (1.0 - outcome.judged)

    def _scores(self, samples: FloatArray) -> list[Score]:
        buffer, track = (
            self._buffer(),
            SoundTrack(self._models.voice, self._models.input_spec.sound, self._models.presence),
        )
        for first in range(0, len(samples), BLOCK_SAMPLES):
            at = first / SAMPLE_RATE_HZ
            stamp = Stamp(at, at, 0.001, ClockState.MAPPED, at)
            track.push(AudioBlock(stamp, samples[first : first + BLOCK_SAMPLES]), buffer)
        heard = self._grid(buffer)
        whole = replace(
            self._lips,
            voice=heard.voice,
            voice_mask=heard.voice_mask,
            speech=heard.speech,
            sound=heard.sound,
            clock=ClockState.MAPPED,
            uncertainty=0.02,
        )
        hop, length = round(HOP_SECONDS * RATE), round(WINDOW_SECONDS * RATE)
        return [self._score(whole, end, length) for end in range(length, self._frames + 1, hop)]

    def _score(self, whole: Window, end: int, length: int) -> Score:
        past = _until(whole, end, round(MEMORY_SECONDS * RATE))
        window = replace(past.last(length), memory=past, end=end / RATE, age=WINDOW_SECONDS)
        return self._calibration.apply(self._detector.score(window), window.speech_seconds)

    def _buffer(self) -> WindowBuffer:
        return WindowBuffer(WINDOW_SECONDS, RATE, self._frames / RATE + 2.0)

    def _grid(self, buffer: WindowBuffer) -> Window:
        """Read the frames from the beginning of the call, whichever track ends first."""
        newest = buffer.window(self._frames / RATE)
        late = self._frames - round(newest.end * RATE)
        return _moved(newest, late)


def _moved(window: Window, late: int) -> Window:
    """Put frames where they belong that were read up to `late` frames before the end."""
    names = ("lips", "lips_mask", "voice", "voice_mask", "speech", "pictures", "sound", "doubts")
    moved = {name: np.roll(steps, -late, axis=0) for name in names if (steps := getattr(window, name)) is not None}
    return replace(window, **moved)


def _until(window: Window, end: int, frames: int) -> Window:
    behind = window.last(len(window.lips))
    names = ("lips", "lips_mask", "voice", "voice_mask", "speech", "pictures", "sound", "doubts")
    begin = max(0, end - frames)
    kept = {name: steps[begin:end] for name in names if (steps := getattr(behind, name)) is not None}
    return replace(behind, **kept)


def sound_of(clip: Path, seconds: float) -> FloatArray:
    """Read the voice of a clip, repeated where it is shorter."""
    heard = np.concatenate([item.samples for item in read_clip(clip) if isinstance(item, AudioBlock)])
    return np.resize(heard, round(seconds * SAMPLE_RATE_HZ)).astype(np.float32)


def attack(models: Models, lips: Path, voice: Path, seconds: float, queries: int, seed: int = 0) -> Attack:
    """Try to make a dub pass, and say how far that got."""
    target, samples = Target(models, lips, seconds), sound_of(voice, seconds)
    random = np.random.default_rng(seed)
    found = climb(Edit.none(seconds), lambda edit: target.cost(edit.apply(samples)), queries, random)
    before, after = target.judge(samples), target.judge(found.apply(samples))
    return Attack(lips.stem, voice.stem, queries, before, after)


def main() -> None:
    """Attack dubs of pairs of clips and print an outcome a line, as JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("clips", nargs="+", type=Path, help="lips and voice in turn")
    parser.add_argument("--queries", type=int, default=40)
    parser.add_argument("--seconds", type=float, default=30.0)
    chosen = parser.parse_args()
    models = load_models()
    for lips, voice in zip(chosen.clips[::2], chosen.clips[1::2], strict=True):
        found = attack(models, lips, voice, chosen.seconds, chosen.queries)
        sys.stdout.write(json.dumps(asdict(found)) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
