"""Windows of speech: cut alike from a person's recording and from a synthesiser's, kept, and read again."""

from __future__ import annotations

import shutil
import wave
from pathlib import Path

import av
import numpy as np
import pytest

from monitor.lab.corpus import synthesisers, voice_windows
from monitor.lab.corpus.manifest import Row
from monitor.lab.corpus.sentences import SENTENCES
from monitor.lab.corpus.synthesisers import Synthesiser, Utterance, recorded
from monitor.lab.corpus.voice_windows import (
    BANDS,
    GENUINE,
    VOCODINGS,
    WINDOW_FRAMES,
    genuine_windows,
    linear_bands,
    synthetic_windows,
)
from monitor.lab.distortions.voice_lines import CONFOUNDS
from monitor.types import FloatArray
from tests.monitor.detectors.voiceprint.voices import voice


def write(path: Path, sound: FloatArray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes((np.clip(sound, -1, 1) * 32767).astype("<i2").tobytes())
    return path


def row(path: Path, name: str = "one") -> Row:
    return Row(path, name, "real", "real", name)


def ignore(note: str | None) -> None:
    """Take no notes."""


def test_a_genuine_clip_gives_itself_its_vocodings_and_once_in_a_while_the_confounds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "one.wav", voice(1, 5 * 16_000))
    monkeypatch.setattr(voice_windows, "CONFOUNDED", 1)
    found = list(genuine_windows([row(path)], tmp_path / "cache", ignore))
    assert {window.bands.shape for window in found} == {(WINDOW_FRAMES, BANDS)}
    assert len({window.maker for window in found}) == 1 + VOCODINGS
    lines = [window.line for window in found if window.genuine]
    assert lines[0] == "drawn 0"
    assert {line.name for line in CONFOUNDS} == set(lines[1:])
    assert {window.person for window in found} == {"one"}
    monkeypatch.setattr(voice_windows, "read_sound", None)
    again = list(genuine_windows([row(path)], tmp_path / "cache", ignore))
    assert all(np.array_equal(a.bands, b.bands) for a, b in zip(found, again, strict=True))


def test_what_cannot_be_read_or_is_too_short_is_left_out(tmp_path: Path) -> None:
    short, broken = write(tmp_path / "short.wav", voice(1, 16_000)), tmp_path / "broken.wav"
    broken.write_bytes(b"RIFF")
    notes: list[str | None] = []
    assert list(genuine_windows([row(short), row(broken, "b")], tmp_path / "cache", notes.append)) == []
    assert notes[0] is None
    assert "left out" in str(notes[1])


def test_utterances_are_windows_of_their_maker_and_one_that_fails_is_left_out(tmp_path: Path) -> None:
    def fails() -> FloatArray:
        raise OSError

    said = [Utterance("toy", "alto", lambda: voice(3, 4 * 16_000)), Utterance("toy", "bass", fails)]
    notes: list[str | None] = []
    found = list(synthetic_windows(said, tmp_path, notes.append))
    assert {(window.maker, window.person, window.clip) for window in found} == {("toy", "alto", "toy 0")}
    assert len({window.line for window in found}) == len(found) == 2
    assert "OSError" in str(notes[1])
    assert not any(window.genuine for window in found)


def test_linear_bands_lie_where_the_tone_is() -> None:
    tone = np.sin(2 * np.pi * 5000 * np.arange(4800) / 16_000).astype(np.float32)
    bands = linear_bands(tone)
    assert bands.shape[1] == BANDS
    assert abs(int(bands.mean(0).argmax()) - round(5000 / 8000 * (BANDS + 1)) + 1) <= 1


def test_sentences_are_shared_out_among_voices() -> None:
    toy = Synthesiser("toy", {"a": "en", "b": "de"}, lambda text, voice: np.full(len(text), ord(voice), np.float32))
    said = list(toy.utterances(7))
    assert [one.voice for one in said] == ["a", "b", "a", "b", "a", "b", "a"]
    lengths = [len(one.sound()) for one in said if one.voice == "a"]
    assert len(set(lengths)) > 1
    assert len(list(toy.utterances(1000))) == len(SENTENCES["en"]) + len(SENTENCES["de"])


def test_recordings_of_a_folder_are_voices_of_one_synthesiser(tmp_path: Path) -> None:
    write(tmp_path / "alto" / "1.wav", voice(1, 16_000))
    write(tmp_path / "2.wav", voice(2, 8_000))
    (tmp_path / "notes.txt").write_text("no sound")
    found = list(recorded("other", tmp_path))
    assert [(one.synthesiser, one.voice) for one in found] == [("other", "2"), ("other", "alto")]
    assert [round(len(one.sound()) / 1000) for one in found] == [8, 16]


@pytest.mark.parametrize("name", ["espeak-ng", "flite"])
def test_programs_that_are_installed_speak(name: str) -> None:
    if shutil.which(name) is None:
        pytest.skip(f"{name} is not installed")
    one = next(made for made in synthesisers.installed() if made.name == name)
    sound = next(iter(one.utterances(1))).sound()
    assert len(sound) > 16_000
    assert np.abs(sound).max() > 0.05


def test_where_nothing_is_installed_nothing_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.setattr(synthesisers, "find_spec", lambda name: None)
    assert synthesisers.installed() == []


def test_a_clip_without_sound_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "mute.mkv"
    with av.open(str(path), "w") as file:
        stream = file.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        frame = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), "rgb24")
        file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    notes: list[str | None] = []
    assert list(genuine_windows([row(path)], tmp_path / "cache", notes.append)) == []
    assert "IndexError" in str(notes[0])
    assert GENUINE == "genuine"
