"""The model packs that a session runs, loaded once and shared by all sessions of the process."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from engines.base import MODELS, Engine, EngineError
from engines.load import EngineName, load_engine
from monitor.decision.calibration import Calibration

DETECTOR, LANDMARKS, LIPS, VOICE = "face_detector", "face_landmarks", "speech_lips", "speech_voice"
PACKS = (DETECTOR, LANDMARKS, LIPS, VOICE)
CALIBRATION = "calibration.json"


@dataclass(frozen=True, slots=True, eq=False)
class Models:
    """Warm engines and the calibration of the synchrony score."""

    detector: Engine
    landmarks: Engine
    lips: Engine
    voice: Engine
    calibration: Calibration


def load_models(engine: EngineName = "openvino", folder: Path = MODELS) -> Models:
    """Verify, compile and warm up every pack; raises `EngineError` with one line that says what to do."""
    detector, landmarks, lips, voice = (load_engine(name, engine, folder) for name in PACKS)
    return Models(detector, landmarks, lips, voice, load_calibration(folder))


def load_calibration(folder: Path = MODELS) -> Calibration:
    """Read the genuine background of the synchrony score, shipped beside the lip encoder; raises `EngineError`."""
    path = folder / LIPS / CALIBRATION
    try:
        return Calibration.from_json(json.loads(path.read_text()))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EngineError(f"{path} cannot be read ({type(error).__name__}): reinstall the model pack") from None
