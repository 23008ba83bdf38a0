"""Do the lips say what the voice says? Agreement of the two encoders, frame by frame, at the best constant offset.

After SpeechForensics (Liang et al., NeurIPS 2024, section 3): the voice is shifted by -15 to 15 frames against the
lips, the cosine of the two vectors of a frame is averaged over the frames at each offset, and the largest of the 31
means is how well they agree.

The score is one-sided, in plain words: lips and voice that disagree are evidence of a forgery (another's voice, a
dub, a broken lip-sync); lips and voice that agree are NOT evidence of a genuine person, because a good forgery agrees
as well. The invariant: only frames count in which the lips are valid and the voice at that offset is valid and
speaks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from monitor.types import BoolArray, ClockState, Reason, Score
from monitor.window import Window

# An offset is left out when the masks leave it less than this share of the frames that the richest offset has: a mean
# over few frames is noisy, and the largest of many noisy means is too large.
LEAST_SHARE = 0.5


@dataclass(frozen=True, slots=True)
class SynchronyDetector:
    """Minus the agreement of lips and voice at the best of 2 * `max_offset` + 1 offsets (frames).

    Abstains under `min_speech_seconds` of usable speech, and while the clock is unknown by more than the offsets can
    make up for.
    """

    min_speech_seconds: float = 2.0
    max_offset: int = 15
    name: str = "synchrony"
    one_sided: bool = True

    def score(self, window: Window, settled: bool = False) -> Score:
        """Score one window; vectors are compared by their plain dot product, so encoders give them at unit length.

        `settled` says that nothing more will come, as at the end of a recording: what is missing is then named even
        if the window never filled.
        """
        reason = self._abstain(window, settled)
        if reason:
            return Score(
                self.name, None, reason, one_sided=True, evidence={"speech_seconds": round(window.speech_seconds, 2)}
            )
        means, counts = offset_curve(window, self.max_offset)
        kept = counts >= LEAST_SHARE * counts.max()
        best = int(np.argmax(np.where(kept, means, -np.inf)))
        offsets_ms = [round(1000 * k / window.rate) for k in range(-self.max_offset, self.max_offset + 1)]
        evidence: dict[str, Any] = {
            "offsets_ms": offsets_ms,
            "agreement": _plain(means, kept),
            "best_offset_ms": offsets_ms[best],
            "agreement_max": round(float(means[best]), 4),
            "speech_seconds": round(window.speech_seconds, 2),
        }
        return Score(self.name, -float(means[best]), one_sided=True, evidence=evidence)

    def _abstain(self, window: Window, settled: bool) -> Reason | None:
        if window.speech_seconds >= self.min_speech_seconds:
            lost = window.clock is ClockState.UNKNOWN and window.uncertainty > self.max_offset / window.rate
            return Reason.CLOCK_UNKNOWN if lost else None
        short = window.age < window.seconds
        if short and not settled:
            return Reason.WARMING_UP
        missing = (
            (Reason.NO_VIDEO, window.pictures),
            (Reason.NO_AUDIO, window.voice_mask),
            (Reason.NO_FACE, window.lips_mask),
            (Reason.SILENCE, window.speech),
        )
        least = min(self.min_speech_seconds, window.age / 2) * window.rate
        otherwise = Reason.WARMING_UP if short else Reason.LOW_QUALITY
        return next((reason for reason, mask in missing if np.count_nonzero(mask) < least), otherwise)


def offset_curve(window: Window, max_offset: int = 15) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Mean agreement (K,) at each offset -max_offset..max_offset, and the number of frames (K,) in each mean.

    At offset k lips of frame t meet the voice of frame t + k; a mean over no frames is 0.
    """
    voice = np.pad(window.voice, ((max_offset, max_offset), (0, 0)))
    speaks = np.pad(window.voice_mask & window.speech, max_offset)
    length = len(window.lips)
    shifted = sliding_window_view(voice, length, axis=0)
    usable = sliding_window_view(speaks, length) & window.lips_mask
    frames = np.einsum("td,kdt->kt", window.lips, shifted)
    counts = usable.sum(axis=1)
    means = np.where(usable, frames, 0.0).sum(axis=1) / np.maximum(counts, 1)
    return np.asarray(means, np.float64), np.asarray(counts, np.int64)


def _plain(means: NDArray[np.float64], kept: BoolArray) -> Sequence[float | None]:
    return [round(float(mean), 4) if keep else None for mean, keep in zip(means, kept, strict=True)]
