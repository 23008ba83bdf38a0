"""Made-up people for the persona recipe: each moves some things more than others, and all nod at what they say."""

from __future__ import annotations

import numpy as np

from engines.nets.persona import VOICE
from engines.training.persona_data import FloatArray, PersonaClip

FEATURES = 6


def manner(person: int) -> FloatArray:
    """How much this person moves each number of their face, (FEATURES,)."""
    return np.exp(0.8 * np.random.default_rng(100 + person).standard_normal(FEATURES)).astype(np.float32)


def clip(person: int, seconds: float = 8.0, seed: int = 0, name: str | None = None) -> PersonaClip:
    """A recording of somebody who speaks all the time and is not seen now and then; other words with every seed."""
    random = np.random.default_rng([seed, person])
    steps = round(25 * seconds)
    voice = random.standard_normal((steps, VOICE)).astype(np.float32)
    loose = random.standard_normal((steps + 4, FEATURES))
    smooth = np.mean([loose[n : n + steps] for n in range(5)], axis=0) * np.sqrt(5)
    motion = (smooth + 2.0 * voice[:, :1]) * manner(person)
    valid = random.random(steps) > 0.05
    said = np.ones(steps, np.bool_)
    label = f"p{person}" if name is None else name
    return PersonaClip(f"{label}-{seed}", label, (motion * valid[:, None]).astype(np.float32), voice, valid, said)
