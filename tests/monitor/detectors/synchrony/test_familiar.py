"""Sound that is unlike genuine speech is not judged, and genuine speech is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from engines.base import MODELS, EngineError
from engines.packs import load_pack
from monitor.detectors.packs import PackLoader
from monitor.detectors.synchrony.detector import SynchronyDetector
from monitor.detectors.synchrony.entry import VOICE, load_familiar
from monitor.detectors.synchrony.familiar import FamiliarSpeech, describe_speech
from monitor.lab.training.familiar_speech import fit_familiar
from monitor.types import BoolArray, ClockState, FloatArray, Reason
from monitor.window.window import Window
from tests.engines import packs

SIZE = 8
AXES = 6


def window(vectors: FloatArray, speech: BoolArray | None = None) -> Window:
    yes = np.ones(len(vectors), np.bool_)
    said = yes if speech is None else speech
    certain = np.zeros(len(vectors), np.uint8)
    return Window(5.0, 25, vectors, yes, vectors, yes, said, ClockState.MAPPED, 0.0, yes, certain, 5.0)


def person(seed: int, spread: float = 0.3) -> FloatArray:
    """Vectors of five seconds, around a mean of this person's own."""
    random = np.random.default_rng(seed)
    return (random.normal(0, 0.2, SIZE) + random.normal(0, spread, (125, SIZE))).astype(np.float32)


@pytest.fixture(scope="module")
def table() -> FamiliarSpeech:
    rows = np.stack([describe_speech(window(person(seed))) for seed in range(300)])
    return fit_familiar(rows, [f"p{seed // 2}" for seed in range(300)], "abc", AXES)


def test_only_speech_is_described() -> None:
    vectors = person(0)
    vectors[60:] = 9.0
    described = describe_speech(window(vectors, np.arange(125) < 60))
    assert described == pytest.approx(np.concatenate([vectors[:60].mean(0), vectors[:60].std(0)]))
    masked = replace(window(vectors), voice_mask=np.arange(125) < 60)
    assert describe_speech(masked) == pytest.approx(described)


def test_people_whom_the_table_did_not_see_are_familiar(table: FamiliarSpeech) -> None:
    assert np.mean([table.knows(window(person(seed))) for seed in range(1000, 1200)]) > 0.97


@pytest.mark.parametrize(
    "vectors", [person(0, 0.02), person(0, 1.5), person(0) + 2.0], ids=["still", "wild", "elsewhere"]
)
def test_what_is_unlike_speech_is_not(vectors: FloatArray, table: FamiliarSpeech) -> None:
    assert not table.knows(window(vectors))


def test_what_is_not_familiar_is_not_judged(table: FamiliarSpeech) -> None:
    detector = SynchronyDetector(familiar=table)
    assert detector.score(window(person(1000))).value is not None
    score = detector.score(window(person(0, 0.02)))
    assert (score.value, score.reason) == (None, Reason.UNUSUAL_SOUND)
    assert score.evidence == {"speech_seconds": 5.0}
    assert SynchronyDetector().score(window(person(0, 0.02))).value is not None
    # Too little speech and an unknown clock go before.
    assert detector.score(window(person(0, 0.02), np.arange(125) < 49)).reason is Reason.SILENCE
    lost = replace(window(person(0, 0.02)), clock=ClockState.UNKNOWN, uncertainty=1.0)
    assert detector.score(lost).reason is Reason.CLOCK_UNKNOWN


def test_a_table_is_read_as_it_was_written(table: FamiliarSpeech) -> None:
    back = FamiliarSpeech.from_bytes(table.to_bytes())
    rows = np.stack([describe_speech(window(person(seed))) for seed in range(5)])
    assert back.distance(rows) == pytest.approx(table.distance(rows))
    assert (back.limit, back.encoder) == (table.limit, "abc")


def test_the_shipped_table_is_of_the_shipped_encoder() -> None:
    key = load_pack(MODELS / VOICE).manifest.sha256
    shipped = load_familiar(PackLoader(voice=key))
    assert shipped is not None
    assert shipped.encoder == key
    assert load_familiar(PackLoader()) is not None
    assert load_familiar(PackLoader(voice="another")) is None


def test_a_damaged_table_is_one_line(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("packs")
    packs.write(folder, name=VOICE)
    assert load_familiar(PackLoader(folder)) is None
    packs.put(folder / VOICE / "familiar.npz", b"no table")
    with pytest.raises(EngineError, match="cannot be read"):
        load_familiar(PackLoader(folder))
