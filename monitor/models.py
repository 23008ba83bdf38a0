"""The model packs that a session runs, loaded once and shared by all sessions of the process."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from engines.base import MODELS, Engine, EngineError, load_pack
from engines.load import EngineName, load_engine
from engines.stack import Stacked
from engines.windowed import Windowed
from monitor.decision.calibration import Calibration
from monitor.wants import DEFAULT, Wants, wants_of

DETECTOR, LANDMARKS, LIPS, VOICE = "face_detector", "face_landmarks", "speech_lips", "speech_voice"
PACKS = (DETECTOR, LANDMARKS, LIPS, VOICE)
# What an encoder from elsewhere may bring besides: a network over the window, and a head into one space.
CONTEXT, HEAD = "_context", "_head"
CALIBRATION = "calibration.json"


@dataclass(frozen=True, slots=True, eq=False)
class Speech:
    """The two encoders of speech, each as one engine, and what they want to be fed."""

    lips: Engine
    voice: Engine
    wants: Wants


@dataclass(frozen=True, slots=True, eq=False)
class Models:
    """Warm engines, the calibration of the synchrony score, and what the speech encoders want to be fed."""

    detector: Engine
    landmarks: Engine
    lips: Engine
    voice: Engine
    calibration: Calibration
    wants: Wants = DEFAULT


def load_models(engine: EngineName = "openvino", folder: Path = MODELS) -> Models:
    """Verify, compile and warm up every pack; raises `EngineError` with one line that says what to do.

    A folder of imported encoders brings its own speech packs; the face models are then those of the installation.
    """
    faces = (
        load_engine(name, engine, folder if (folder / name).exists() else MODELS) for name in (DETECTOR, LANDMARKS)
    )
    detector, landmarks = faces
    speech = load_speech(folder, engine)
    return Models(detector, landmarks, speech.lips, speech.voice, load_calibration(folder), speech.wants)


def load_speech(folder: Path = MODELS, engine: EngineName = "openvino", heads: bool = True) -> Speech:
    """Load the lip and voice encoders of a folder with what belongs to them; raises `EngineError`."""
    lips, voice = (_side(name, folder, engine, heads) for name in (LIPS, VOICE))
    return Speech(lips, voice, wants_of(lips.manifest, voice.manifest))


def _side(name: str, folder: Path, engine: EngineName, heads: bool) -> Engine:
    built = load_engine(name, engine, folder)
    if (folder / (name + CONTEXT)).exists():
        built = Stacked(built, Windowed(load_engine(name + CONTEXT, engine, folder)))
    if heads and (folder / (name + HEAD)).exists():
        built = Stacked(built, load_engine(name + HEAD, engine, folder))
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
