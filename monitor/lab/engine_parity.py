"""Recorded clips through one engine's whole models: what two engines are compared by, score by score.

A case is a clip as the very session of live calls judges it: the person's own voice or another's, and where the list
names a reference, against that person. References are made once, by the reference engine, as somebody enrolled on one
machine and watched on another has one; every engine then meets the same. They are made for this alone: of one clip, as
recorded, with few steps of learning, and nothing of them is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from engines.checks.parity import Judged, Outcome
from monitor.detectors.pairwise.live import LoadedPairwise
from monitor.detectors.pairwise.population import Population
from monitor.detectors.pairwise.reference import Rung, build_reference
from monitor.detectors.persona.live import LoadedPersona
from monitor.detectors.persona.movement import learn
from monitor.detectors.persona.personalise import PersonaliseConfig
from monitor.detectors.reference import Reference
from monitor.face.cadence import EVERY
from monitor.face.encoders import FaceEncoders
from monitor.identity.enrolment.clip_reader import MAX_COLLECTED_SECONDS, Demands, read_recording
from monitor.lab.corpus.manifest import CorpusError, read_csv
from monitor.lab.corpus.separate_tracks import read_media
from monitor.session.clip import ClipJudge
from monitor.session.models import Models
from monitor.session.session import SessionConfig
from monitor.tap.clip_time import item_time
from monitor.types import MediaItem

LIST = Path(__file__).parents[2] / "engines" / "training" / "splits" / "parity.csv"
COLUMNS = ("path", "sound", "reference", "lips", "person")
# Of each clip: enough for a window of lips and voice, for what a face at rest is, and for one of movement.
SECONDS = 9.0
PAIRWISE, PERSONA = LoadedPairwise.info.name, LoadedPersona.info.name
# Told apart by what a case says of them: its lips, or its person.
LIPS, PERSON = ("synchrony",), (PAIRWISE, PERSONA)
LEARNT = PersonaliseConfig(steps=40, least=20)
LOOKS = 24
_WHO = "reference"
_MADE = "1970-01-01T00:00:00Z"
_TRUTH = {"real": False, "fake": True}


@dataclass(frozen=True, slots=True)
class Case:
    """One clip, with the sound of another file where `sound` says so, and whom it is compared with.

    `lips` says whether lips and voice are of a forgery or of two people, `person` whether it is somebody else than the
    person of `reference`, or a forgery of them.
    """

    name: str
    path: Path
    sound: Path | None
    reference: Path | None
    lips: bool
    person: bool


def read_cases(data: Path) -> list[Case]:
    """Read the cases of a folder of clips: its own `parity.csv`, else the shipped list of the research collection.

    Raises `CorpusError` when the list cannot be read, or names clips that the folder does not have.
    """
    own_list = data / LIST.name
    path = own_list if own_list.exists() else LIST
    cases = [_case(raw, data, f"{path.name} line {number}") for number, raw in enumerate(read_csv(path, COLUMNS), 2)]
    if not cases:
        raise CorpusError(f"{path.name} lists no clips: add a line for each")
    files = {file for case in cases for file in (case.path, case.sound, case.reference) if file is not None}
    missing = sorted(str(file.relative_to(data)) for file in files if not file.is_file())
    if missing:
        raise CorpusError(
            f"{data} lacks {len(missing)} of the {len(files)} clips to compare engines by, such as {missing[0]}: "
            f"name another folder, or list your own clips in its {LIST.name}"
        )
    return cases


def references(cases: Sequence[Case], models: Models, done: Callable[[], None] = lambda: None) -> dict[Path, Reference]:
    """Enrol the person of each clip that a case is compared with; empty where the packs that compare are missing.

    Raises `SourceError`, `EngineError`, and `CorpusError` for a clip in which nobody can be enrolled.
    """
    pairwise = models.of(LoadedPairwise)
    if pairwise.encoders is None or pairwise.population is None:
        return {}
    found = {}
    for clip in sorted({case.reference for case in cases if case.reference is not None}):
        found[clip] = _enrolled(clip, models, pairwise.encoders, pairwise.population)
        done()
    return found


def judge_cases(
    cases: Sequence[Case],
    models: Models,
    references_by_clip: Mapping[Path, Reference],
    done: Callable[[], None] = lambda: None,
    seconds: float = SECONDS,
    config: SessionConfig | None = None,
) -> list[Judged]:
    """Judge the first `seconds` of each case; raises `SourceError` or `EngineError`.

    Without a `config` landmarks are taken in every picture: engines that differ in the last digit would else differ in
    which picture waits for the next.
    """
    config, found = config or SessionConfig(cadence=EVERY), []
    for case in cases:
        found.append(_judged(case, models, references_by_clip, seconds, config))
        done()
    return found


def _case(raw: Mapping[str, str], data: Path, where: str) -> Case:
    if not {raw["lips"], raw["person"]} <= set(_TRUTH):
        raise CorpusError(f"{where}: lips and person are {raw['lips']!r} and {raw['person']!r}, not real or fake")
    sound, reference = (data / raw[name] if raw[name] else None for name in ("sound", "reference"))
    name = raw["path"] if sound is None else f"{raw['path']} with the voice of {raw['sound']}"
    return Case(name, data / raw["path"], sound, reference, _TRUTH[raw["lips"]], _TRUTH[raw["person"]])


def _judged(
    case: Case,
    models: Models,
    references_by_clip: Mapping[Path, Reference],
    seconds: float,
    config: SessionConfig,
) -> Judged:
    reference = references_by_clip.get(case.reference) if case.reference is not None else None
    judge = ClipJudge(models, config, _WHO if reference else None, reference)
    for item in _first(read_media(case.path, case.sound), seconds):
        judge.push(item)
    verdict = judge.judge(case.path)
    asked = LIPS + (PERSON if reference else ())
    outcomes = {
        score.detector: Outcome(case.lips if score.detector in LIPS else case.person, score.value, score.p_value)
        for score in verdict.scores
        if score.detector in asked
    }
    return Judged(case.name, verdict.verdict.value, outcomes)


def _first(items: Iterator[MediaItem], seconds: float) -> Iterator[MediaItem]:
    start: float | None = None
    for item in items:
        at = item_time(item)
        start = at if start is None else start
        if at - start >= seconds:
            return
        yield item


def _enrolled(clip: Path, models: Models, encode: FaceEncoders, population: Population) -> Reference:
    persona = models.of(LoadedPersona)
    collector = persona.enrolling(one_person=False).collect(MAX_COLLECTED_SECONDS)
    recording = read_recording(clip, models, Demands(0.0, 0.0), LOOKS, collectors={PERSONA: collector})
    if not recording.moments:
        raise CorpusError(f"{clip.name} shows no face for long enough to enrol anybody: list another reference")
    vectors = encode([moment.shot for moment in recording.moments])
    rows, rung = np.zeros(len(vectors), np.int64), Rung("as recorded", vectors)
    parts = {PAIRWISE: build_reference(_MADE, encode.key, rows, [rung], population).to_bytes()}
    if persona.engines is not None and persona.people is not None:
        learnt = learn([recording.taken[PERSONA]], persona.engines, persona.people, config=LEARNT)
        if learnt is not None:
            parts[PERSONA] = learnt.to_bytes()
    return Reference(_MADE, (), parts)
