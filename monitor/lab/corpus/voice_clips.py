"""Voices of recorded clips, encoded as recorded and as a call carries them; kept by content.

Speech is what WebRTC's detector hears at its strictest, on the recording: both versions are cut at the same places, so
that a comparison of the two finds the line and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import av
import numpy as np
import webrtcvad
from numpy.typing import NDArray

from engines.errors import SidewitnessError
from monitor.detectors.voiceprint.encoder import VoiceEncoder
from monitor.detectors.voiceprint.pieces import HOP_STEPS, PIECE_STEPS, STEP_SAMPLES
from monitor.identity.enrolment.sound_ladder import through_opus
from monitor.lab.corpus.manifest import Row
from monitor.lab.corpus.npz import write_npz
from monitor.tap.media.digest import digest
from monitor.tap.media.formats import AudioCutter
from monitor.types import SAMPLE_RATE_HZ, BoolArray, FloatArray
from monitor.voice.mel40 import PIECE_SAMPLES
from monitor.window.spoken import spoken

# Raised whenever the same clip would give other vectors.
VERSION = 2
# Of one clip: more says little more of a voice, but half of a shorter one is too little to hear a window in.
MAX_SECONDS = 16.0
VOICE_SECONDS = 40.0
CALL_BIT_RATE = 16_000
_STRICTEST = 3
# WebRTC's detector takes 20 ms; two are a step of the grid.
_VAD_SAMPLES = 320

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class VoiceClip:
    """One clip: `recorded` (N, 256) pieces that share nothing, `called` (M, 256) through a call, a hop apart.

    `recorded_at` (N, 2) and `called_at` (M, 2) are the first and the last grid step of each.
    """

    row: Row
    recorded: FloatArray
    recorded_at: Ints
    called: FloatArray
    called_at: Ints


def chosen(rows: Sequence[Row], exclude: Sequence[str], most: int, prefix: str) -> list[Row]:
    """Take the genuine clips of people, at most so many of each; names of two manifests are not one person."""
    taken: dict[str, int] = {}
    kept = []
    for row in rows:
        if row.label != "real" or row.subject in exclude or taken.get(row.subject, 0) >= most:
            continue
        taken[row.subject] = taken.get(row.subject, 0) + 1
        kept.append(replace(row, subject=f"{prefix}:{row.subject}"))
    return kept


def voice_clips(
    rows: Sequence[Row], encode: VoiceEncoder, cache: Path, done: Callable[[str | None], None]
) -> Iterator[VoiceClip]:
    """Read, or find, the voices of clips; `done` is told of each, and what was wrong with one that cannot be read."""
    for row in rows:
        path = row.sound or row.path
        try:
            kept = cache / "voiceprint" / f"{digest(path)}-{encode.key}-{VERSION}.npz"
            arrays: Mapping[str, NDArray[Any]]
            if kept.exists():
                with np.load(kept, allow_pickle=False) as file:
                    arrays = dict(file)
            else:
                arrays = _encoded(read_sound(path, VOICE_SECONDS), encode)
                write_npz(kept, arrays)
        except (SidewitnessError, OSError, av.FFmpegError, IndexError) as error:
            done(f"{row.name}: {type(error).__name__}, left out")
            continue
        done(None)
        yield VoiceClip(row, **{name: arrays[name] for name in ("recorded", "recorded_at", "called", "called_at")})


def _encoded(sound: FloatArray, encode: VoiceEncoder) -> dict[str, NDArray[Any]]:
    speech = speech_steps(sound)
    recorded, recorded_at = _pieces(sound, speech, PIECE_STEPS)
    called, called_at = _pieces(through_opus(sound, CALL_BIT_RATE), speech, HOP_STEPS)
    return {
        "recorded": encode(recorded),
        "recorded_at": recorded_at,
        "called": encode(called),
        "called_at": called_at,
    }


def read_sound(path: Path, most_seconds: float) -> FloatArray:
    """Read the first sound of a file, 16 kHz mono; raises `av.FFmpegError`, and `IndexError` where there is none."""
    most = round(most_seconds * SAMPLE_RATE_HZ)
    with av.open(str(path)) as file:
        cutter, parts, count = AudioCutter(), [np.zeros(0, np.float32)], 0
        for frame in file.decode(audio=0):
            fresh = [part for _, part in cutter.push(frame)]
            parts, count = parts + fresh, count + sum(map(len, fresh))
            if count >= most:
                break
        parts += [part for _, part in cutter.flush()]
    return np.concatenate(parts)[:most].astype(np.float32)


def speech_steps(sound: FloatArray) -> BoolArray:
    """Say which whole grid steps of 16 kHz mono (N,) are speech."""
    detector = webrtcvad.Vad(_STRICTEST)
    words = (np.clip(sound, -1, 1) * 32767).astype("<i2")
    frames = words[: len(words) // STEP_SAMPLES * STEP_SAMPLES].reshape(-1, _VAD_SAMPLES)
    flags = np.array([detector.is_speech(frame.tobytes(), SAMPLE_RATE_HZ) for frame in frames], np.bool_)
    steps = np.asarray(flags.reshape(-1, 2).all(axis=1), np.bool_)
    return spoken(steps, steps)


def _pieces(sound: FloatArray, speech: BoolArray, hop: int) -> tuple[list[FloatArray], Ints]:
    steps = np.flatnonzero(speech)
    grid = sound[: len(speech) * STEP_SAMPLES].reshape(-1, STEP_SAMPLES)
    cuts = [steps[n : n + PIECE_STEPS] for n in range(0, len(steps) - PIECE_STEPS + 1, hop)]
    at = np.array([(cut[0], cut[-1]) for cut in cuts], np.int64).reshape(-1, 2)
    return [grid[cut].reshape(-1)[:PIECE_SAMPLES] for cut in cuts], at
