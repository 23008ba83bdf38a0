"""Genuine lips against the wrong voice: what the synchrony detector must tell apart before anything else.

Every window of a genuine clip is scored with its own voice, with voices of other subjects, and with its own voice a
second later or earlier: forgeries of timing and content that need no forger.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from monitor.detectors.synchrony import SynchronyDetector
from monitor.evaluation import Result
from monitor.grid import RATE
from monitor.types import BoolArray, ClockState, FloatArray
from monitor.window import Window

FOREIGN = 20


@dataclass(frozen=True, slots=True, eq=False)
class Encoded:
    """One genuine clip: vectors (T, D) and flags (T,) of lips and voice."""

    clip: str
    subject: str
    lips: FloatArray
    face: BoolArray
    voice: FloatArray
    speech: BoolArray


def mismatches(clips: Sequence[Encoded], seconds: float, seed: int = 0) -> dict[str, list[Result]]:
    """Score `other` (another subject's voice) and `shift` (the own voice, one second off) against matched windows.

    Matched windows are the genuine results. Windows do not overlap; those on which the detector abstains are left out.
    """
    cut = [(clip, start, window) for clip in clips for start, window in _windows(clip, seconds)]
    random, detector = np.random.default_rng(seed), SynchronyDetector()
    out: dict[str, list[Result]] = {"other": [], "shift": []}
    for clip, start, window in cut:
        own = detector.score(window).value
        if own is None:
            continue
        matched = Result(clip.clip, "real", "real", clip.subject, own, None)
        out["other"].append(matched)
        foreign = [w for c, _, w in cut if c.subject != clip.subject]
        for i in random.choice(len(foreign), min(FOREIGN, len(foreign)), replace=False):
            out["other"] += _forged(detector, window, foreign[i], clip, "other")
        for shift in (RATE, -RATE):
            if 0 <= start + shift <= len(clip.face) - len(window.lips):
                moved = _at(clip, start + shift, len(window.lips))
                out["shift"] += [matched, *_forged(detector, window, moved, clip, "shift")]
                break
    return out


def _forged(detector: SynchronyDetector, lips: Window, voice: Window, clip: Encoded, method: str) -> list[Result]:
    mixed = replace(lips, voice=voice.voice, voice_mask=voice.voice_mask, speech=voice.speech)
    value = detector.score(mixed).value
    return [] if value is None else [Result(clip.clip, "fake", method, clip.subject, value, None)]


def _windows(clip: Encoded, seconds: float) -> Iterator[tuple[int, Window]]:
    length = round(seconds * RATE)
    for start in range(0, len(clip.face) - length + 1, length):
        yield start, _at(clip, start, length)


def _at(clip: Encoded, start: int, length: int) -> Window:
    part, every = slice(start, start + length), np.ones(length, np.bool_)
    return Window(
        end=(start + length) / RATE,
        rate=RATE,
        lips=clip.lips[part],
        lips_mask=clip.face[part],
        voice=clip.voice[part],
        voice_mask=every,
        speech=clip.speech[part],
        clock=ClockState.MAPPED,
        uncertainty=0.0,
        pictures=every,
        age=length / RATE,
    )
