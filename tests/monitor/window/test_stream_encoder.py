"""A stream of grid steps through the exported encoders is the whole clip through the towers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engines.base import Engine
from engines.batching.queue import Dropped
from engines.load import load_engine
from monitor.types import FloatArray
from monitor.window.stream_encoder import EncodedSteps, StreamEncoder
from tests.engines.refusing import Refusing

STEPS = 60
REACH = 8


@pytest.fixture(scope="module")
def voice(untrained_packs: Path) -> Engine:
    return load_engine("speech_voice", models=untrained_packs)


@pytest.fixture(scope="module")
def lips(untrained_packs: Path) -> Engine:
    return load_engine("speech_lips", models=untrained_packs)


def mels(steps: int = STEPS, seed: int = 0) -> FloatArray:
    return np.random.default_rng(seed).normal(-6, 1, (steps, 4, 80)).astype(np.float32)


def flags(steps: int = STEPS) -> np.typing.NDArray[np.bool_]:
    return np.asarray(np.arange(steps) % 3 == 0, np.bool_)


def joined(found: list[EncodedSteps]) -> FloatArray:
    return np.concatenate([one.vectors for one in found])


def test_a_stream_gives_the_vectors_of_the_whole_clip(lips: Engine, voice: Engine) -> None:
    torch = pytest.importorskip("torch")
    from tests.engines.towers import untrained

    random = np.random.default_rng(0)
    shape = random.normal(0, 0.1, (STEPS, 168)).astype(np.float32)
    mouth, mel = random.random((STEPS, 36, 36), np.float32), mels()
    seen = joined(StreamEncoder(lips).push(0, {"shape": shape, "mouth": mouth}, flags()))
    heard = joined(StreamEncoder(voice).push(0, {"mel": mel}, flags()))
    with torch.no_grad():
        eyes, tower = untrained()
        want_seen = eyes(torch.from_numpy(shape)[None], torch.from_numpy(mouth)[None])[0].numpy()
        want_heard = tower(torch.from_numpy(mel)[None])[0].numpy()
    inner = slice(REACH, STEPS - REACH)
    assert np.abs(seen[inner] - want_seen[: len(seen)][inner]).max() < 1e-4
    assert np.abs(heard[inner] - want_heard[: len(heard)][inner]).max() < 1e-4


@pytest.mark.parametrize("chunk", [1, 5, 25])
@pytest.mark.parametrize("piece", [1, 7, 60])
def test_the_size_of_chunks_and_pieces_changes_nothing(voice: Engine, chunk: int, piece: int) -> None:
    reference = joined(StreamEncoder(voice, 1).push(100, {"mel": mels()}, flags()))
    stream = StreamEncoder(voice, chunk)
    found = [
        one
        for at in range(0, STEPS, piece)
        for one in stream.push(100 + at, {"mel": mels()[at : at + piece]}, flags()[at : at + piece])
    ]
    vectors = joined(found)
    assert len(vectors) == STEPS // chunk * chunk - REACH
    assert np.abs(vectors - reference[: len(vectors)]).max() < 1e-4
    assert [one.first + n for one in found for n in range(len(one.flags))] == list(range(100, 100 + len(vectors)))
    assert [bool(flag) for one in found for flag in one.flags] == flags()[: len(vectors)].tolist()


@pytest.mark.parametrize("jump", [300, 4, 64])
def test_steps_that_do_not_continue_start_the_stream_anew(voice: Engine, jump: int) -> None:
    stream = StreamEncoder(voice)
    stream.push(0, {"mel": mels(63, seed=1)}, flags(63))
    found = stream.push(jump, {"mel": mels()}, flags())
    fresh = StreamEncoder(voice).push(jump, {"mel": mels()}, flags())
    assert found[0].first == jump
    assert np.abs(joined(found) - joined(fresh)).max() < 1e-6
    assert [bool(flag) for one in found for flag in one.flags] == flags()[: len(joined(found))].tolist()


def test_nothing_comes_before_the_reach(voice: Engine) -> None:
    stream = StreamEncoder(voice)
    assert stream.push(0, {"mel": mels(4)}, flags(4)) == []
    assert stream.push(4, {"mel": mels(4)}, flags(4)) == []
    (first,) = stream.push(8, {"mel": mels(4)}, flags(4))
    assert (first.first, len(first.vectors)) == (0, 2)


def test_behind_steps_that_were_not_computed_the_stream_begins_anew(voice: Engine) -> None:
    engine = Refusing(voice)
    stream = StreamEncoder(engine)
    stream.push(0, {"mel": mels()[:5]}, flags()[:5])
    engine.refuses = True
    with pytest.raises(Dropped):
        stream.push(5, {"mel": mels()[5:10]}, flags()[5:10])
    engine.refuses = False
    found = stream.push(10, {"mel": mels()[10:]}, flags()[10:])
    fresh = StreamEncoder(voice).push(10, {"mel": mels()[10:]}, flags()[10:])
    assert found[0].first == 10
    np.testing.assert_array_equal(joined(found), joined(fresh))
