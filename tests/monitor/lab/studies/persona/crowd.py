"""Made-up footage of made-up people (`tests.monitor.movers`), as if clips had been watched."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from monitor.detectors.persona.personalise import PersonaliseConfig
from monitor.face.expression import FACE_SHAPE_SIZE
from monitor.lab.corpus.manifest import Row
from monitor.lab.corpus.motion_features import ClipMotion
from monitor.lab.studies.persona.measures import Measurer
from monitor.lab.studies.persona.recordings import Footage
from monitor.window.grid import GRID_HZ
from tests.monitor import movers

QUICK = PersonaliseConfig(steps=30, batch=8, rate=0.2, workers=1)


def clip(
    person: int,
    seconds: float,
    seed: int = 0,
    label: str = "real",
    moves_as: int | None = None,
    silent: float = 0.0,
    method: str = "panel: swapped",
    path: Path = Path(__file__),
) -> Footage:
    """A recording of a person, who says other words with every seed; `moves_as` another one in a forgery."""
    motion, voice = movers.recording(person if moves_as is None else moves_as, seconds, seed)
    shape = np.zeros((len(motion), FACE_SHAPE_SIZE), np.float16)
    shape[:, : movers.SIZE] = motion[:, : movers.SIZE]
    every, speech = np.ones(len(motion), np.bool_), np.ones(len(motion), np.bool_)
    speech[: round(silent * GRID_HZ)] = False
    moved = ClipMotion(shape, motion[:, movers.SIZE :], every, voice, speech, 100.0 + person, 1.0 + 0.1 * person)
    name = f"{label}-{person}-{seed}"
    row = Row(path, name, label, "real" if label == "real" else method, f"p{person:02}")
    return Footage(row, moved, name)


def people(count: int = 8, seconds: float = 24.0, forged: int = 3) -> list[Footage]:
    """So many people, every second with two recordings, and forged clips of the first ones."""
    found = [clip(p, seconds / (1 + p % 2), seed) for p in range(count) for seed in range(1 + p % 2)]
    fakes = [clip(p, seconds, 7, "fake", moves_as=p + 50) for p in range(forged)]
    return [*found, *fakes]


def measurer(folder: Path, companion: bool = True) -> Measurer:
    """What measures them, kept in a folder."""
    return Measurer(movers.engines(companion), folder, QUICK)
