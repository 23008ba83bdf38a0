"""Voices made of harmonics, an encoder that hears their bands, and a table of people of such voices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache

import numpy as np

from engines.base import Arrays, Manifest, TensorSpec
from monitor.detectors.voiceprint.encoder import VoiceEncoder, centre
from monitor.detectors.voiceprint.people import VoicePeople, drawn_cohort
from monitor.types import FloatArray
from monitor.voice.mel40 import PIECE_SAMPLES
from monitor.voice.stream import VoiceChunk

KEY = "toy"
STEP = 640


@dataclass
class Ears:
    """An engine whose vector is the mean spectrum of a piece: alike for one voice, other for another."""

    manifest: Manifest = field(
        default_factory=lambda: Manifest(
            "voice_identity",
            KEY,
            "0" * 64,
            (TensorSpec("frames", (160, 40)),),
            (TensorSpec("embedding", (256,)),),
            "none",
            "a test",
        )
    )
    calls: int = 0

    def run(self, inputs: Arrays) -> dict[str, FloatArray]:
        self.calls += 1
        bands = np.sqrt(inputs["frames"]).mean(axis=1)
        padded = np.pad(bands, ((0, 0), (0, 256 - bands.shape[1])))
        return {"embedding": (padded / np.linalg.norm(padded, axis=1, keepdims=True)).astype(np.float32)}

    def warm_up(self) -> None:
        pass


def ears() -> VoiceEncoder:
    return VoiceEncoder(Ears())


def voice(person: int, samples: int, start: int = 0) -> FloatArray:
    """Sound of one person's: the weights of their harmonics are theirs, the noise is the moment's."""
    theirs = np.random.default_rng(person).random(20) ** 3
    time = (start + np.arange(samples)) / 16_000
    tones = sum(theirs[n] * np.sin(2 * np.pi * 180 * (n + 1) * time) for n in range(20))
    noise = np.random.default_rng(start + 1).normal(0, 0.05, samples)
    return np.asarray(0.1 * (tones + noise), np.float32)


def chunk(first: int, sound: FloatArray, speaks: bool = True, restarted: bool = False) -> VoiceChunk:
    """Whole grid steps of sound in which somebody speaks, or not."""
    steps = sound[: len(sound) // STEP * STEP].reshape(-1, STEP)
    flags = np.full(len(steps), speaks)
    mel = np.zeros((len(steps), 4, 80), np.float32)
    return VoiceChunk(first, mel, flags, flags, np.ones(len(steps), np.bool_), restarted, steps)


def said(person: int, seconds: float, first: int = 0) -> VoiceChunk:
    """Speech of one person's from a grid step on, which begins the stream."""
    return chunk(first, voice(person, round(seconds * 16_000), first * STEP), restarted=first == 0)


def direction(person: int, pieces: Sequence[int] = (0, 1, 2)) -> FloatArray:
    """The vector of a person's voice."""
    return centre(ears()([voice(person, PIECE_SAMPLES, n * PIECE_SAMPLES) for n in pieces]))


@cache
def people(key: str = KEY, usual: float = -1.0, together: float = 0.6) -> VoicePeople:
    """What is known of twenty people's voices by these ears."""
    directions = np.stack([direction(person) for person in range(100, 120)])
    cohort = drawn_cohort(directions, 60)
    blank = VoicePeople(key, cohort, np.zeros(5), np.arange(5), usual, together)
    scores = [blank.values(direction(p, (5, 6, 7))[None], directions[n])[0] for n, p in enumerate(range(100, 120))]
    return VoicePeople(key, cohort, np.array(scores), np.arange(20), usual, together)
