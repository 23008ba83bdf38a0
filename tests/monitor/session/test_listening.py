"""Detectors and collectors that listen hear the sound itself, in order, before their hop."""

from __future__ import annotations

import numpy as np

from engines.base import Arrays, Engine, Manifest, TensorSpec
from monitor.detectors.base import FrameObserver
from monitor.session.models import Models
from monitor.session.session import Session
from monitor.types import AudioBlock, ClockState, FloatArray, ParticipantKey, Stamp
from monitor.voice.stream import VoiceChunk
from monitor.window.window import WindowBuffer


class Towers:
    """A voice encoder that says nothing, without reach."""

    manifest = Manifest(
        "speech_voice",
        "1",
        "0" * 64,
        (TensorSpec("mel", (-1, 4, 80)),),
        (TensorSpec("voice", (-1, 2)),),
        "none",
        "a test",
        preprocessing={"reach": 0},
    )

    def run(self, inputs: Arrays) -> dict[str, FloatArray]:
        mel = inputs["mel"]
        return {"voice": np.zeros((*mel.shape[:2], 2), np.float32)}

    def warm_up(self) -> None:
        pass


class Ear:
    """A collector that listens."""

    observe: FrameObserver | None = None

    def __init__(self) -> None:
        self.chunks: list[VoiceChunk] = []
        self.restarts = 0

    def restart(self, buffer: WindowBuffer) -> None:
        self.restarts += 1

    def listen(self, chunk: VoiceChunk) -> None:
        self.chunks.append(chunk)

    def hop(self) -> None:
        pass

    def finish(self) -> None:
        pass


def test_a_listener_hears_every_sample_in_order() -> None:
    engine: Engine = Towers()
    ear = Ear()
    session = Session(ParticipantKey("call", "ann"), Models(engine, engine, engine, engine), collectors=[ear])
    sound = np.random.default_rng(0).normal(0, 0.1, 16_000).astype(np.float32)
    for first in range(0, len(sound), 320):
        stamp = Stamp(first / 16_000, first / 16_000, 0.0, ClockState.MAPPED, first / 16_000)
        session.push(AudioBlock(stamp, sound[first : first + 320]))
    heard = np.concatenate([chunk.samples.reshape(-1) for chunk in ear.chunks])
    np.testing.assert_array_equal(heard, sound[: len(heard)])
    assert len(heard) >= 15 * 640
    steps = [chunk.first + n for chunk in ear.chunks for n in range(len(chunk.samples))]
    assert steps == list(range(len(steps)))
    assert ear.chunks[0].restarted
    session.rest(1.0)
    session.rest(2.0)
    assert ear.restarts == 2


def test_who_claims_somebody_is_heard_by_the_encoder_of_movement_too() -> None:
    engine: Engine = Towers()
    models = Models(engine, engine, engine, engine, movement_voice=Towers())
    sound = AudioBlock(Stamp(0.0, 0.0, 0.0, ClockState.MAPPED, 0.0), np.zeros(16_000, np.float32))
    nobody, claimed = (Session(ParticipantKey("call", "ann", who), models) for who in (None, "Ada"))
    for session in (nobody, claimed):
        session.push(sound)
    assert not nobody._window._beside_motion.started
    assert claimed._window._beside_motion.started
    assert not Session(
        ParticipantKey("call", "ann", "Ada"), Models(engine, engine, engine, engine)
    )._sound._beside_motion
