"""Genuine lips against the wrong voice: what the synchrony detector must detect before anything else.

Every window of a genuine clip is scored with its own voice, with voices of other subjects, and with its own voice a
second later or earlier: forgeries of timing and content that need no forger. Each is scored twice: with nothing known
of the clip but the window (`other`, `shift`), and with the clip's own offset known, as it is when the wrong voice
begins in the middle of a call (`other, offset known`, `shift, offset known`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from monitor.detectors.synchrony.detector import SynchronyDetector
from monitor.lab.metrics.summary import Result
from monitor.types import BoolArray, ClockState, FloatArray
from monitor.window.grid import GRID_HZ
from monitor.window.window import Window

MAX_OTHER_VOICES = 20
OFFSET_KNOWN = ", offset known"
KINDS = ("other", "shift", "other" + OFFSET_KNOWN, "shift" + OFFSET_KNOWN)


@dataclass(frozen=True, slots=True, eq=False)
class EncodedClip:
    """One genuine clip: vectors (T, D) and flags (T,) of lips and voice.

    `sound` (T,) is what WebRTC's detector alone takes for speech, None where that is all there is.
    """

    clip: str
    subject: str
    lips: FloatArray
    face: BoolArray
    voice: FloatArray
    speech: BoolArray
    sound: BoolArray | None = None

    def by_sound_alone(self) -> EncodedClip:
        """Return the clip with all sound for speech, as it would be judged without a second condition."""
        return self if self.sound is None else replace(self, speech=self.sound)


def judged_share(clips: Sequence[EncodedClip], seconds: float) -> dict[str, float]:
    """Say how many of the windows and seconds that are judged by sound alone are judged by speech."""
    kept, alone = ([w for clip in part for _, w in _windows(clip, seconds)] for part in (clips, by_sound(clips)))
    least = SynchronyDetector().min_speech_seconds
    pairs = [(a, b) for a, b in zip(kept, alone, strict=True) if b.speech_seconds >= least]
    windows, judged = len(pairs), sum(a.speech_seconds >= least for a, _ in pairs)
    speech, sound = sum(a.speech_seconds for a, _ in pairs), sum(b.speech_seconds for _, b in pairs)
    return {
        "clips": len(clips),
        "people": len({clip.subject for clip in clips}),
        "windows_by_sound": windows,
        "windows_judged": judged,
        "sound_seconds": round(sound, 1),
        "speech_seconds": round(speech, 1),
    }


def by_sound(clips: Sequence[EncodedClip]) -> list[EncodedClip]:
    """Return the clips with all sound for speech."""
    return [clip.by_sound_alone() for clip in clips]


def mismatches(
    clips: Sequence[EncodedClip], seconds: float, seed: int = 0, voices_each: int = MAX_OTHER_VOICES
) -> dict[str, list[Result]]:
    """Score `KINDS` of wrong voices against matched windows.

    Matched windows are the genuine results. Windows do not overlap; those on which the detector abstains are left out.
    Each meets at most `voices_each` other voices.
    """
    cut = [(clip, start, window) for clip in clips for start, window in _windows(clip, seconds)]
    random, detector = np.random.default_rng(seed), SynchronyDetector()
    results: dict[str, list[Result]] = {kind: [] for kind in KINDS}
    for clip, start, window in cut:
        window_with_offset = replace(window, memory=window_at(clip, 0, len(clip.face)))
        matched_scores = [detector.score(w).value for w in (window, window_with_offset)]
        if None in matched_scores:
            continue
        other_voices = [w for c, _, w in cut if c.subject != clip.subject]
        picked = random.choice(len(other_voices), min(voices_each, len(other_voices)), replace=False)
        shift_steps = next(
            (s for s in (GRID_HZ, -GRID_HZ) if 0 <= start + s <= len(clip.face) - len(window.lips)), None
        )
        voices = {
            "other": [other_voices[i] for i in picked],
            "shift": [] if shift_steps is None else [window_at(clip, start + shift_steps, len(window.lips))],
        }
        for kind, wrong_voices in voices.items():
            for lips, value, suffix in (
                (window, matched_scores[0], ""),
                (window_with_offset, matched_scores[1], OFFSET_KNOWN),
            ):
                forged = [r for voice in wrong_voices for r in _forged(detector, lips, voice, clip, kind)]
                matched_result = Result(clip.clip, "real", "real", clip.subject, value, None)
                results[kind + suffix] += [matched_result, *forged] if wrong_voices else []
    return results


def own_scores(clips: Sequence[EncodedClip], seconds: float) -> dict[tuple[str, int], tuple[float, float]]:
    """Score each clip's windows with its own voice: score and seconds of speech, by clip and first step."""
    detector, found = SynchronyDetector(), {}
    for clip in clips:
        for start, window in _windows(clip, seconds):
            value = detector.score(window).value
            if value is not None:
                found[clip.clip, start] = value, window.speech_seconds
    return found


def _forged(detector: SynchronyDetector, lips: Window, voice: Window, clip: EncodedClip, method: str) -> list[Result]:
    mixed = replace(lips, voice=voice.voice, voice_mask=voice.voice_mask, speech=voice.speech)
    value = detector.score(mixed).value
    return [] if value is None else [Result(clip.clip, "fake", method, clip.subject, value, None)]


def _windows(clip: EncodedClip, seconds: float) -> Iterator[tuple[int, Window]]:
    length = round(seconds * GRID_HZ)
    for start in range(0, len(clip.face) - length + 1, length):
        yield start, window_at(clip, start, length)


def window_at(clip: EncodedClip, start: int, length: int) -> Window:
    """Give the window of so many frames that begins at frame `start`."""
    part, every = slice(start, start + length), np.ones(length, np.bool_)
    return Window(
        end=(start + length) / GRID_HZ,
        rate=GRID_HZ,
        lips=clip.lips[part],
        lips_mask=clip.face[part],
        voice=clip.voice[part],
        voice_mask=every,
        speech=clip.speech[part],
        clock=ClockState.MAPPED,
        uncertainty=0.0,
        pictures=every,
        doubts=np.zeros(length, np.uint8),
        age=length / GRID_HZ,
    )
