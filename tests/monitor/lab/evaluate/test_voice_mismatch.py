"""Lips that fit their voice are told from the same lips with another's voice, or their own a second off."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from engines.metrics import auc
from monitor.lab.evaluate.voice_mismatch import KINDS, MAX_OTHER_VOICES, EncodedClip, by_sound, judged_share, mismatches
from monitor.lab.metrics.summary import Result

SIZE = 32


def clip(name: str, subject: str, seconds: float, seed: int, speaks: bool = True) -> EncodedClip:
    """Lips and voice that are the same random walk of unit vectors, but for a little noise."""
    random, length = np.random.default_rng(seed), round(25 * seconds)
    truth = random.normal(size=(length, SIZE))
    lips, voice = (truth + 0.3 * random.normal(size=(length, SIZE)) for _ in range(2))
    every = np.ones(length, np.bool_)
    lips, voice = (v / np.linalg.norm(v, axis=1, keepdims=True) for v in (lips, voice))
    return EncodedClip(name, subject, lips.astype(np.float32), every, voice.astype(np.float32), every & speaks)


def scores(results: list[Result], label: str) -> np.typing.NDArray[np.float64]:
    return np.array([r.score for r in results if r.label == label], np.float64)


def test_every_window_meets_its_own_and_other_voices() -> None:
    clips = [clip(f"{n}.mp4", f"p{n}", 6, n) for n in range(4)]
    found = mismatches(clips, 2.0)
    assert set(found) == set(KINDS)
    assert len(scores(found["other"], "real")) == 12
    assert len(scores(found["other"], "fake")) == 12 * 9
    assert len(scores(found["shift"], "real")) == len(scores(found["shift"], "fake")) == 12
    assert [len(found[kind]) for kind in KINDS[2:]] == [len(found[kind]) for kind in KINDS[:2]]
    for results in found.values():
        assert auc(scores(results, "fake"), scores(results, "real")) == 1
    assert {r.method for r in found["shift"]} == {"real", "shift"}


def test_a_known_offset_leaves_less_to_chance() -> None:
    clips = [clip(f"{n}.mp4", f"p{n}", 6, n) for n in range(4)]
    found = mismatches(clips, 2.0)
    free, known = (scores(found[kind], "fake") for kind in ("other", "other, offset known"))
    assert known.mean() > free.mean()
    assert scores(found["other, offset known"], "real") == pytest.approx(scores(found["other"], "real"))


def test_no_more_than_so_many_foreign_voices_a_window() -> None:
    clips = [clip(f"{n}.mp4", f"p{n}", 2, n) for n in range(MAX_OTHER_VOICES + 2)]
    found = mismatches(clips, 2.0)
    assert len(scores(found["other"], "fake")) == len(clips) * MAX_OTHER_VOICES
    # A clip of just one window leaves no room for a shift.
    assert found["shift"] == []


def test_other_clips_of_the_same_person_are_no_other_voice() -> None:
    clips = [clip("a.mp4", "p", 2, 0), clip("b.mp4", "p", 2, 1)]
    assert scores(mismatches(clips, 2.0)["other"], "fake").tolist() == []


def test_silent_windows_are_left_out() -> None:
    clips = [clip("a.mp4", "p", 4, 0, speaks=False), clip("b.mp4", "q", 4, 1), clip("c.mp4", "r", 1, 2)]
    found = mismatches(clips, 2.0)
    assert {r.clip for r in found["other"]} == {"b.mp4"}
    assert scores(found["other"], "fake").tolist() == []


def test_the_same_seed_draws_the_same_voices() -> None:
    clips = [clip(f"{n}.mp4", f"p{n}", 2, n) for n in range(8)]
    one, again, other = (mismatches(clips, 2.0, seed, voices_each=3) for seed in (1, 1, 2))
    assert one == again != other


def test_what_the_second_condition_costs_is_counted_beside_sound_alone() -> None:
    spoken = clip("a.mp4", "ann", 20, 0)
    partly = replace(spoken, speech=np.arange(500) < 250, sound=np.ones(500, np.bool_))
    assert by_sound([partly])[0].speech.all()
    assert by_sound([spoken])[0] is spoken
    found = judged_share([spoken, partly, replace(partly, clip="b.mp4", subject="bob")], 5.0)
    assert found == {
        "clips": 3,
        "people": 2,
        "windows_by_sound": 12,
        "windows_judged": 8,
        "sound_seconds": 60.0,
        "speech_seconds": 40.0,
    }
