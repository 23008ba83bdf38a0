"""A recorded clip, judged by the very session that judges live calls, and then once more as a whole."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from monitor.alerts.finding import describe_scores
from monitor.decision.contrast import contrast_of, remember, shown
from monitor.decision.decide import judge_clip
from monitor.decision.report import HopReport
from monitor.detectors.base import ClipCollector, FrameObserver
from monitor.detectors.reference import Reference
from monitor.session.models import Models
from monitor.session.obstacle import STALE_SECONDS
from monitor.session.session import Session, SessionConfig
from monitor.tap.clip_file import TrackChoice, TrackInfo
from monitor.tap.replay import probe_clip, read_clip
from monitor.types import MediaItem, ParticipantKey, Reason, Score, TrackFault, TrackKind, Verdict

Progress = Callable[[float], None]
_RANK = (Verdict.INCONCLUSIVE, Verdict.BONA_FIDE, Verdict.SUSPECT, Verdict.ALERT)


@dataclass(frozen=True, slots=True)
class ClipVerdict:
    """What is said of one participant of a clip.

    `seconds` are those in which there was media; `faults` are one-line notes of what was wrong with the file, `tracks`
    those that were judged.
    """

    clip: str
    participant: str
    seconds: float
    verdict: Verdict
    reason: Reason | None
    scores: tuple[Score, ...]
    faults: tuple[str, ...]
    tracks: tuple[TrackInfo, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Give the object that `sidewitness scan --json` prints."""
        return {
            "clip": self.clip,
            "participant": self.participant,
            "seconds": round(self.seconds, 3),
            "tracks": {kind: self._track(kind) for kind in ("video", "audio")},
            "verdict": self.verdict.value,
            "reason": self.reason.value if self.reason else None,
            "scores": describe_scores(self.scores, evidence=True),
        }

    def _track(self, kind: TrackKind) -> dict[str, Any] | None:
        track = next((track for track in self.tracks if track.kind == kind), None)
        if track is None:
            return None
        return {"number": track.number, "count": track.count, "codec": track.codec}


class ClipJudge:
    """A session over the items of one clip; `judge` says what they come to, once all were pushed.

    `observer` sees every frame with the participant's face, `collectors` the frames and, once a hop, the window;
    `progress` is given the seconds of media read so far, hop by hop.
    """

    def __init__(
        self,
        models: Models,
        config: SessionConfig | None = None,
        identity: str | None = None,
        reference: Reference | None = None,
        observer: FrameObserver | None = None,
        progress: Progress | None = None,
        collectors: Sequence[ClipCollector] = (),
    ) -> None:
        self._models, self._config, self._progress = models, config or SessionConfig(), progress
        key = ParticipantKey("scan", "1", identity)
        self._session = Session(key, models, self._config, reference, observer, collectors)
        self._reports: list[HopReport] = []
        self._faults: list[str] = []
        self._end = 0.0
        self._last_media: float | None = None
        self._seconds = 0.0

    @property
    def seconds(self) -> float:
        """Seconds of media pushed so far; time in which neither track had anything is none."""
        return self._seconds

    def push(self, item: MediaItem) -> None:
        """Take one item, in the order of `read_clip`."""
        now = item.arrival if isinstance(item, TrackFault) else item.stamp.arrival
        if isinstance(item, TrackFault):
            self._faults.append(item.detail)
        else:
            passed = 0.0 if self._last_media is None else now - self._last_media
            self._seconds += passed if 0.0 < passed <= STALE_SECONDS else 0.0
            self._last_media = max(now, self._last_media or now)
        self._end = max(now, self._end)
        report = self._session.tick(now)
        if report is not None:
            self._reports.append(report)
            if self._progress:
                self._progress(self.seconds)
        self._session.push(item)

    def judge(self, clip: Path, tracks: tuple[TrackInfo, ...] = ()) -> ClipVerdict:
        """Say one thing of the clip, of which these `tracks` were read; call once."""
        final = self._session.finish(self._end)
        reports = [*self._reports, *([final] if final is not None else [])]
        worst = max((r.decision.verdict for r in reports), key=_RANK.index, default=Verdict.INCONCLUSIVE)
        scores = self._scores(reports)
        verdict, reason = judge_clip(self._config.decision, scores, worst)
        scores = shown(scores, contrast_of(verdict, remember({}, 0.0, scores)))
        return ClipVerdict(str(clip), "1", self.seconds, verdict, reason, scores, tuple(self._faults), tracks)

    def _scores(self, reports: Sequence[HopReport]) -> tuple[Score, ...]:
        """Let every detector make one score of those of its hops."""
        hop_share = self._config.hop_seconds / self._config.window_seconds
        found = []
        for n, loaded in enumerate(self._models.detectors):
            hops = [report.decision.scores[n] for report in reports]
            found.append(loaded.info.stamp(loaded.of_clip(hops, hop_share)))
        return tuple(found)


def scan(
    clip: Path,
    models: Models,
    config: SessionConfig | None = None,
    progress: Progress | None = None,
    identity: str | None = None,
    reference: Reference | None = None,
    choice: TrackChoice | None = None,
) -> ClipVerdict:
    """Judge the participant of a clip; raises `SourceError` when the file cannot be read.

    `progress` is called with the seconds of media read so far; `identity` is whom the participant claims to be and
    `reference` what that person is compared with, None when not enrolled; `choice` says which tracks are judged.
    """
    tracks = probe_clip(clip, choice).tracks
    judge = ClipJudge(models, config, identity, reference, progress=progress)
    for item in read_clip(clip, choice=choice):
        judge.push(item)
    return judge.judge(clip, tracks)
