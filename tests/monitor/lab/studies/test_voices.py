"""Who is who by voice: made-up people who can be told apart, and ones who cannot."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from monitor.lab.commands.train_voiceprints import core_share, lines
from monitor.lab.corpus.manifest import Row
from monitor.lab.corpus.voice_clips import VoiceClip, chosen, voice_clips
from monitor.lab.studies.voices import known_voices, summary
from monitor.types import FloatArray
from tests.monitor.detectors.voiceprint.voices import ears


def row(name: str, label: str = "real", subject: str | None = None) -> Row:
    return Row(Path(name), name, label, label, subject or name)


def unit(vectors: FloatArray) -> FloatArray:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


def clip(person: int, recording: int, noise: float = 0.15) -> VoiceClip:
    """Fourteen seconds of speech of somebody whose direction is theirs."""
    theirs = np.abs(np.random.default_rng(person).normal(size=256))
    random = np.random.default_rng((person, recording))
    recorded, called = (unit(np.abs(theirs + random.normal(0, noise, (n, 256)))) for n in (8, 18))
    at = np.array([(41 * n, 41 * n + 40) for n in range(8)])
    heard = np.array([(20 * n, 20 * n + 40) for n in range(18)])
    return VoiceClip(row(f"{person}-{recording}", subject=str(person)), recorded, at, called, heard)


def people(count: int = 12, several: int = 4, noise: float = 0.15) -> list[VoiceClip]:
    return [clip(p, n, noise) for p in range(count) for n in range(2 if p < several else 1)]


def test_people_who_differ_are_told_apart_within_and_across_recordings() -> None:
    known, trials = known_voices(people(), "key")
    told = summary(trials, rounds=20)
    assert (known.people, known.key) == (12, "key")
    one, across = told["one recording"], told["across recordings"]
    assert (one["people"], across["people"]) == (12, 4)
    assert one["eer"] == across["eer"] == 0.0
    assert one["eer_low"] <= one["eer"] <= one["eer_high"]
    # Who has two recordings is known by five windows of the other one, everybody else by two of their only one.
    assert sorted(np.bincount(known.person).tolist()) == [2] * 8 + [10] * 4


def test_people_who_do_not_differ_are_not() -> None:
    alike = [replace(one, row=row(one.row.name, subject=str(n % 6))) for n, one in enumerate(people(12, 0, 3.0))]
    told = summary(known_voices(alike, "key")[1], rounds=20)
    assert told["across recordings"]["eer"] > 0.25
    assert "EER" in "\n".join(lines(told))


def test_a_window_heard_is_never_one_enrolled() -> None:
    _, trials = known_voices(people(6, 0), "key")
    own = trials.only(trials.same)
    # Windows begin every 60 steps up to 240; four pieces, which end at step 163, are enrolled.
    assert len(own.value) == 6 * 2
    assert not own.across.any()
    # Of everybody else's clip the first is enough.
    assert len(trials.only(~trials.same).value) == 6 * 5


def test_only_genuine_clips_and_few_of_each_are_taken() -> None:
    rows = [row(f"{n}.mp4", subject="a") for n in range(5)] + [row("x.mp4", "fake"), row("y.mp4", subject="many")]
    assert [one.subject for one in chosen(rows, ["many"], 2, "set")] == ["set:a", "set:a"]


def test_what_is_known_of_one_recording_only_is_said_without_rates() -> None:
    told = summary(known_voices(people(5, 0), "key")[1], rounds=5)
    assert any(line.startswith("across recordings: 0 people") for line in lines(told))


def test_what_a_second_of_speech_costs_is_measured() -> None:
    assert 0 < core_share(ears(), pieces=3) < 1


def test_a_clip_that_cannot_be_read_is_left_out_and_told(tmp_path: Path) -> None:
    (tmp_path / "clip.mp4").write_bytes(b"nothing")
    notes: list[str | None] = []
    rows = [replace(row("clip.mp4"), path=tmp_path / "clip.mp4"), row("absent.mp4")]
    assert list(voice_clips(rows, ears(), tmp_path, notes.append)) == []
    assert [note is not None and "left out" in note for note in notes] == [True, True]


@pytest.mark.data
def test_a_clip_is_heard_as_recorded_and_through_a_call_and_kept(data_dir: Path, tmp_path: Path) -> None:
    path = data_dir / "clips/real/MimicTalk__German_20s.mp4"
    rows = [replace(row("clip"), path=path)]
    (first,) = voice_clips(rows, ears(), tmp_path, lambda _: None)
    hearing = ears()
    (again,) = voice_clips(rows, hearing, tmp_path, lambda _: None)
    assert getattr(hearing.engine, "calls", None) == 0
    np.testing.assert_array_equal(first.called, again.called)
    assert len(first.recorded) >= 4
    assert len(first.called) > len(first.recorded)
    assert (np.diff(first.recorded_at[:, 0]) >= 41).all()
