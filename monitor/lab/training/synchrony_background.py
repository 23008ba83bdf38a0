"""Genuine windows scored by encoders that never saw their speakers: what calibration is built from.

The scores are made by the very window and detector that judge live calls. With one set of packs for each fold, every
speaker is scored by the set whose training left that fold out.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from engines.base import Engine
from monitor.detectors.base import MEMORY_SECONDS
from monitor.detectors.synchrony.detector import SynchronyDetector
from monitor.detectors.synchrony.entry import load_fusion
from monitor.detectors.synchrony.fusion import Rule
from monitor.face.lip_input import unit
from monitor.face.stillness import still_steps
from monitor.face.track import MOUTH_SIZE
from monitor.lab.corpus.manifest import Row, load_features, workers_here
from monitor.lab.corpus.speech_features import ClipFeatures
from monitor.session.models import load_speech
from monitor.types import BoolArray, BriefScore, ClockState, FloatArray, Stamp
from monitor.window.grid import GRID_HZ
from monitor.window.stream_encoder import StreamEncoder
from monitor.window.window import WindowBuffer

ByLength = dict[float, list[tuple[float, str]]]
# Of a clip: lips (T, D), usable (T,), voice (T, D), speech (T,).
Encoded = tuple[FloatArray, BoolArray, FloatArray, BoolArray]
WINDOW_SECONDS = (2.0, 2.5, 3.0, 3.5, 4.0)
# One length for all that is longer: of longer clips the research data has too few people for a p-value of 0.05.
ACCUMULATED_SECONDS = (7.0,)
BRIEF_LENGTHS_SECONDS = (1.2, 1.6)
# Constant skews of headsets, capture cards and muxers, for which nobody is to be accused: 0.2 to 0.44 s.
SKEWS_FRAMES = (-11, -9, -7, -5, 5, 7, 9, 11)
HOP_SECONDS = 0.5
CHUNK_STEPS = 25


def encode_features(features: ClipFeatures, lips: Engine, voice: Engine, gate: bool = True) -> Encoded:
    """Stream a clip's features through the encoders: lips (T, D), usable (T,), voice (T, D), speech (T,).

    Lips are not usable where the mouth stands still, as in a call, unless without the `gate`.
    """
    face = features.face
    # Other encoders have pictures of their own, which are not measured.
    if gate and features.mouth.shape[1] == MOUTH_SIZE:
        face = face & ~still_steps(features.shape, features.mouth, face, features.size)
    # The stream answers late: a tail of held steps, marked unusable, brings the last real ones out.
    tail = CHUNK_STEPS * 2
    shape = np.concatenate([features.shape, np.repeat(features.shape[-1:], tail, 0)])
    mouth = unit(np.concatenate([features.mouth, np.repeat(features.mouth[-1:], tail, 0)]))
    mel = np.concatenate([features.mel, np.repeat(features.mel[-1:], tail, 0)])
    length = len(features)
    pad = np.zeros(tail, np.bool_)
    lip_vectors = _stream(lips, {"shape": shape}, mouth, np.concatenate([face, pad]), length)
    voice_vectors = _stream(voice, {}, mel, np.concatenate([features.speech, pad]), length)
    return *lip_vectors, *voice_vectors


def _stream(
    engine: Engine, named: dict[str, FloatArray], other: FloatArray, flags: BoolArray, length: int
) -> tuple[FloatArray, BoolArray]:
    encoder = StreamEncoder(engine, CHUNK_STEPS)
    # Encoders from elsewhere have names of their own for their pictures and their sound.
    done = encoder.push(0, {name: named.get(name, other) for name in encoder.names}, flags)
    return np.concatenate([d.vectors for d in done])[:length], np.concatenate([d.flags for d in done])[:length]


@dataclass(frozen=True, slots=True)
class ScoredWindow:
    """One hop of a clip: score and usable speech (s) of the window, and of all the evidence accumulated up to it.

    `brief` is the score of its newest seconds as in a call that has lasted, `early` as in one that began with the clip.
    """

    value: float
    speech: float
    whole: float
    whole_speech: float
    brief: BriefScore
    early: BriefScore


def windows(
    encoded: Encoded,
    seconds: float,
    hop: float = HOP_SECONDS,
    fusion: Rule | None = None,
) -> Iterator[ScoredWindow]:
    """Judge a clip hop by hop; windows on which the detector abstains are left out.

    Short clips stand for long calls, in which the offset is known from up to 16 s of speech: each window is scored at
    the offset that its whole clip shows.
    """
    lips, face, voice, speech = encoded
    detector = SynchronyDetector(fusion=fusion)
    buffer = WindowBuffer(seconds)
    stamp = Stamp(0.0, 0.0, 0.0, ClockState.MAPPED, 0.0)
    buffer.mark("video", stamp)
    buffer.mark("audio", stamp)
    step = round(hop * GRID_HZ)
    hops = []
    for start in range(0, len(face), step):
        piece = slice(start, start + step)
        buffer.push_lips(start, lips[piece], face[piece])
        buffer.push_voice(start, voice[piece], speech[piece])
        hops.append(buffer.recall(MEMORY_SECONDS))
    for window in hops:
        score = detector.score(replace(window, memory=hops[-1].memory))
        if score.value is not None:
            so_far = detector.score(window)
            whole = so_far.evidence["accumulated"]
            yield ScoredWindow(
                score.value,
                window.speech_seconds,
                -whole["agreement"],
                whole["speech_seconds"],
                score.brief or BriefScore(),
                so_far.brief or BriefScore(),
            )


def skewed(encoded: Encoded, frames: int) -> Encoded:
    """Let the sound run late by so many frames, early where negative: what comes round the end is no speech."""
    lips, face, voice, speech = encoded
    heard = np.roll(speech, frames)
    heard[slice(0, frames) if frames > 0 else slice(frames, None)] = False
    return lips, face, np.roll(voice, frames, axis=0), heard


def dubbed(own: Encoded, other: Encoded) -> Encoded:
    """Give a clip's lips with another's voice, as long as both last."""
    count = min(len(own[0]), len(other[2]))
    return own[0][:count], own[1][:count], other[2][:count], other[3][:count]


def skew_of(clip: str) -> int:
    """By how many frames the sound of this clip is skewed, for once: by its name, one of `SKEWS_FRAMES`."""
    return SKEWS_FRAMES[zlib.crc32(clip.encode()) % len(SKEWS_FRAMES)]


def encoded_clips(
    rows: Sequence[Row], folder: Path, cache: Path, done: Callable[[int], None] = lambda _: None
) -> Iterator[tuple[Row, Encoded]]:
    """Encode clips by the packs of a folder; those of several faces, or under a second, are left out."""
    encoders = load_speech(folder)
    for row, features in load_features(rows, cache, workers_here(), done, input_spec=encoders.input_spec):
        if not isinstance(features, str) and features.faces <= 1 and len(features) >= GRID_HZ:
            yield row, encode_features(features, encoders.lips, encoders.voice)


def background_scores(
    rows: Sequence[Row],
    packs: Sequence[tuple[Path, str]],
    cache: Path,
    done: Callable[[int], None] = lambda _: None,
) -> tuple[ByLength, ByLength]:
    """Genuine scores by seconds of usable speech, {length: [(score, subject), ...]}: of windows, and of brief ones.

    Each hop counts once with its window, for the longest of the `WINDOW_SECONDS` that its speech fills, and once with
    what was accumulated, for the longest of the `ACCUMULATED_SECONDS`.
    """
    whole: ByLength = {}
    brief: ByLength = {}
    for folder, fold in packs:
        fusion = load_fusion(folder)
        for row, encoded in encoded_clips([row for row in rows if row.fold == fold], folder, cache, done):
            for hop in windows(encoded, 5.0, fusion=fusion):
                tabulate(hop, row.subject, whole, brief)
            for hop in windows(skewed(encoded, skew_of(row.name)), 5.0, fusion=fusion) if fusion else ():
                tabulate(hop, row.subject, {}, brief)
    return whole, brief


def tabulate(hop: ScoredWindow, subject: str, whole: ByLength, brief: ByLength) -> None:
    """Add what a hop says of a subject to the tables of windows and of brief ones, early and later in a call."""
    for table, lengths, value, speech in (
        (whole, WINDOW_SECONDS, hop.value, hop.speech),
        (whole, ACCUMULATED_SECONDS, hop.whole, hop.whole_speech),
        (brief, BRIEF_LENGTHS_SECONDS, hop.brief.value, hop.brief.seconds),
        (brief, BRIEF_LENGTHS_SECONDS, hop.early.value if hop.early.fused else None, hop.early.seconds),
    ):
        filled = [length for length in lengths if length <= speech + 1e-6]
        if filled and value is not None:
            table.setdefault(filled[-1], []).append((value, subject))
