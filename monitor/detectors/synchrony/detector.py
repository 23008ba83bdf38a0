"""Do the lips say what the voice says? Agreement of the two encoders, frame by frame, at the best constant offset.

After SpeechForensics (Liang et al., NeurIPS 2024, section 3): the voice is shifted by -15 to 15 frames against the
lips, the cosine of the two vectors of a frame is averaged over the frames at each offset, and the largest of the 31
means is how well they agree. That is done over the evidence accumulated so far, up to 16 s of speech; the newest window
is then scored at the offset found there. Far offsets cost something until they have shown to be this call's own
(`offset.offset_prices`). A constant offset is so forgiven, while one that jumps leaves the window where its voice is
not, and one that wanders is paid for besides.

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

from monitor.detectors.synchrony.carried import Carried, settle
from monitor.detectors.synchrony.familiar import FamiliarSpeech
from monitor.detectors.synchrony.fusion import Moment, Rule
from monitor.detectors.synchrony.offset import Curve, Doubles, Track, follow, offset_curve, offset_prices
from monitor.types import BriefScore, ClockState, Reason, Score
from monitor.window.doubts import Doubt, commonest
from monitor.window.window import Window

# A frame of wandering beyond what genuine clips show costs this much agreement.
USUAL_WANDER_FRAMES = 1.0
WANDER_COST_PER_FRAME = 0.2
# The newest part of a window, which is a bet of its own, and the least speech that it is judged on.
BRIEF_SECONDS = 2.0
MIN_BRIEF_SECONDS = 1.2
# Speech that a publication must bring before what is left of one before it is judged with it.
MIN_NEW_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class SynchronyDetector:
    """Minus the agreement of lips and voice at the best of 2 * `max_offset` + 1 offsets (frames).

    The offsets are searched over the window's memory, where it has one.

    Abstains under `min_speech_seconds` of usable speech, with what set it aside where there was enough, where more than
    half of the speech met a still mouth, while the clock is unknown by more than the offsets can make up for, and where
    the sound is not `familiar`. With a `fusion` brief windows are scored by the log odds of all that is known then.
    """

    min_speech_seconds: float = 2.0
    max_offset: int = 15
    name: str = "synchrony"
    one_sided: bool = True
    familiar: FamiliarSpeech | None = None
    fusion: Rule | None = None

    def score(self, window: Window, settled: bool = False, before: Carried | None = None) -> Score:
        """Score one window; vectors are compared by their plain dot product, so encoders give them at unit length.

        `settled` says that nothing more will come, as at the end of a recording: what is missing is then named even
        if the window never filled. `before` is what is left of the participant's earlier publications: its frames fill
        the window up, once this one has speech of its own.
        """
        reason = self._abstain(window, settled, before)
        if reason:
            return Score(
                self.name, None, reason, one_sided=True, evidence={"speech_seconds": round(window.speech_seconds, 2)}
            )
        curve, past = offset_curve(window, self.max_offset), window.memory or window
        whole, path = settle(*follow(past, self.max_offset), window.rate, before)
        wander = WANDER_COST_PER_FRAME * max(0.0, path.spread - USUAL_WANDER_FRAMES)
        prices = offset_prices(path, window.uncertainty, window.rate, self.max_offset)
        whole = whole.less(prices)
        best = curve.less(prices).near(whole)
        agreement = float(curve.means[best] - prices[best])
        if before is not None:
            agreement = before.joined(agreement, int(curve.counts[best]))
        offsets_ms = [round(1000 * k / window.rate) for k in range(-self.max_offset, self.max_offset + 1)]
        evidence: dict[str, Any] = {
            "offsets_ms": offsets_ms,
            "agreement": _as_json(curve),
            "best_offset_ms": offsets_ms[best],
            "agreement_max": round(agreement, 4),
            "offset_price": round(float(prices[best]), 4),
            "speech_seconds": round(speech_of(window, before), 2),
            "accumulated": {
                "agreement": round(whole.agreement - wander, 4),
                "best_offset_ms": offsets_ms[whole.best],
                "speech_seconds": round(past.speech_seconds, 2),
                "path_ms": [round(1000 * k / window.rate) for k in path.offsets],
                "wander_ms": round(1000 * path.spread / window.rate, 1),
            },
        }
        settled_past = _Past(whole, path, wander, prices)
        brief = self._brief(window, settled_past, wander - agreement)
        return Score(self.name, wander - agreement, one_sided=True, evidence=evidence, brief=brief)

    def _brief(self, window: Window, past: _Past, value: float) -> BriefScore:
        """Score the newest seconds, at the offset of the whole past; nothing where they hold too little."""
        newest = window.last(round(BRIEF_SECONDS * window.rate))
        curve = offset_curve(newest, self.max_offset)
        best = curve.less(past.prices).near(past.curve)
        seconds = int(curve.counts[best]) / window.rate
        if seconds < MIN_BRIEF_SECONDS:
            return BriefScore()
        agreement = float(curve.means[best] - past.prices[best]) - past.wander
        if self.fusion is None:
            return BriefScore(-agreement, seconds=round(seconds, 2))
        moment = Moment.of(
            (agreement, -value, past.curve.agreement - past.wander),
            curve.clearness_at(best),
            movement_of(newest),
            int(past.curve.counts.max()) / window.rate,
            past.curve.clearness,
            past.path.established,
            past.path.spread,
        )
        return BriefScore(self.fusion.log_odds(moment), None, round(seconds, 2), True, self.fusion.slope)

    def _abstain(self, window: Window, settled: bool, before: Carried | None) -> Reason | None:
        spoken = window.voice_mask & window.speech & window.face_mask
        doubts = window.doubts[spoken]
        if speech_of(window, before) >= self.min_speech_seconds:
            if window.clock is ClockState.UNKNOWN and window.uncertainty > self.max_offset / window.rate:
                return Reason.CLOCK_UNKNOWN
            # What is left of speech that mostly met a still mouth is no better.
            if 2 * np.count_nonzero(doubts == Doubt.STILL_MOUTH) > len(doubts):
                return Reason.STILL_MOUTH
            # Too little speech of its own has no sound to know it by; what it is judged with was known.
            brief = window.speech_seconds < self.min_speech_seconds
            familiar = brief or self.familiar is None or self.familiar.knows(window)
            return None if familiar else Reason.UNUSUAL_SOUND
        short = window.age < window.seconds
        if short and not settled:
            return Reason.WARMING_UP
        if len(doubts) >= self.min_speech_seconds * window.rate:
            return commonest(doubts)
        missing = (
            (Reason.NO_VIDEO, window.pictures),
            (Reason.NO_AUDIO, window.voice_mask),
            (Reason.NO_FACE, window.face_mask),
            (Reason.SILENCE, window.speech if window.sound is None else window.sound),
            (Reason.NO_SPEECH, window.speech),
        )
        min_frames = min(self.min_speech_seconds, window.age / 2) * window.rate
        otherwise = Reason.WARMING_UP if short else Reason.LOW_QUALITY
        return next((reason for reason, mask in missing if np.count_nonzero(mask) < min_frames), otherwise)


@dataclass(frozen=True, slots=True, eq=False)
class _Past:
    """What the past says: agreement at each offset less its price, the offset's path, and what wandering costs."""

    curve: Curve
    path: Track
    wander: float
    prices: Doubles


def movement_of(window: Window) -> float:
    """How much the lips move while the voice speaks, 0..1: one less the squared length of their mean vector."""
    spoken = window.lips[window.lips_mask & window.voice_mask & window.speech]
    return 1.0 - float(np.sum(np.square(spoken.mean(axis=0), dtype=np.float64))) if len(spoken) else 0.0


def speech_of(window: Window, before: Carried | None) -> float:
    """Seconds of speech that a score of this window rests on."""
    own = window.speech_seconds
    return own if before is None or own < MIN_NEW_SECONDS else own + before.speech_seconds


def _as_json(curve: Curve) -> Sequence[float | None]:
    return [round(float(mean), 4) if keep else None for mean, keep in zip(curve.means, curve.sufficient, strict=True)]
