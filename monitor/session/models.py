"""The model packs that a session runs, loaded once and shared by all sessions of the process."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import TypeVar

from engines.base import MODELS, Engine, EngineError, load_pack
from engines.compose.deferred import Deferred
from engines.compose.stack import Stacked
from engines.compose.windowed import Windowed
from engines.load import defer_engine, load_engine
from engines.registry import EngineName
from monitor.decision.calibration import Calibration
from monitor.detectors.pairwise import population
from monitor.detectors.pairwise.population import Population, PopulationError
from monitor.detectors.persona import companion as motion
from monitor.detectors.persona import detector as persona
from monitor.detectors.persona import reconstruction
from monitor.detectors.persona.companion import MotionError, MotionPopulation
from monitor.detectors.persona.detector import PersonaError, PersonaPeople
from monitor.detectors.persona.engines import PersonaEngines
from monitor.detectors.persona.reconstruction import Tokens, TokensError
from monitor.face.encoders import FaceEncoders
from monitor.face.expression import LANDMARKS as TOLD_LIVE
from monitor.face.expression import BasisError, ExpressionBasis
from monitor.session.input_spec import DEFAULT, Wants, wants_of
from monitor.session.warm_later import Later

DETECTOR, LANDMARKS, LIPS, VOICE = "face_detector", "face_landmarks", "speech_lips", "speech_voice"
PACKS = (DETECTOR, LANDMARKS, LIPS, VOICE)
# What an encoder from elsewhere may bring besides: a network over the window, and a head into one space.
CONTEXT, HEAD = "_context", "_head"
CALIBRATION = "calibration.json"
ARTEFACTS, IDENTITY = "face_artefacts", "face_identity"
PERSONA, FIT, MOTION = "persona", "persona_tokens", "motion"
BASIS = "basis.npz"

T = TypeVar("T")
Load = Callable[[str, EngineName, Path], Engine]


@dataclass(frozen=True, slots=True, eq=False)
class Speech:
    """The two encoders of speech, each as one engine, and what they want to be fed."""

    lips: Engine
    voice: Engine
    wants: Wants


@dataclass(frozen=True, slots=True, eq=False)
class Models:
    """Warm engines, the calibration of the synchrony score, and what the speech encoders want to be fed.

    `faces` are the encoders that compare faces and `population` what is known of people as they see them, `persona` the
    models of how a person moves and `people` what these say of genuine ones; None where the packs are not installed.
    `later` compiles what only a claimed identity needs, where that was put off.
    """

    detector: Engine
    landmarks: Engine
    lips: Engine
    voice: Engine
    calibration: Calibration
    wants: Wants = DEFAULT
    faces: FaceEncoders | None = None
    population: Population | None = None
    persona: PersonaEngines | None = None
    people: PersonaPeople | None = None
    later: Later = field(default_factory=Later)


def load_models(
    engine: EngineName = "openvino", folder: Path = MODELS, defer: bool = False, load: Load = load_engine
) -> Models:
    """Verify, compile and warm up every pack; raises `EngineError` with one line that says what to do.

    A folder of imported encoders brings its own speech packs; the face models are then those of the installation. With
    `defer` what only a claimed identity needs is verified now and compiled by `Models.later`, or at its first call.
    `load` makes an engine of a pack.
    """
    put_off: list[Deferred] = []

    def later(name: str, engine: EngineName, models: Path) -> Engine:
        put_off.append(defer_engine(name, engine, models))
        return put_off[-1]

    put_off_or_load = later if defer else load
    detector, landmarks = (load(name, engine, home(name, folder)) for name in (DETECTOR, LANDMARKS))
    speech = load_speech(folder, engine, load=load)
    calibration, faces = load_calibration(folder), load_face_encoders(folder, engine, put_off_or_load)
    population = load_population(folder) if faces else None
    persona = load_persona(folder, engine, speech.voice, put_off_or_load)
    if persona is not None and persona.basis.name != TOLD_LIVE:
        # Coefficients of other trackers come in files: nothing tells them in a call.
        persona = None
    people = load_people(folder) if persona else None
    return Models(
        detector,
        landmarks,
        speech.lips,
        speech.voice,
        calibration,
        speech.wants,
        faces,
        population,
        persona,
        people,
        Later(put_off),
    )


def home(pack: str, folder: Path) -> Path:
    """Say where a pack is: in the folder of an operator's own packs, else in the installation."""
    return folder if (folder / pack).exists() else MODELS


def load_face_encoders(
    folder: Path = MODELS, engine: EngineName = "openvino", load: Load = load_engine
) -> FaceEncoders | None:
    """Load what compares faces; None without the artefact pack, and without identity vectors where that pack is absent.

    Raises `EngineError`.
    """
    found = [home(name, folder) for name in (ARTEFACTS, IDENTITY)]
    here = [(where / name).exists() for where, name in zip(found, (ARTEFACTS, IDENTITY), strict=True)]
    if not here[0]:
        return None
    artefacts = load(ARTEFACTS, engine, found[0])
    return FaceEncoders(artefacts, load(IDENTITY, engine, found[1]) if here[1] else None)


def load_population(folder: Path = MODELS) -> Population | None:
    """Read what is known of people in general, beside the artefact pack; None where none is; raises `EngineError`."""
    return _beside(home(ARTEFACTS, folder) / ARTEFACTS / population.FILE, Population.from_bytes)


def load_persona(
    folder: Path = MODELS, engine: EngineName = "openvino", voice: Engine | None = None, load: Load = load_engine
) -> PersonaEngines | None:
    """Load the models of how a person moves; None without the pack, or where it wants to hear another voice encoder.

    Raises `EngineError`.
    """
    where = home(PERSONA, folder)
    if not (where / PERSONA).exists():
        return None
    built = load(PERSONA, engine, where)
    if voice is not None and built.manifest.preprocessing["voice"] != voice.manifest.sha256:
        return None
    basis = _beside(where / PERSONA / BASIS, ExpressionBasis.from_bytes)
    tokens = _beside(where / PERSONA / reconstruction.FILE, Tokens.from_bytes)
    if basis is None or tokens is None:
        raise EngineError(f"{where / PERSONA} lacks {BASIS} or {reconstruction.FILE}: reinstall the model pack")
    companion, crowd = load_companion(where, engine, load)
    fit = partial(load_engine, FIT, engine, where) if (where / FIT).exists() else None
    return PersonaEngines(built, basis, tokens, companion, crowd, fit)


def load_companion(
    folder: Path = MODELS, engine: EngineName = "openvino", load: Load = load_engine
) -> tuple[Engine, MotionPopulation] | tuple[None, None]:
    """Load the companion and what is known of people as it sees them; nothing without either; raises `EngineError`."""
    known = _beside(folder / MOTION / motion.FILE, MotionPopulation.from_bytes)
    return (load(MOTION, engine, folder), known) if known is not None else (None, None)


def load_people(folder: Path = MODELS) -> PersonaPeople | None:
    """Read what is known of how genuine people move, beside the persona pack; None where none is.

    Raises `EngineError`.
    """
    return _beside(home(PERSONA, folder) / PERSONA / persona.FILE, PersonaPeople.from_bytes)


def _beside(path: Path, read: Callable[[bytes], T]) -> T | None:
    """Read a file beside a pack, None where it is absent; raises `EngineError`."""
    try:
        return read(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, PopulationError, MotionError, PersonaError, BasisError, TokensError) as error:
        raise EngineError(f"{path} cannot be read ({type(error).__name__}): reinstall the model pack") from None


def load_speech(
    folder: Path = MODELS, engine: EngineName = "openvino", heads: bool = True, load: Load = load_engine
) -> Speech:
    """Load the lip and voice encoders of a folder with what belongs to them; raises `EngineError`."""
    lips, voice = (_side(name, folder, engine, heads, load) for name in (LIPS, VOICE))
    return Speech(lips, voice, wants_of(lips.manifest, voice.manifest))


def _side(name: str, folder: Path, engine: EngineName, heads: bool, load: Load) -> Engine:
    built = load(name, engine, folder)
    if (folder / (name + CONTEXT)).exists():
        built = Stacked(built, Windowed(load(name + CONTEXT, engine, folder)))
    if heads and (folder / (name + HEAD)).exists():
        built = Stacked(built, load(name + HEAD, engine, folder))
    return built


def speech_packs(folder: Path) -> list[str]:
    """Names of the packs in a folder that make up its speech encoders."""
    optional = [side + part for side in (LIPS, VOICE) for part in (CONTEXT, HEAD)]
    return [LIPS, VOICE, *(name for name in optional if (folder / name).exists())]


@cache
def speech_wants(folder: Path) -> Wants:
    """Say what the speech encoders of a folder want to be fed, without loading them; raises `EngineError`."""
    return wants_of(*(load_pack(folder / name).manifest for name in (LIPS, VOICE)))


def speech_key(folder: Path) -> list[str]:
    """Hashes of the speech packs of a folder, in order: what its vectors depend on; raises `EngineError`."""
    return [load_pack(folder / name).manifest.sha256 for name in speech_packs(folder)]


def load_calibration(folder: Path = MODELS) -> Calibration:
    """Read the genuine background of the synchrony score, beside the lip encoder; raises `EngineError`.

    Encoders from elsewhere have none until `sidewitness train calibration` has made it: their calibration is empty,
    and every score stays inconclusive.
    """
    path = folder / LIPS / CALIBRATION
    if not path.exists() and (folder / LIPS / "manifest.json").exists():
        return Calibration(())
    try:
        return Calibration.from_json(json.loads(path.read_text()))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EngineError(f"{path} cannot be read ({type(error).__name__}): reinstall the model pack") from None
