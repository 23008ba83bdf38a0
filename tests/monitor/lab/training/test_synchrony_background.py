"""Genuine windows are scored as live ones are, each by the encoders of its own fold, and kept by their speech."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engines.base import Engine
from engines.load import load_engine
from monitor.lab.corpus.manifest import Row, features_name
from monitor.lab.corpus.speech_features import ClipFeatures
from monitor.lab.training.synchrony_background import (
    ACCUMULATED_SECONDS,
    WINDOW_SECONDS,
    background_scores,
    encode_features,
    windows,
)
from monitor.tap.media.digest import digest
from monitor.window.stream_encoder import StreamEncoder


def features(seconds: float, seed: int = 0, faces: int = 1) -> ClipFeatures:
    """A face that is always seen and a voice that speaks but for every tenth step."""
    random, steps = np.random.default_rng(seed), round(25 * seconds)
    return ClipFeatures(
        random.normal(0, 0.05, (steps, 168)).astype(np.float32),
        random.integers(0, 256, (steps, 36, 36)).astype(np.uint8),
        np.ones(steps, np.bool_),
        random.normal(-6, 1, (steps, 4, 80)).astype(np.float32),
        np.arange(steps) % 10 > 0,
        120.0,
        faces,
    )


@pytest.fixture(scope="module")
def engines(untrained_packs: Path) -> tuple[Engine, Engine]:
    return load_engine("speech_lips", models=untrained_packs), load_engine("speech_voice", models=untrained_packs)


def test_every_step_of_a_clip_is_encoded(engines: tuple[Engine, Engine]) -> None:
    clip = features(3.0)
    lips, face, voice, speech = encode_features(clip, *engines)
    assert lips.shape == voice.shape == (75, 128)
    assert (face == clip.face).all()
    assert (speech == clip.speech).all()
    live = StreamEncoder(engines[1]).push(0, {"mel": clip.mel}, clip.speech)
    vectors = np.concatenate([one.vectors for one in live])
    assert np.abs(vectors - voice[: len(vectors)]).max() < 1e-4


@pytest.mark.parametrize(("length", "seconds", "least"), [(8.0, 5.0, 10), (8.0, 2.5, 10), (1.0, 5.0, 0)])
def test_windows_hop_over_a_clip_once_they_hold_enough_speech(
    engines: tuple[Engine, Engine], length: float, seconds: float, least: int
) -> None:
    found = list(windows(encode_features(features(length), *engines), seconds))
    assert (len(found) >= least) if least else not found
    assert all(2.0 <= hop.speech <= min(seconds, hop.whole_speech) for hop in found)
    assert all(-1 <= value <= 1 for hop in found for value in (hop.value, hop.whole))
    assert len(found) <= 2 * length


def test_each_window_is_scored_at_the_offset_of_its_clip() -> None:
    random, every = np.random.default_rng(0), np.ones(200, np.bool_)
    lips, voice = (v / np.linalg.norm(v, axis=1, keepdims=True) for v in random.normal(size=(2, 200, 16)).astype("f4"))
    free = [hop.value for hop in windows((lips[:75], every[:75], voice[:75], every[:75]), 3.0)]
    known = [hop.value for hop in windows((lips, every, voice, every), 3.0)]
    # The window that was searched freely found the best of 31 chances; at an offset fixed by more it has but three.
    assert known[len(free) - 1] > free[-1] + 0.02


def test_scores_are_kept_by_length_and_only_of_the_fold(untrained_packs: Path, tmp_path: Path) -> None:
    made = {
        "ann": features(12.0, 1),
        "bob": features(4.0, 2),
        "crowd": features(6.0, 3, faces=2),
        "blink": features(0.5),
    }
    rows = []
    for name, one in made.items():
        clip = tmp_path / f"{name}.mp4"
        clip.write_text(name)
        one.save(tmp_path / features_name(digest(clip)))
        rows.append(Row(clip, clip.name, "real", "real", name, "g", "a"))
    rows.append(replace(rows[0], subject="other", fold="b"))
    rows.append(Row(tmp_path / "absent.mp4", "absent.mp4", "real", "real", "absent", "g", "a"))
    found, brief = background_scores(rows, [(untrained_packs, "a")], tmp_path)
    assert set(found) <= {*WINDOW_SECONDS, *ACCUMULATED_SECONDS}
    assert {2.0, 4.0, 7.0} <= set(found)
    assert set(brief) <= {1.2, 1.6}
    assert {who for scores in brief.values() for _, who in scores} == {"ann", "bob"}
    assert {who for scores in found.values() for _, who in scores} == {"ann", "bob"}
    # Only one clip is long enough to accumulate 7 s of speech.
    assert {who for _, who in found[7.0]} == {"ann"}
