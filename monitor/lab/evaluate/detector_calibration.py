"""What genuine people score with any detector: whole clips through the session that judges calls."""

from __future__ import annotations

from pathlib import Path

from monitor.lab.corpus.manifest import read_folder, read_manifest
from monitor.lab.evaluate.clip_detector import WINDOW_SECONDS, Job
from monitor.lab.evaluate.registry import clip_detector
from monitor.lab.evaluate.worker_pool import WorkerOptions, score_clips
from monitor.lab.progress import clip_progress


def genuine_scores(
    detector: str, data: Path, packs: Path, options: WorkerOptions
) -> dict[float, list[tuple[float, str]]]:
    """Score the genuine clips of a manifest or a folder: (score, subject) by the window's length in seconds.

    Clips on which the detector abstains are left out. Raises `CorpusError` or `EngineError`.
    """
    rows = [row for row in (read_folder(data) if data.is_dir() else read_manifest(data)) if row.label == "real"]
    with clip_progress("scoring clips", len(rows)) as tick:
        results = score_clips([Job(row) for row in rows], [clip_detector(detector, packs)], options, tick)
    return {WINDOW_SECONDS: [(r.score, r.subject) for r in results if r.score is not None]}
