"""Genuine clips and dubs judged hop by hop, resumably: what rates by source and times to an alert are simulated from.

Every clip is scored by the window and the detector that judge live calls, by encoders that never saw its person. What
is scored is kept by the content of the clip (and of the voice), so a run that was killed goes on where it stopped.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from concurrent.futures import Future, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from monitor.detectors.synchrony.entry import load_fusion
from monitor.lab.corpus.manifest import FEATURES_VERSION, Row
from monitor.lab.evaluate.clip_detector import SCORING, WINDOW_SECONDS, Job
from monitor.lab.evaluate.resume_log import ResumeLog
from monitor.lab.evaluate.worker_pool import Tick, encode_job, worker_pool
from monitor.lab.training.synchrony_background import ScoredWindow, dubbed, skew_of, skewed, windows
from monitor.session.models import presence_key, speech_key
from monitor.tap.media.digest import digest
from monitor.types import BriefScore


@dataclass(frozen=True, slots=True)
class HopJob:
    """A clip to judge by the speech packs of a folder; with a `voice`, that clip is heard in place of its own sound."""

    row: Row
    packs: Path
    voice: Row | None = None


@dataclass(frozen=True, slots=True)
class JudgedClip:
    """The hops of a clip on which the detector did not abstain; `group` is the kind of source.

    `skewed` are those of the same clip with its sound late or early by a constant, where measures are fused.
    """

    clip: str
    subject: str
    group: str
    hops: tuple[ScoredWindow, ...]
    skewed: tuple[ScoredWindow, ...] = ()


def judge_hops(jobs: Sequence[HopJob], cache: Path, log_file: Path, workers: int, tick: Tick) -> list[JudgedClip]:
    """Judge clips in parallel, in the order of the jobs; a clip that cannot be read or judged has no hops.

    What `log_file` holds is not judged again. Raises `EngineError` when packs cannot be loaded.
    """
    found: dict[int, tuple[tuple[ScoredWindow, ...], ...]] = {}
    with ResumeLog(log_file) as log, worker_pool(workers) as pool:
        submitted: dict[Future[tuple[tuple[ScoredWindow, ...], ...]], tuple[int, str]] = {}
        for n, job in enumerate(jobs):
            key = _key(job)
            if key in log.entries:
                found[n] = _read(log.entries[key]["hops"])
                tick(None)
            else:
                submitted[pool.submit(_hops, job, cache)] = n, key
        for future in as_completed(submitted):
            n, key = submitted[future]
            hops = [[_numbers(hop) for hop in part] for part in future.result()]
            log.add(key, {"hops": hops})
            found[n] = _read(hops)
            tick(None)
    return [JudgedClip(job.row.name, job.row.subject, job.row.group, *found[n]) for n, job in enumerate(jobs)]


def _read(parts: Sequence[Sequence[Sequence[Any]]]) -> tuple[tuple[ScoredWindow, ...], ...]:
    return tuple(tuple(_hop(numbers) for numbers in hops) for hops in parts)


def _numbers(hop: ScoredWindow) -> list[float | None]:
    """Lay a hop out as it is kept."""
    whole = hop.value, hop.speech, hop.whole, hop.whole_speech
    brief = hop.brief.value, hop.brief.seconds, hop.early.value, hop.early.seconds, hop.brief.fused
    return [None if number is None else round(float(number), 6) for number in (*whole, *brief)]


def _hop(numbers: Sequence[Any]) -> ScoredWindow:
    value, speech, whole, whole_speech, brief, seconds, early, early_seconds, fused = numbers
    words = (
        BriefScore(score, None, length, bool(fused)) for score, length in ((brief, seconds), (early, early_seconds))
    )
    return ScoredWindow(value, speech, whole, whole_speech, *words)


def _hops(job: HopJob, cache: Path) -> tuple[tuple[ScoredWindow, ...], ...]:
    """Judge one clip, in a worker: as it is, and skewed where it is genuine and measures are fused."""
    fusion = load_fusion(job.packs)
    clip = encode_job(Job(job.row), job.packs, cache)
    if clip is None:
        return (), ()
    encoded = clip.lips, clip.face, clip.voice, clip.speech
    if job.voice is not None:
        other = encode_job(Job(job.voice), job.packs, cache)
        if other is None:
            return (), ()
        encoded = dubbed(encoded, (other.lips, other.face, other.voice, other.speech))
    hops = tuple(windows(encoded, WINDOW_SECONDS, fusion=fusion))
    if fusion is None or job.voice is not None:
        return hops, ()
    return hops, tuple(windows(skewed(encoded, skew_of(job.row.name)), WINDOW_SECONDS, fusion=fusion))


def _key(job: HopJob) -> str:
    content = [_content(row) for row in (job.row, job.voice) if row is not None]
    fusion = load_fusion(job.packs)
    rule = None if fusion is None else fusion.to_bytes().decode()
    packs = [*speech_key(job.packs), rule]
    described = json.dumps([content, FEATURES_VERSION, presence_key(), SCORING, WINDOW_SECONDS, packs])
    return hashlib.sha256(described.encode()).hexdigest()[:32]


def _content(row: Row) -> str:
    try:
        return digest(row.path, row.sound)
    except OSError:
        return ""
