"""Enrolment: from a person's own clips to the reference that live calls are compared with, or to the reasons why not.

Each detector learns its own part; the material common to all of them is gathered here. The clips themselves are not
stored: the results are the parts of the reference and the landmarks of the accepted moments.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engines.errors import SidewitnessError
from monitor.detectors.base import Enrolling, Material, Part
from monitor.detectors.reference import Reference, Source
from monitor.face.track import FACE_SIZE
from monitor.identity.enrolment.checks import refusals
from monitor.identity.enrolment.clip_reader import MAX_COLLECTED_SECONDS, Demands, Recording, read_recording
from monitor.identity.enrolment.condition_ladder import RUNGS, Moment, make_rungs
from monitor.identity.enrolment.config import EnrolConfig
from monitor.identity.enrolment.gallery import choose
from monitor.identity.enrolment.quality import Quality, assess
from monitor.identity.enrolment.rung_lips import on_rungs
from monitor.identity.enrolment.sound_ladder import SOUND_RUNGS, sound_rungs
from monitor.session.models import Models
from monitor.tap.clip_file import TrackChoice, describe_choice
from monitor.tap.media.source import SourceError
from monitor.tap.replay import probe_clip
from monitor.types import FloatArray, rfc3339

# The current step, in words for people, and the completed share, 0 to 1.
Progress = Callable[[str, float], None]

# Moments in memory over all clips; the gallery is chosen among them.
MAX_MOMENTS = 320
# Relative duration of reading the clips, in the unit of `Enrolling.effort`.
READING_EFFORT = 0.42


class EnrolmentRefused(SidewitnessError):  # noqa: N818 - a refusal, not a failure
    """The clips do not make a reference; `reasons` are one line each and say what to do."""

    def __init__(self, reasons: Sequence[str]) -> None:
        super().__init__("; ".join(reasons))
        self.reasons = tuple(reasons)


@dataclass(frozen=True, slots=True, eq=False)
class Enrolment:
    """What an enrolment gives; `poses` are the landmarks of the accepted moments, each (468, 2) in 0..1 of the crop.

    `notes` are one line each on how the files were read.
    """

    reference: Reference
    quality: Quality
    poses: tuple[FloatArray, ...]
    notes: tuple[str, ...] = ()


def enrol(
    clips: Sequence[Path],
    models: Models,
    config: EnrolConfig | None = None,
    progress: Progress = lambda _what, _share: None,
    choice: TrackChoice | None = None,
) -> Enrolment:
    """Make a reference of the one person in the clips, of the tracks that `choice` says.

    Raises `EnrolmentRefused`, `EngineError`, and `SourceError` where a clip is not there or none can be read. One of
    several that cannot be read is left out, which is part of the advice.
    """
    config = config or EnrolConfig()
    learners = _learners(models, config)
    if not 0 < len(clips) <= config.max_clips:
        raise EnrolmentRefused([f"{len(clips)} clips were given: give 1 to {config.max_clips}, a long one counts most"])
    total_effort = READING_EFFORT + sum(learner.effort for learner in learners.values())
    reading_share = READING_EFFORT / total_effort
    recordings, left_out = _read(
        clips, models, learners, config, choice, lambda what, share: progress(what, reading_share * share)
    )
    progress("comparing the clips", reading_share)
    reasons = refusals(recordings, config)
    moments, clip = _gallery(recordings, config.gallery)
    if not moments:
        raise EnrolmentRefused([*reasons, *left_out])
    material = _material(recordings, moments, clip)
    for learner in learners.values():
        reasons += learner.refuse(material)
    if reasons:
        raise EnrolmentRefused([*reasons, *left_out])
    created, parts = rfc3339(datetime.now(UTC)), dict[str, Part]()
    effort_done = READING_EFFORT
    for name, learner in learners.items():
        report = partial(_report, progress, learner, effort_done / total_effort, total_effort)
        report(0.0)
        parts[name] = learner.learn(replace(material, taken=[r.taken.get(name) for r in recordings]), created, report)
        effort_done += learner.effort
    progress("done", 1.0)
    sources = [_source(recording, int((clip == n).sum())) for n, recording in enumerate(recordings)]
    data = {name: part.data for name, part in parts.items() if part.data is not None}
    poses = tuple(np.asarray(m.shot.landmarks[:, :2] / FACE_SIZE, np.float32) for m in moments)
    quality = assess(recordings, material, list(parts.values()))
    quality = replace(quality, advice=(*left_out, *quality.advice))
    notes = tuple(note for recording in recordings for note in _notes(recording))
    return Enrolment(Reference(created, tuple(sources), data), quality, poses, notes)


def _report(progress: Progress, learner: Enrolling, start: float, total_effort: float, share: float) -> None:
    if learner.effort:
        progress(learner.task, start + learner.effort / total_effort * share)


def _learners(models: Models, config: EnrolConfig) -> dict[str, Enrolling]:
    """Give each detector's side of the enrolment; raises `EngineError` where nobody can be enrolled."""
    learners = {loaded.info.name: loaded.enrolling(config.require_identity) for loaded in models.detectors}
    return {name: learner for name, learner in learners.items() if learner is not None}


def _read(
    clips: Sequence[Path],
    models: Models,
    learners: dict[str, Enrolling],
    config: EnrolConfig,
    choice: TrackChoice | None,
    progress: Progress,
) -> tuple[list[Recording], list[str]]:
    """Read the clips, and say of each that cannot be read that it was left out; raises `SourceError` for all of them.

    A clip that is not there is told before the long work: whoever wrote its name can correct it.
    """
    failures: list[SourceError] = []
    lengths: dict[Path, float] = {}
    for clip in clips:
        try:
            lengths[clip] = max(probe_clip(clip, choice).seconds, 0.1)
        except SourceError as error:
            if not clip.is_file():
                raise
            failures.append(error)
    demands = Demands(config.min_face_px, config.min_sharpness)
    readable = [clip for clip in clips if clip in lengths]
    total_seconds, seconds_done, recordings = sum(map(lengths.__getitem__, readable)), 0.0, list[Recording]()
    for number, clip in enumerate(readable, 1):
        what, length = f"reading clip {number} of {len(readable)}", lengths[clip]

        def report(
            seconds_read: float, what: str = what, seconds_done: float = seconds_done, length: float = length
        ) -> None:
            progress(what, (seconds_done + min(seconds_read, length)) / total_seconds)

        report(0.0)
        seconds, moments = MAX_COLLECTED_SECONDS * length / total_seconds, max(MAX_MOMENTS // len(readable), 1)
        collectors = {name: on_rungs(learner.collect(seconds), models) for name, learner in learners.items()}
        try:
            recordings.append(read_recording(clip, models, demands, moments, report, collectors, choice))
        except SourceError as error:
            failures.append(error)
        seconds_done += length
    if failures and not recordings:
        raise failures[0]
    return recordings, [f"{error} (left out)" for error in failures]


def _notes(recording: Recording) -> Iterator[str]:
    for note in (*filter(None, map(describe_choice, recording.verdict.tracks)), *recording.verdict.faults):
        yield f"{recording.path.name}: {note}"


def _gallery(recordings: Sequence[Recording], places: int) -> tuple[list[Moment], NDArray[np.int64]]:
    """Give the chosen moments, clip after clip and rising in time, and which clip each is from."""
    chosen = choose([[moment.shot for moment in recording.moments] for recording in recordings], places)
    moments = [recording.moments[n] for recording, rows in zip(recordings, chosen, strict=True) for n in rows]
    clip = np.repeat(np.arange(len(recordings)), [len(rows) for rows in chosen])
    return moments, clip.astype(np.int64)


def _material(recordings: Sequence[Recording], moments: Sequence[Moment], clip: NDArray[np.int64]) -> Material:
    return Material(
        [recording.path.name for recording in recordings],
        [recording.spans.good for recording in recordings],
        [[moment.shot for moment in recording.moments] for recording in recordings],
        [moment.shot for moment in moments],
        clip,
        [step.name for step in RUNGS],
        lambda: make_rungs(moments, RUNGS[1:]),
        sounds=sound_rungs,
        lines=len(SOUND_RUNGS),
    )


def _source(clip: Recording, shots: int) -> Source:
    return Source(clip.sha256, clip.path.name, round(clip.seconds, 2), clip.width, clip.height, shots)
