"""Lips and voice of one participant, hop by hop, and what all participants of a process share of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from engines.base import Engine
from monitor.decision.calibration import Calibration
from monitor.detectors.base import Compilation, Hop
from monitor.detectors.reference import TemplateError
from monitor.detectors.synchrony.carried import Carried, carry
from monitor.detectors.synchrony.clip import score_clip
from monitor.detectors.synchrony.detector import SynchronyDetector, speech_of
from monitor.detectors.synchrony.enrolling import EnrollingSynchrony
from monitor.detectors.synchrony.familiar import FamiliarSpeech
from monitor.detectors.synchrony.fingerprint import Fingerprint
from monitor.detectors.synchrony.fusion import Fusion
from monitor.detectors.synchrony.info import INFO
from monitor.detectors.synchrony.judge import Judge
from monitor.detectors.synchrony.own import OwnAgreement
from monitor.detectors.synchrony.replay import ReplayWatch
from monitor.types import BriefScore, Reason, Score
from monitor.window.window import Window, WindowBuffer


class LiveSynchrony:
    """See `monitor.detectors.base.LiveDetector`."""

    observe = None

    def __init__(
        self,
        calibration: Calibration,
        familiar: FamiliarSpeech | None = None,
        encoders: str | None = None,
        fusion: Fusion | None = None,
    ) -> None:
        self._judge = Judge(calibration, encoders)
        self._detector = SynchronyDetector(familiar=familiar, fusion=fusion)
        self._scored_until: float | None = None
        self._before: Carried | None = None
        self._left: Carried | None = None
        self._replay = ReplayWatch(familiar)
        self._newest: Window | None = None

    def remember(self) -> Carried | None:
        """Give what the next publication goes on with, of the pairing in which lips and voice met best.

        Where nothing was seen or nothing heard, that is what is left of what this one went on with.
        """
        newest = self._newest
        if newest is None:
            return self._before
        if not (newest.lips_mask.any() and newest.voice_mask.any()):
            return self._left
        kept = [carry(pairing, self._detector.max_offset, self._left) for pairing in newest.pairings]
        return max(kept, key=lambda one: one.curve.agreement)

    def recall(self, memory: Carried) -> None:
        """Go on with what was remembered of the publication before."""
        self._before = memory

    def restart(self, buffer: WindowBuffer) -> None:
        """Begin with an empty window."""
        self._scored_until = None

    def score(self, hop: Hop) -> Score:
        """Score a window; one that has not moved since it was last scored would count twice: it is not scored again."""
        window = self._newest = hop.window
        before = self._left = self._before.after(hop.elapsed) if self._before is not None else None
        if hop.obstacle is not None:
            return self._abstain(hop.obstacle)
        moved = self._scored_until is None or window.end > self._scored_until
        self._scored_until = window.end
        scores = [
            self._judge.apply(self._detector.score(pairing, hop.settled, before), speech_of(pairing, before), hop.part)
            for pairing in window.pairings
        ]
        if scores[0].value is not None and not moved:
            return self._abstain(Reason.WARMING_UP)
        score = least_suspicious(scores)
        if score.value is None:
            score = replace(score, brief=self._silent)
        return self._replay.mark(score, window, hop.part) if hop.live else score

    def _abstain(self, reason: Reason) -> Score:
        """Abstain from brief windows too, where these are what is added up."""
        return replace(INFO.abstain(reason), brief=self._silent)

    @property
    def _silent(self) -> BriefScore | None:
        return BriefScore() if self._judge.has_brief else None


def least_suspicious(scores: Sequence[Score]) -> Score:
    """Return the first that abstains, else what accuses least: doubt about the pairing of frames accuses nobody.

    The scores are of one moment, its frames paired by sender reports and, where that differs, by arrival. Evidence
    that rests on arrival says so.
    """
    abstaining = next((score for score in scores if score.value is None), None)
    if abstaining is not None:
        return abstaining
    best = max(scores, key=lambda score: (score.p_value or 0.0, -(score.value or 0.0)))
    return best if best is scores[0] else replace(best, evidence={**best.evidence, "paired_by": "arrival"})


@dataclass(frozen=True, slots=True, eq=False)
class LoadedSynchrony:
    """The scores of genuine people, what their speech sounds like, and how measures are fused, where that is known.

    The encoders of lips and voice fill the window, whoever reads it; `encoders` names them, None where nobody is to be
    judged by their own agreement.
    """

    calibration: Calibration
    familiar: FamiliarSpeech | None = None
    encoders: str | None = None
    fusion: Fusion | None = None
    info = INFO

    def live(self, window_seconds: float, compilation: Compilation) -> LiveSynchrony:
        """Give what judges one participant."""
        return LiveSynchrony(self.calibration, self.familiar, self.encoders, self.fusion)

    def of_clip(self, scores: Sequence[Score], hop_share: float) -> Score:
        """Make one score of a whole recording from those of its hops."""
        return score_clip(scores, self.calibration)

    def through(self, wrap: Callable[[Engine], Engine]) -> LoadedSynchrony:
        """Give the same: there is no engine here."""
        return self

    def is_outdated(self, part: bytes) -> bool:
        """Whether what is kept of a person's recordings was made by other encoders, or cannot be read.

        A part of before agreement was kept has none, and is none the older for it.
        """
        try:
            voice, own = Fingerprint.from_bytes(part).encoder, OwnAgreement.from_bytes(part)
        except TemplateError:
            return True
        changed = own is not None and own.encoders != self.encoders
        return changed or voice != (self.familiar.encoder if self.familiar else None)

    def enrolling(self, one_person: bool) -> EnrollingSynchrony | None:
        """Learn what a person's recordings sound like, and how well lips and voice agree in them.

        None without a table of genuine speech.
        """
        return EnrollingSynchrony(self.familiar, self.encoders) if self.familiar is not None else None
