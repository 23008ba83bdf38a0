"""A recorded clip as the encoders see it: what training, calibration and evaluation read instead of media."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from engines.base import Engine
from monitor.face.encoder_crops import PICTURES, Picture
from monitor.face.geometry import SHAPE_SIZE
from monitor.face.lip_input import sample_of
from monitor.face.track import FaceTracker, FaceView
from monitor.lab.corpus.separate_tracks import read_media
from monitor.session.input_spec import DEFAULT, InputSpec
from monitor.types import AudioBlock, BoolArray, ByteArray, FloatArray, MediaItem, VideoFrame
from monitor.voice.fronts import silent_steps
from monitor.voice.stream import VoiceChunk, VoiceStream
from monitor.window.grid import GridSample, Resampler


@dataclass(frozen=True, slots=True, eq=False)
class ClipFeatures:
    """Lips and voice of one clip on one 25 Hz grid from its first moment: T steps.

    `shape` (T, 168), `mouth` (T, 36, 36) uint8, `face` (T,) whether the lips can be used; `mel` (T, 4, 80), `speech`
    (T,) whether somebody speaks; `size` median face height in pixels; `faces` how many faces were followed at once for
    at least a fifth of the clip. For encoders that want something else (`monitor.session.input_spec`), `mouth` holds
    their pictures (T, H, W) and `mel` their features of sound (T, ...).
    """

    shape: FloatArray
    mouth: ByteArray
    face: BoolArray
    mel: FloatArray
    speech: BoolArray
    size: float
    faces: int

    def __len__(self) -> int:
        return len(self.face)

    def save(self, path: Path) -> None:
        """Write to an .npz file, whole or not at all."""
        part = path.with_suffix(f".{os.getpid()}.part.npz")
        np.savez(
            part,
            shape=self.shape,
            mouth=self.mouth,
            face=self.face,
            mel=self.mel,
            speech=self.speech,
            about=np.array([self.size, self.faces], np.float32),
        )
        part.replace(path)

    @classmethod
    def load(cls, path: Path) -> ClipFeatures:
        """Read what `save` wrote."""
        with np.load(path, allow_pickle=False) as data:
            size, faces = data["about"]
            return cls(data["shape"], data["mouth"], data["face"], data["mel"], data["speech"], float(size), int(faces))


class Change(Protocol):
    """What is done to a clip's media before it is analysed: a worse call, a perturbation. Picklable."""

    @property
    def name(self) -> str:
        """Part of the key under which features are kept: equal names must change a clip equally."""
        ...

    def __call__(self, items: Iterable[MediaItem]) -> Iterator[MediaItem]:
        """Give the changed items, in the order of their capture times."""
        ...


def extract(
    clip: Path,
    detector: Engine,
    landmarks: Engine,
    change: Change | None = None,
    wants: InputSpec = DEFAULT,
    sound: Path | None = None,
) -> ClipFeatures:
    """Features of the face that is seen longest and of the sound, which may be in a file of its own.

    Raises `SourceError` when the clip cannot be read.
    """
    tracker, voice = FaceTracker(detector, landmarks), VoiceStream(wants.sound)
    pictures: defaultdict[int, Picture] = defaultdict(PICTURES[wants.pictures])
    views: list[tuple[FaceView, ByteArray]] = []
    chunks: list[VoiceChunk] = []
    face_counts: Counter[int] = Counter()
    items = read_media(clip, sound)
    for item in change(items) if change else items:
        if isinstance(item, VideoFrame):
            seen = tracker(item)
            views += [(view, pictures[view.track](item, view)) for view in seen]
            face_counts[len(seen)] += 1
        elif isinstance(item, AudioBlock) and (chunk := voice.push(item)) is not None:
            chunks.append(chunk)
    faces = faces_at_once(face_counts)
    main_face = main_track([view for view, _ in views])
    chosen = [(view, picture) for view, picture in views if view.track == main_face]
    size = float(np.median([view.quality.size for view, _ in chosen])) if chosen else 0.0
    return _assemble(list(_resample(chosen)), chunks, size, faces, wants)


def faces_at_once(face_counts: Counter[int]) -> int:
    """Compute how many faces were followed at once in at least a fifth of the frames, counted by their faces."""
    enough = 0.2 * face_counts.total()
    return max(
        (count for count in face_counts if sum(face_counts[c] for c in face_counts if c >= count) >= enough), default=0
    )


def main_track(views: list[FaceView]) -> int:
    """Pick the track with the most face over time, 0 when there is none."""
    weight: Counter[int] = Counter()
    for view in views:
        weight[view.track] += int(view.quality.size)
    return weight.most_common(1)[0][0] if weight else 0


def _resample(views: list[tuple[FaceView, ByteArray]]) -> list[GridSample]:
    resampler = Resampler()
    return [step for view, cut in views for step in resampler.push(view.stamp.media, sample_of(view, cut))]


def _assemble(
    lips: list[GridSample], chunks: list[VoiceChunk], size: float, faces: int, wants: InputSpec = DEFAULT
) -> ClipFeatures:
    ends = [step.index + 1 for step in lips] + [chunk.first + len(chunk.speech) for chunk in chunks]
    length = max(ends, default=0)
    shape = np.zeros((length, SHAPE_SIZE), np.float32)
    side = PICTURES[wants.pictures]().size
    mouth = np.zeros((length, side, side), np.uint8)
    face = np.zeros(length, np.bool_)
    mel = silent_steps(wants.sound, length)
    speech = np.zeros(length, np.bool_)
    for step in lips:
        if step.index >= 0:
            shape[step.index], mouth[step.index], face[step.index] = (
                step.sample.shape,
                step.sample.mouth,
                step.sample.usable,
            )
    for chunk in chunks:
        if chunk.first >= 0:
            where = slice(chunk.first, chunk.first + len(chunk.speech))
            mel[where], speech[where] = chunk.mel, chunk.speech
    return ClipFeatures(shape, mouth, face, mel, speech, size, faces)
