"""The parts of the suite, described: what each states, by which command, of which data, and by which packs. Pure.

How a part is measured stands in `monitor.lab.suite.measures`, under the same name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from monitor.lab.suite import tables

# Stands for the models of all packs that make up the speech encoders.
SPEECH = "speech"
CLIPS, SECOND, PHOTOS = "clips.csv", "second.csv", "photos.csv"
FACES = ("face_detector/model.onnx", "face_landmarks/model.onnx")
CALIBRATION = "speech_lips/calibration.json"
FAMILIAR = "speech_voice/familiar.npz"
PRESENCE = "speech_presence/model.onnx"
IDENTITY = "face_identity/model.onnx"
ARTEFACTS = "face_artefacts/model.onnx"
VOICES = "voice_identity/model.onnx"
PERSONA = ("persona/model.onnx", "persona/basis.npz", "persona_tokens/model.onnx", "motion/model.onnx")
# Folders of code that the figures of lips and voice rest on.
CODE = (
    "monitor/decision",
    "monitor/detectors/synchrony",
    "monitor/face",
    "monitor/voice",
    "monitor/window",
    "monitor/lab/evaluate",
    "monitor/lab/metrics",
    "monitor/lab/training/synchrony_background.py",
    "monitor/lab/suite/measures.py",
)


@dataclass(frozen=True, slots=True)
class Part:
    """One thing that the document states.

    `command` is what measures the same by hand. `data` are the manifests that the folder of data must hold, `splits`
    the shipped splits, `packs` the shipped files that the figures depend on (`monitor.lab.suite.depends`), `built`
    those that are made at installation, `code` the folders of code. `version` is raised when figures are made in
    another way. `across` says that people are scored by encoders of their fold, if such are given.
    """

    name: str
    version: int
    title: str
    command: str
    table: Callable[[Mapping[str, Any]], list[str]]
    data: tuple[str, ...] = ()
    splits: tuple[str, ...] = ()
    packs: tuple[str, ...] = ()
    built: tuple[str, ...] = ()
    code: tuple[str, ...] = CODE
    across: bool = False


_SYNCHRONY = (*FACES, SPEECH)
_CALLS = (*_SYNCHRONY, CALIBRATION, FAMILIAR)
# Folders of code that say something of an enrolled person; what adds it up may change without looking again.
CLAIMING = (
    "monitor/detectors/voiceprint/people.npz",
    "monitor/detectors",
    "monitor/face",
    "monitor/identity/enrolment",
    "monitor/session",
    "monitor/voice",
    "monitor/window",
    "monitor/lab/evaluate/claimed_calls.py",
)
_FACE_CODE = ("monitor/face", "monitor/lab/studies", "monitor/lab/metrics", "monitor/lab/suite/measures.py")

PARTS = (
    Part(
        "sources",
        1,
        "own voice against another's, by source",
        "evaluate second.csv --split sources --mismatch --fold 1 --packs PACKS_1 --fold 2 --packs PACKS_2",
        tables.sources,
        data=(CLIPS, SECOND),
        splits=("sources",),
        packs=_SYNCHRONY,
        built=(PRESENCE,),
        across=True,
    ),
    Part(
        "scan",
        1,
        "genuine recordings called suspect, by source",
        "scan CLIP, for each clip",
        tables.scan,
        data=(CLIPS, SECOND),
        splits=("sources",),
        packs=_SYNCHRONY,
        built=(PRESENCE,),
        across=True,
    ),
    Part(
        "alerts",
        1,
        "false alerts in simulated calls, by source",
        "train calibration, and its simulation",
        tables.alerts,
        data=(CLIPS, SECOND),
        splits=("sources",),
        packs=_SYNCHRONY,
        built=(PRESENCE,),
        across=True,
    ),
    Part(
        "dubs",
        1,
        "time to a finding in simulated calls with another's voice, by source",
        "python -m monitor.lab.evaluate.first_minute MANIFEST CACHE",
        tables.dubs,
        data=(CLIPS, SECOND),
        splits=("sources",),
        packs=_SYNCHRONY,
        built=(PRESENCE,),
        across=True,
    ),
    Part(
        "voices",
        1,
        "own voice against another's, research clips",
        "evaluate clips.csv --split research --fold a --mismatch",
        tables.voices,
        data=(CLIPS,),
        splits=("research",),
        packs=_SYNCHRONY,
        built=(PRESENCE,),
    ),
    Part(
        "forgeries",
        1,
        "forgeries by method",
        "evaluate clips.csv --split research --fold a",
        tables.forgeries,
        data=(CLIPS,),
        splits=("research",),
        packs=_SYNCHRONY,
        built=(PRESENCE,),
    ),
    Part(
        "promise",
        1,
        "what the shipped calibration promises, simulated",
        "train calibration",
        tables.promise,
        packs=(CALIBRATION,),
    ),
    Part(
        "live",
        1,
        "replayed calls",
        "evaluate clips.csv --split research --fold a --live --live-minutes 2 --mismatch",
        tables.live,
        data=(CLIPS,),
        splits=("research",),
        packs=_CALLS,
        built=(PRESENCE,),
        code=(*CODE, "monitor/session", "monitor/alerts/finding.py"),
    ),
    Part(
        "robustness",
        1,
        "under seven perturbations",
        "evaluate clips.csv --split research --fold a --mismatch --perturb --perturb-clips 24",
        tables.robustness,
        data=(CLIPS,),
        splits=("research",),
        packs=_SYNCHRONY,
        built=(PRESENCE,),
    ),
    Part(
        "blends",
        1,
        "real faces against their own blends, from the pack's own record",
        "train faces",
        tables.blends,
        packs=(ARTEFACTS,),
        code=("monitor/lab/suite/measures.py",),
    ),
    Part(
        "identity",
        1,
        "the same person or not",
        "evaluate --pairs photos.csv --pairs-source LFW",
        tables.identity,
        data=(PHOTOS,),
        packs=FACES,
        built=(IDENTITY,),
        code=_FACE_CODE,
    ),
    Part(
        "matched",
        1,
        "a person against their own recordings",
        "evaluate clips.csv --matched --split matched",
        tables.matched,
        data=(CLIPS,),
        splits=("matched",),
        packs=(*FACES, ARTEFACTS),
        built=(IDENTITY,),
        code=(*_FACE_CODE, "monitor/detectors/pairwise"),
    ),
    Part(
        "persona",
        1,
        "how a person moves",
        "train people clips.csv --split persona --fold a",
        tables.persona,
        data=(CLIPS,),
        splits=("persona", "matched"),
        packs=(*FACES, *PERSONA),
        code=(*_FACE_CODE, "monitor/detectors/persona"),
    ),
    Part(
        "claims",
        1,
        "somebody else under an enrolled name, and what each detector adds",
        "python -m monitor.lab.evaluate.claimed MANIFEST OUT",
        tables.claims,
        data=(CLIPS, SECOND),
        splits=("matched",),
        packs=(*_CALLS, ARTEFACTS, *PERSONA),
        built=(PRESENCE, IDENTITY, VOICES),
        code=(*CLAIMING, "monitor/decision", "monitor/lab/evaluate/claimed.py", "monitor/lab/suite/measures.py"),
    ),
)
NAMES = {part.name: part for part in PARTS}
