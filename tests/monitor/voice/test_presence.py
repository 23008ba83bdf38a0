"""What hears speech, by the network and by rhythm: the same however the stream is cut, never where there is none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from engines.base import Arrays, Engine, EngineError, Manifest, TensorSpec
from monitor.lab.distortions.room_sounds import levelled, room_sound
from monitor.session.models import load_presence
from monitor.types import SAMPLE_RATE_HZ, BoolArray, FloatArray
from monitor.voice.presence import WAITING_FRAMES, ModelPresence, speech_presence
from monitor.voice.rhythm import LIMITS, RhythmPresence, frames_of, is_rhythmic
from monitor.voice.stream import VoiceStream
from tests.monitor.frames import block

STEP = 640


class Loudness:
    """An engine whose memory is how many frames it has seen, and which hears speech in frames that are loud."""

    manifest = Manifest(
        "speech_presence",
        "0",
        "",
        (TensorSpec("frames", (-1, 576)), TensorSpec("state", (2,))),
        (TensorSpec("presence", (-1, 1)), TensorSpec("state_out", (2,))),
        "Apache-2.0",
        "a test",
        {"frame_samples": 512, "context_samples": 64},
    )

    def __init__(self) -> None:
        self.asked: list[tuple[int, float]] = []

    def run(self, inputs: Arrays) -> dict[str, FloatArray]:
        frames, state = inputs["frames"], inputs["state"]
        self.asked.append((frames.shape[1], float(state[0, 0])))
        loud = np.abs(frames[:, :, 64:]).max(2, keepdims=True) > 0.5
        return {"presence": loud.astype(np.float32), "state_out": state + frames.shape[1]}

    def warm_up(self) -> None:
        """Nothing to do."""


def steps_of(sound: FloatArray) -> FloatArray:
    return sound[: len(sound) // STEP * STEP].reshape(-1, STEP)


def every(samples: FloatArray) -> BoolArray:
    return np.ones(len(samples), np.bool_)


@pytest.fixture(scope="module")
def network() -> Engine:
    model = load_presence()
    if model is None:
        pytest.skip("the pack speech_presence was not built: make speech")
    return model


def test_the_network_is_asked_only_where_there_is_sound() -> None:
    model, sound = Loudness(), np.zeros(200, np.bool_)
    sound[100:120] = True
    assert not ModelPresence(model)(np.zeros((200, STEP), np.float32), sound).any()
    ((frames, before),) = model.asked
    # 20 steps are 25 frames; the end of what came before them fills its memory.
    assert (frames, before) == (25 + WAITING_FRAMES, 0.0)


def test_memory_outlasts_a_pause() -> None:
    model, quiet = Loudness(), np.zeros((4, STEP), np.float32)
    presence = ModelPresence(model)
    for flag in (True, True, False, True):
        presence(quiet, np.full(4, flag))
    presence(np.zeros((60, STEP), np.float32), np.zeros(60, np.bool_))
    presence(quiet, np.full(4, True))
    # Of a long pause only the end is made up for.
    assert model.asked == [(5, 0.0), (5, 5.0), (5 + 5, 10.0), (WAITING_FRAMES + 5, 20.0)]


def test_a_frame_is_heard_in_the_step_in_which_it_ends() -> None:
    samples = np.zeros((10, STEP), np.float32)
    # The last sample of frame 3 (512 * 4 - 1 = 2047) lies in step 3.
    samples.reshape(-1)[2047] = 1.0
    assert np.flatnonzero(ModelPresence(Loudness())(samples, every(samples))).tolist() == [3]
    # Heard before there was sound: the frame only fills the memory.
    assert not ModelPresence(Loudness())(samples, np.arange(10) > 3).any()


@settings(max_examples=40)
@given(st.lists(st.integers(1, 90), min_size=1, max_size=8), st.integers(0, 99), st.booleans())
def test_pieces_give_what_the_whole_gives(sizes: list[int], seed: int, by_rhythm: bool) -> None:
    random, count = np.random.default_rng(seed), sum(sizes)
    sound = np.repeat(random.random(count // 30 + 1) < 0.5, 30)[:count]
    samples = (random.normal(0, 0.15, (count, STEP)) * random.uniform(0, 1.5, (count, 1))).astype(np.float32)
    made = [RhythmPresence() if by_rhythm else ModelPresence(Loudness()) for _ in range(2)]
    whole, bounds = made[0](samples, sound), np.cumsum(sizes)[:-1]
    pieces = [made[1](*piece) for piece in zip(np.split(samples, bounds), np.split(sound, bounds), strict=True)]
    assert (np.concatenate(pieces) == whole).all()
    assert not (whole & ~sound).any()


def test_without_the_network_there_is_the_rhythm() -> None:
    assert isinstance(speech_presence(None), RhythmPresence)
    assert isinstance(speech_presence(Loudness()), ModelPresence)


def middle() -> dict[str, NDArray[np.float64]]:
    return {name: np.full(1, (low + high) / 2) for name, (low, high) in LIMITS.items()}


def test_every_measure_must_be_that_of_speech() -> None:
    assert is_rhythmic(middle()).all()
    for name, (low, high) in LIMITS.items():
        for outside in (low - 1e-6, high + 1e-6, np.nan):
            assert not is_rhythmic({**middle(), name: np.full(1, outside)}).any(), name


def test_a_pitch_is_what_it_is() -> None:
    time = np.arange(3 * SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ
    for hz in (80.0, 123.4, 310.0):
        tone = sum(np.sin(2 * np.pi * hz * k * time) / k for k in range(1, 6)) * 0.1
        rows = frames_of(np.asarray(tone, np.float32))
        # A high pitch may be taken for a whole fraction of itself.
        times = hz / 2 ** rows[:, 2]
        assert times == pytest.approx(np.round(times), rel=0.01)
        assert rows[:, 1].min() > 0.9
    noise = frames_of(np.random.default_rng(0).normal(0, 0.1, len(time)).astype(np.float32))
    assert np.median(noise[:, 1]) < 0.6
    assert frames_of(np.zeros(799, np.float32)).shape == (0, 4)


@pytest.mark.parametrize("kind", ["typing", "music", "fan", "pink noise", "ring tone", "baby", "traffic"])
def test_what_has_another_rhythm_is_not(kind: str) -> None:
    samples = steps_of(room_sound(kind, 10.0, seed=5))
    assert RhythmPresence()(samples, every(samples)).mean() < 0.05


def test_digital_silence_is_not_heard_as_anything() -> None:
    quiet = np.zeros((100, STEP), np.float32)
    assert not RhythmPresence()(quiet, every(quiet)).any()


@pytest.fixture
def speech(data_dir: Path) -> FloatArray:
    from monitor.tap.replay import read_clip
    from monitor.types import AudioBlock

    blocks = read_clip(data_dir / "clips" / "real" / "MimicTalk__Trump_10s.mp4")
    return np.concatenate([item.samples for item in blocks if isinstance(item, AudioBlock)])[: 10 * SAMPLE_RATE_HZ]


@pytest.mark.data
def test_the_network_hears_speech_and_no_sound_of_a_room(network: Engine, speech: FloatArray) -> None:
    samples = steps_of(speech)
    assert ModelPresence(network)(samples, every(samples)).mean() > 0.6
    for kind in ("typing", "music", "singing", "fan", "dog"):
        noise = steps_of(room_sound(kind, 10.0, seed=5))
        assert ModelPresence(network)(noise, every(noise)).mean() < 0.02, kind


@pytest.mark.data
def test_the_rhythm_hears_speech(speech: FloatArray) -> None:
    samples = steps_of(speech)
    assert RhythmPresence()(samples, every(samples)).mean() > 0.3


@pytest.mark.data
@pytest.mark.parametrize(("decibels", "is_heard"), [(-10.0, True), (-20.0, False)])
def test_a_voice_far_below_the_calls_own_speech_is_not_heard(
    network: Engine, speech: FloatArray, decibels: float, is_heard: bool
) -> None:
    """Somebody speaks across the room, without an echo: the network hears them, however faint they are."""
    own, stream = levelled(speech), VoiceStream(presence=network)
    faint = own * np.float32(10 ** (decibels / 20))

    def heard(sound: FloatArray, start: float) -> float:
        chunk = stream.push(block(sound, start))
        assert chunk is not None
        return float(chunk.heard.mean())

    # Before the participant has spoken it may be their own.
    assert heard(faint, 0.0) > 0.3
    assert heard(own, 10.0) > 0.6
    share = heard(faint, 20.0)
    assert share > 0.3 if is_heard else share < 0.1


def test_a_pack_that_was_not_built_is_done_without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.detectors.packs.MODELS", tmp_path)
    assert load_presence(tmp_path) is None
    (tmp_path / "speech_presence").mkdir()
    with pytest.raises(EngineError, match="no model pack"):
        load_presence(tmp_path)
