"""What an operator would live through: calls replayed in virtual time through the very session that judges live ones.

Every call goes through decoding, faces, encoders, windows, decisions and findings as it does live, only faster; a call
that is done is kept and never replayed again. Genuine calls give false alerts per hour, forged ones the time to the
alert, counted from their first picture or sound, which is forged. Calls are made of clips: see
`monitor.lab.corpus.stitched_calls` for what that means.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import as_completed
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from engines.base import MODELS, EngineError
from engines.packs import load_pack
from monitor.alerts.finding import FindingTracker
from monitor.decision.decide import most_useful
from monitor.decision.report import HopReport
from monitor.detectors.synchrony.entry import CALIBRATION, LIPS, load_calibration
from monitor.lab.corpus.manifest import FEATURES_VERSION, Row
from monitor.lab.corpus.stitched_calls import VirtualCall, moment
from monitor.lab.evaluate.clip_detector import SCORING
from monitor.lab.evaluate.resume_log import ResumeLog
from monitor.lab.evaluate.worker_pool import Tick, worker_pool
from monitor.session.models import DETECTOR, LANDMARKS, Models, load_models, speech_key
from monitor.session.session import Session, SessionConfig
from monitor.tap.media.digest import digest
from monitor.tap.media.source import SourceError
from monitor.tap.replay import probe_clip
from monitor.types import ParticipantKey

# Raised whenever the same call would go differently.
REPLAY_VERSION = 1
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class CallOutcome:
    """How one call went; times are seconds of the call.

    `opened` are the moments at which findings opened; `judged` and `abstained` count hops with and without a score, and
    `reasons` says why there was none. `distinct` is how much of the media was seen for the first time.
    """

    name: str
    label: str
    method: str
    subject: str
    seconds: float
    distinct: float
    judged: int
    abstained: int
    opened: tuple[float, ...] = ()
    reasons: dict[str, int] = field(default_factory=dict)

    @property
    def first_alert(self) -> float | None:
        """Seconds to the first finding, None without one."""
        return self.opened[0] if self.opened else None


def replay(call: VirtualCall, models: Models, config: SessionConfig) -> CallOutcome:
    """Judge one call in virtual time; a call of which nothing can be read has no seconds."""
    key = ParticipantKey("live", "1")
    session, tracker = Session(key, models, config), FindingTracker(key)
    opened: list[float] = []
    hops: list[HopReport] = []
    now = 0.0
    for item in call.items():
        now = max(now, moment(item))
        report = session.tick(now)
        if report is not None:
            hops.append(report)
            finding = tracker.advance(report.decision, _EPOCH + timedelta(seconds=now))
            if finding is not None and finding.action == "opened":
                opened.append(now)
        session.push(item)
    missing = [_missing(hop) for hop in hops if not any(s.p_value is not None for s in hop.decision.scores)]
    return CallOutcome(
        call.name,
        call.label,
        call.method,
        call.subject,
        round(now, 2),
        round(min(now, _distinct(call)), 2),
        len(hops) - len(missing),
        len(missing),
        tuple(round(at, 2) for at in opened),
        dict(sorted(Counter(missing).items())),
    )


def run_calls(
    parts: Sequence[tuple[Path, Sequence[VirtualCall]]], log_file: Path, workers: int, tick: Tick
) -> list[CallOutcome]:
    """Replay calls, each part by its own packs, in parallel; what `log_file` holds is not replayed again.

    Raises `EngineError` when packs cannot be loaded.
    """
    outcomes: list[CallOutcome | None] = []
    with ResumeLog(log_file) as file, worker_pool(workers) as pool:
        submitted = {}
        for packs, calls in parts:
            settings = settings_of(packs)
            for call in calls:
                key = _key(call, settings)
                entry = file.entries.get(key)
                outcomes.append(_outcome(entry) if entry else None)
                if entry:
                    tick(None)
                else:
                    submitted[pool.submit(_replay, call, packs)] = len(outcomes) - 1, key
        for future in as_completed(submitted):
            place, key = submitted[future]
            outcome = future.result()
            file.add(key, asdict(outcome))
            outcomes[place] = outcome
            tick(None)
    return [outcome for outcome in outcomes if outcome is not None]


def settings_of(packs: Path) -> str:
    """Say what a replay depends on besides its clips; raises `EngineError` where nothing could be judged."""
    table = load_calibration(packs).to_json()
    if not table["tables"]:
        raise EngineError(
            f"{packs / LIPS} has no {CALIBRATION}, so nothing can be judged live: "
            "make it with `sidewitness train calibration`"
        )
    pack_folders = {name: packs if (packs / name).exists() else MODELS for name in (DETECTOR, LANDMARKS)}
    faces = [load_pack(folder / name).manifest.sha256 for name, folder in pack_folders.items()]
    settings = asdict(SessionConfig().decision)
    return json.dumps([REPLAY_VERSION, FEATURES_VERSION, SCORING, faces, speech_key(packs), table, settings])


def _missing(hop: HopReport) -> str:
    return most_useful(score.reason for score in hop.decision.scores).value


def _distinct(call: VirtualCall) -> float:
    """Seconds after which a call repeats itself."""
    seconds = 0.0
    for row in call.clips:
        try:
            seconds += probe_clip(row.sound or row.path).seconds
        except SourceError:
            continue
    return seconds


def _replay(call: VirtualCall, packs: Path) -> CallOutcome:
    return replay(call, _models(packs), SessionConfig())


@cache
def _models(packs: Path) -> Models:
    """Load the engines once in each worker."""
    return load_models(folder=packs)


def _key(call: VirtualCall, settings: str) -> str:
    media = [[_content(row) for row in clips] for clips in (call.clips, call.voice)]
    description = json.dumps([settings, call.name, call.seconds, call.seed, media])
    return hashlib.sha256(description.encode()).hexdigest()[:32]


def _content(row: Row) -> str:
    try:
        return digest(row.path, row.sound)
    except OSError:
        return ""


def _outcome(entry: dict[str, Any]) -> CallOutcome:
    return CallOutcome(**{**entry, "opened": tuple(entry["opened"])})
