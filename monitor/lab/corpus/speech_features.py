"""A recorded clip as the encoders see it: what training, calibration and evaluation read instead of media."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from engines.base import Engine
from monitor.face.cadence import EVERY, Cadence
from monitor.face.encoder_crops import PICTURES, Picture
from monitor.face.geometry import SPEECH_SHAPE_SIZE
from monitor.face.lip_input import sample_of
from monitor.face.track import FaceTracker, FaceView
from monitor.lab.corpus.main_face import follow_main_face
from monitor.lab.corpus.npz import write_npz
from monitor.lab.corpus.separate_tracks import read_media
from monitor.session.input_spec import DEFAULT, InputSpec
from monitor.types import BoolArray, ByteArray, FloatArray, MediaItem
from monitor.voice.fronts import silent_steps
from monitor.voice.stream import VoiceChunk, VoiceStream
from monitor.window.grid import GridSample, Resampler
from monitor.window.spoken import spoken


@dataclass(frozen=True, slots=True, eq=False)
class ClipFeatures:
    """Lips and voice of one clip on one 25 Hz grid from its first moment: T steps.

    `shape` (T, 168), `mouth` (T, 36, 36) uint8, `face` (T,) whether the lips can be used; `mel` (T, 4, 80), `speech`
    (T,) whether somebody speaks; `size` median face height in pixels; `faces` how many faces were followed at once for
    at least a fifth of the clip. For encoders that take something else (`monitor.session.input_spec`), `mouth` holds
    their pictures (T, H, W) and `mel` their features of sound (T, ...). `sound` (T,) is what WebRTC's detector alone
    takes for speech, None where that is all there is.
    """

    shape: FloatArray
    mouth: ByteArray
    face: BoolArray
    mel: FloatArray
    speech: BoolArray
    size: float
    faces: int
    sound: BoolArray | None = None

    def __len__(self) -> int:
        return len(self.face)

    def save(self, path: Path) -> None:
        """Write to an .npz file, whole or not at all."""
        arrays = {name: getattr(self, name) for name in ("shape", "mouth", "face", "mel", "speech")}
        sound = self.speech if self.sound is None else self.sound
        write_npz(path, arrays | {"sound": sound, "about": np.array([self.size, self.faces], np.float32)})

    @classmethod
    def load(cls, path: Path) -> ClipFeatures:
        """Read what `save` wrote."""
        with np.load(path, allow_pickle=False) as data:
            size, faces = data["about"]
            shape, mouth, face, mel, speech, sound = (
                data[name] for name in ("shape", "mouth", "face", "mel", "speech", "sound")
            )
            return cls(shape, mouth, face, mel, speech, float(size), int(faces), sound)


class Change(Protocol):
    """What is done to a clip's media before it is analysed: a worse call, a perturbation. Picklable."""

    @property
    def name(self) -> str:
        """Part of the key under which features are kept: equal names must change a clip equally."""
        ...

    def __call__(self, items: Iterable[MediaItem]) -> Iterator[MediaItem]:
        """Return the changed items, in the order of their capture times."""
        ...


def extract(
    clip: Path,
    detector: Engine,
    landmarks: Engine,
    change: Change | None = None,
    input_spec: InputSpec = DEFAULT,
    sound: Path | None = None,
    presence: Engine | None = None,
    cadence: Cadence = EVERY,
) -> ClipFeatures:
    """Features of the face that is seen longest and of the sound, which may be in a file of its own.

    `presence` hears whether somebody speaks (`monitor.voice.presence`), `cadence` is that of the landmarks. Raises
    `SourceError` when the clip cannot be read.
    """
    tracker = FaceTracker(detector, landmarks, cadence=cadence)
    voice = VoiceStream(input_spec.sound, presence)
    pictures: defaultdict[int, Picture] = defaultdict(PICTURES[input_spec.pictures])
    items = read_media(clip, sound)
    main = follow_main_face(
        change(items) if change else items, tracker, voice, lambda frame, view: pictures[view.track](frame, view)
    )
    return _assemble(list(_resample(main.views)), main.chunks, main.size, main.faces, input_spec)


def _resample(views: list[tuple[FaceView, ByteArray]]) -> list[GridSample]:
    resampler = Resampler()
    return [step for view, cut in views for step in resampler.push(view.stamp.media, sample_of(view, cut))]


def _assemble(
    lips: list[GridSample], chunks: list[VoiceChunk], size: float, faces: int, input_spec: InputSpec = DEFAULT
) -> ClipFeatures:
    ends = [step.index + 1 for step in lips] + [chunk.first + len(chunk.sound) for chunk in chunks]
    length = max(ends, default=0)
    shape = np.zeros((length, SPEECH_SHAPE_SIZE), np.float32)
    side = PICTURES[input_spec.pictures]().size
    mouth = np.zeros((length, side, side), np.uint8)
    face = np.zeros(length, np.bool_)
    mel = silent_steps(input_spec.sound, length)
    heard, loud = np.zeros(length, np.bool_), np.zeros(length, np.bool_)
    for step in lips:
        if step.index >= 0:
            shape[step.index], mouth[step.index], face[step.index] = (
                step.sample.shape,
                step.sample.mouth,
                step.sample.usable,
            )
    for chunk in chunks:
        if chunk.first >= 0:
            where = slice(chunk.first, chunk.first + len(chunk.sound))
            mel[where], heard[where], loud[where] = chunk.mel, chunk.heard, chunk.sound
    return ClipFeatures(shape, mouth, face, mel, spoken(heard, loud), size, faces, loud)
