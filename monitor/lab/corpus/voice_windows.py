"""Windows of speech, genuine and made by machines, as calls carry them.

A window is 3.2 s of speech without its pauses, so that no silence tells who speaks. A genuine clip gives its own
windows, those of every vocoding of it, and those through each line that a genuine voice may take; an utterance of a
synthesiser gives its own. All of them pass lines that are drawn alike. Kept by content as features, never as sound.
"""

from __future__ import annotations

import subprocess
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from engines.errors import SidewitnessError
from monitor.detectors.voiceprint.pieces import STEP_SAMPLES
from monitor.lab.corpus.manifest import Row
from monitor.lab.corpus.npz import write_npz
from monitor.lab.corpus.synthesisers import Utterance
from monitor.lab.corpus.voice_clips import read_sound, speech_steps
from monitor.lab.distortions import vocoding
from monitor.lab.distortions.voice_lines import CONFOUNDS, VoiceLine
from monitor.tap.media.digest import digest
from monitor.types import SAMPLE_RATE_HZ, FloatArray

# Raised whenever the same sound would give other windows.
VERSION = 1
GENUINE = "genuine"
WINDOW_STEPS = 80
# Of one clip or utterance: more of one voice says little more.
MAX_WINDOWS, CLIP_SECONDS = 1, 5.5
BANDS, HOP_SAMPLES = 80, 160
WINDOW_FRAMES = WINDOW_STEPS * STEP_SAMPLES // HOP_SAMPLES - 2
# Every so many people are heard through each of the confounds as well.
CONFOUNDED = 4
# Kinds of vocoding that each clip is put through, in turn.
VOCODINGS = 2
# Lines that are drawn for a clip and its vocodings, and for an utterance, of which there are fewer.
_DRAWN, _DRAWN_SYNTHETIC = 1, 2
_FFT, _LENGTH, _FLOOR = 512, 400, 1e-7

Halves = NDArray[np.float16]


@dataclass(frozen=True, slots=True, eq=False)
class SpeechWindow:
    """One window: `bands` (WINDOW_FRAMES, BANDS) float16, log power in linear bands.

    `maker` is `GENUINE`, a vocoding or a synthesiser; `person` the speaker, or the voice of a synthesiser; `clip` what
    it was cut from, and `line` the name of the line that it took.
    """

    bands: Halves
    maker: str
    person: str
    clip: str
    line: str

    @property
    def genuine(self) -> bool:
        """Whether a person said this, and no machine made it anew."""
        return self.maker == GENUINE


def genuine_windows(
    rows: Sequence[Row], cache_folder: Path, done: Callable[[str | None], None]
) -> Iterator[SpeechWindow]:
    """Give the windows of clips and of their vocodings; `done` is told of each, and of what cannot be read."""
    for row in rows:
        path, kinds = row.sound or row.path, vocoding.installed()
        confounded = zlib.crc32(row.name.encode()) % CONFOUNDED == 0
        kept = cache_folder / "voice_windows" / f"{digest(path)}-{'-'.join(kinds)}-{confounded}-{VERSION}.npz"

        def make(path: Path = path, confounded: bool = confounded) -> dict[str, Halves]:
            return _of_clip(read_sound(path, CLIP_SECONDS), confounded)

        yield from _kept(kept, make, row.subject, row.name, done)


def synthetic_windows(
    utterances: Sequence[Utterance], cache_folder: Path, done: Callable[[str | None], None]
) -> Iterator[SpeechWindow]:
    """Give the windows of utterances."""
    for number, one in enumerate(utterances):
        kept = cache_folder / "voice_windows" / f"{_plain(f'{one.synthesiser} {one.voice}')}-{number}-{VERSION}.npz"

        def make(one: Utterance = one) -> dict[str, Halves]:
            sound = one.sound()
            return _windows(sound, sound, one.synthesiser, _DRAWN_SYNTHETIC)

        yield from _kept(kept, make, one.voice, f"{one.synthesiser} {number}", done)


def linear_bands(samples: FloatArray) -> FloatArray:
    """Give the log power of 16 kHz mono (N,) in `BANDS` linear bands up to 8 kHz, 100 times a second: (frames, BANDS).

    Linear, since what vocoders do wrong lies high; the level of every band over the window is taken out by whoever
    learns from it, and with it what the microphone and the room add.
    """
    frames = np.lib.stride_tricks.sliding_window_view(samples, _LENGTH)[::HOP_SAMPLES]
    spectrum = np.fft.rfft(frames * np.hanning(_LENGTH + 1)[:-1], _FFT)
    power = (spectrum.real**2 + spectrum.imag**2) @ _triangles()
    return np.asarray(np.log(power + _FLOOR), np.float32)


@cache
def _triangles() -> NDArray[np.float64]:
    edges = np.linspace(0, SAMPLE_RATE_HZ / 2, BANDS + 2)
    hz = np.linspace(0, SAMPLE_RATE_HZ / 2, _FFT // 2 + 1)[:, None]
    rise, fall = (hz - edges[:-2]) / (edges[1:-1] - edges[:-2]), (edges[2:] - hz) / (edges[2:] - edges[1:-1])
    return np.asarray(np.maximum(0, np.minimum(rise, fall)))


def _of_clip(sound: FloatArray, confounded: bool) -> dict[str, Halves]:
    windows = _windows(sound, sound, GENUINE, _DRAWN)
    if windows and confounded:
        windows |= {f"{GENUINE}/{line.name}": _cut(line(sound), speech_steps(sound)) for line in CONFOUNDS}
    kinds, first = vocoding.installed(), zlib.crc32(sound.tobytes())
    for kind in [kinds[(first + n) % len(kinds)] for n in range(VOCODINGS)] if windows else ():
        made = vocoding.KINDS[kind](sound, np.random.default_rng(_seed(sound, kind)))
        windows |= _windows(made, sound, kind, _DRAWN)
    return windows


def _windows(sound: FloatArray, spoken: FloatArray, maker: str, drawn: int) -> dict[str, Halves]:
    """Send sound down drawn lines and cut it where speech is in `spoken`; nothing where there is too little of it."""
    steps = speech_steps(spoken)
    found = {}
    for n in range(drawn if steps.sum() >= WINDOW_STEPS else 0):
        line = VoiceLine.draw(np.random.default_rng(_seed(spoken, f"{maker} {n}")))
        found[f"{maker}/drawn {n}"] = _cut(line(sound), steps)
    return found


def _cut(sound: FloatArray, speech: NDArray[np.bool_]) -> Halves:
    steps = np.flatnonzero(speech)
    grid = sound[: len(speech) * STEP_SAMPLES].reshape(-1, STEP_SAMPLES)
    count = min(len(steps) // WINDOW_STEPS, MAX_WINDOWS)
    cuts = [steps[n * WINDOW_STEPS : (n + 1) * WINDOW_STEPS] for n in range(count)]
    return np.stack([linear_bands(grid[cut].reshape(-1))[:WINDOW_FRAMES] for cut in cuts]).astype(np.float16)


def _kept(
    kept: Path, make: Callable[[], dict[str, Halves]], person: str, clip: str, done: Callable[[str | None], None]
) -> Iterator[SpeechWindow]:
    try:
        if not kept.exists():
            write_npz(kept, make())
        with np.load(kept, allow_pickle=False) as file:
            found = {name: np.asarray(file[name], np.float16) for name in file.files}
    except (SidewitnessError, OSError, av.FFmpegError, IndexError, subprocess.SubprocessError) as error:
        done(f"{clip}: {type(error).__name__}, left out")
        return
    done(None)
    for name, windows in found.items():
        maker, line = name.split("/", 1)
        yield from (SpeechWindow(bands, maker, person, clip, line) for bands in windows)


def _seed(sound: FloatArray, what: str) -> list[int]:
    """Draw for the same sound and purpose alike."""
    return [zlib.crc32(sound.tobytes()), zlib.crc32(what.encode())]


def _plain(name: str) -> str:
    return "".join(sign if sign.isalnum() else "_" for sign in name)
