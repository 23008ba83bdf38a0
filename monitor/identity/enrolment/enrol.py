"""Enrolment: from a person's own clips to the reference that live calls are compared with, or to the reasons why not.

Nothing of the clips is kept: what leaves this module are vectors, landmarks and numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engines.base import EngineError
from engines.errors import SidewitnessError
from monitor.detectors.pairwise.population import Population
from monitor.detectors.persona.detector import PersonaReference
from monitor.detectors.reference import Reference, Rung, Source, build_reference
from monitor.face.encoders import FaceEncoders
from monitor.face.shot import FaceShot
from monitor.face.vectors import FaceVectors
from monitor.identity.enrolment.checks import refusals, strangers
from monitor.identity.enrolment.clip_reader import Demands, Recording, take
from monitor.identity.enrolment.condition_ladder import RUNGS, Moment, make_rungs
from monitor.identity.enrolment.config import EnrolConfig
from monitor.identity.enrolment.gallery import choose
from monitor.identity.enrolment.movement import KEPT_SECONDS, learn, seconds_of
from monitor.identity.enrolment.quality import Quality, assess
from monitor.session.models import Models
from monitor.tap.replay import probe_clip
from monitor.types import FloatArray, rfc3339

# What is being done, in words for people, and how much of the whole is done, 0 to 1.
Progress = Callable[[str, float], None]

# Moments in memory at once, over all clips; a gallery is chosen among them.
MOMENTS = 320
# The share of the time that reading takes; encoding the ladder takes the rest.
READING = 0.6
# The share of both where movement is learnt besides.
LEARNT = 0.7
# Looks at a clip that is not in the gallery, to see who is in it.
WITNESSES = 4


class EnrolmentRefused(SidewitnessError):  # noqa: N818 - a refusal, not a failure
    """The clips do not make a reference; `reasons` are one line each and say what to do."""

    def __init__(self, reasons: Sequence[str]) -> None:
        super().__init__("; ".join(reasons))
        self.reasons = tuple(reasons)


@dataclass(frozen=True, slots=True, eq=False)
class Enrolment:
    """What an enrolment gives; `poses` are the landmarks of the accepted moments, each (468, 2) in 0..1 of the crop."""

    reference: Reference
    quality: Quality
    poses: tuple[FloatArray, ...]


def enrol(
    clips: Sequence[Path],
    models: Models,
    config: EnrolConfig | None = None,
    progress: Progress = lambda _what, _share: None,
) -> Enrolment:
    """Make a reference of the one person in the clips; raises `EnrolmentRefused`, `SourceError` or `EngineError`."""
    config = config or EnrolConfig()
    encode, population = _able(models, config)
    if not 0 < len(clips) <= config.max_clips:
        raise EnrolmentRefused([f"{len(clips)} clips were given: give 1 to {config.max_clips}, a long one counts most"])
    whole, progress = progress, _first(LEARNT if _learns(models) else 1.0, progress)
    recordings = _read(clips, models, config, progress)
    progress("comparing the clips", READING)
    reasons = refusals(recordings, config)
    moments, clip = _gallery(recordings, config.gallery)
    if not moments:
        raise EnrolmentRefused(reasons)
    first = _encode(encode, [moment.shot for moment in moments], 0, progress)
    if encode.identifies:
        reasons += _strangers(recordings, first, clip, encode)
    if reasons:
        raise EnrolmentRefused(reasons)
    ladder = [(name, shots) for name, shots in make_rungs(moments, RUNGS[1:])]
    rungs = [Rung(name, _encode(encode, shots, at, progress)) for at, (name, shots) in enumerate(ladder, 1)]
    rungs = [Rung(RUNGS[0].name, first), *rungs]
    sources = [_source(each, int((clip == n).sum())) for n, each in enumerate(recordings)]
    reference = build_reference(rfc3339(datetime.now(UTC)), encode.key, sources, clip, rungs, population)
    learns = _learns(models)
    persona = _movement(recordings, models, whole) if learns else None
    moved = sum(seconds_of(each.movement) for each in recordings) if persona else 0.0
    whole("done", 1.0)
    quality = assess(recordings, first, rungs, encode.identifies, moved if learns else None)
    return Enrolment(replace(reference, persona=persona), quality, tuple(first.landmarks.astype(np.float32)))


def _first(share: float, progress: Progress) -> Progress:
    """Tell the progress of a part as that of the whole, of which it is the first `share`."""
    return lambda what, done: progress(what, share * done)


def _learns(models: Models) -> bool:
    """Whether there is what learns how people move, and what to compare it with."""
    if models.persona is None or models.people is None or models.persona.fit is None:
        return False
    return models.people.key == models.persona.key


def _movement(recordings: Sequence[Recording], models: Models, progress: Progress) -> PersonaReference | None:
    """Learn how the person moves; None where they speak too little: everything else of an enrolment holds without."""
    if models.persona is None or models.people is None:
        return None

    def tell(done: float) -> None:
        progress("learning how the person moves when they speak", LEARNT + (1 - LEARNT) * done)

    tell(0.0)
    return learn([each.movement for each in recordings], models.persona, models.people, tell)


def _able(models: Models, config: EnrolConfig) -> tuple[FaceEncoders, Population]:
    if models.faces is None or models.population is None:
        missing = "the pack face_artefacts is" if models.faces is None else "genuine people to compare with are"
        raise EngineError(f"{missing} not installed, so nobody can be enrolled: reinstall sidewitness with its packs")
    if not models.population.fits(models.faces.key):
        raise EngineError(
            "genuine people were measured by other packs than those installed, so nobody can be enrolled: "
            "reinstall sidewitness, or run `sidewitness train pairs`"
        )
    if config.require_identity and not models.faces.identifies:
        raise EngineError(
            "the identity encoder is not installed, so nobody can check that the clips show one person: "
            "run `sidewitness engines import dlib-face`"
        )
    return models.faces, models.population


def _read(clips: Sequence[Path], models: Models, config: EnrolConfig, progress: Progress) -> list[Recording]:
    # Every header first: what cannot be read is told before the long work.
    lengths = [max(probe_clip(clip).seconds, 0.1) for clip in clips]
    demands = Demands(config.min_face_px, config.min_sharpness)
    whole, done, found = sum(lengths), 0.0, list[Recording]()
    for number, (clip, length) in enumerate(zip(clips, lengths, strict=True), 1):
        what = f"reading clip {number} of {len(clips)}"

        def tell(read: float, what: str = what, done: float = done, length: float = length) -> None:
            progress(what, READING * (done + min(read, length)) / whole)

        tell(0.0)
        places = max(MOMENTS // len(clips), 1)
        found.append(take(clip, models, demands, places, tell, KEPT_SECONDS * length / whole))
        done += length
    return found


def _gallery(recordings: Sequence[Recording], places: int) -> tuple[list[Moment], NDArray[np.int64]]:
    """Give the chosen moments, clip after clip and rising in time, and which clip each is from."""
    chosen = choose([[moment.shot for moment in each.moments] for each in recordings], places)
    moments = [each.moments[n] for each, rows in zip(recordings, chosen, strict=True) for n in rows]
    clip = np.repeat(np.arange(len(recordings)), [len(rows) for rows in chosen])
    return moments, clip.astype(np.int64)


def _strangers(
    recordings: Sequence[Recording], kept: FaceVectors, clip: NDArray[np.int64], encode: FaceEncoders
) -> list[str]:
    """Compare the people of all clips, those included that gave no moment to the gallery."""
    vectors, whose = [kept.identity], [clip]
    for n in sorted(set(range(len(recordings))) - set(clip.tolist())):
        shots = [moment.shot for moment in recordings[n].moments]
        some = shots[:: max(len(shots) // WITNESSES, 1)][:WITNESSES]
        if some:
            vectors.append(encode(some).identity)
            whose.append(np.full(len(some), n, np.int64))
    names, seconds = [each.path.name for each in recordings], [each.spans.good for each in recordings]
    return strangers(np.concatenate(vectors), np.concatenate(whose), names, seconds)


def _encode(encode: FaceEncoders, shots: Sequence[FaceShot], rung: int, progress: Progress) -> FaceVectors:
    progress("encoding the ladder of call conditions", READING + (1 - READING) * rung / len(RUNGS))
    return encode(shots)


def _source(clip: Recording, shots: int) -> Source:
    return Source(clip.sha256, clip.path.name, round(clip.seconds, 2), clip.width, clip.height, shots)
