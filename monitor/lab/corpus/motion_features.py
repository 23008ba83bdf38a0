"""How the face of a recorded clip moves, beside what is said: what the models of movement read instead of media.

Kept on disk by the clip's content, so that a clip is analysed once however often it is used. Shapes are kept and not
coefficients: a new basis is fitted, and measured, without reading a clip again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.base import MODELS, Engine
from engines.load import load_engine
from engines.packs import load_pack
from engines.training.clips import TrainingError
from engines.training.expression_basis import Moved, fit_basis
from monitor.detectors.packs import home
from monitor.detectors.synchrony.entry import VOICE
from monitor.face.coefficients import CoefficientsError, read_coefficients
from monitor.face.expression import (
    FACE_SHAPE_SIZE,
    HEAD_SIZE,
    LANDMARKS,
    ExpressionBasis,
    remove_head_pose,
    with_velocity,
)
from monitor.face.geometry import RIGID_LANDMARKS
from monitor.face.track import FaceTracker, FaceView
from monitor.lab.corpus.main_face import follow_main_face
from monitor.lab.corpus.manifest import Row, analysed
from monitor.lab.corpus.npz import write_npz
from monitor.lab.corpus.separate_tracks import read_media
from monitor.lab.corpus.speech_features import Change
from monitor.session.models import DETECTOR, MOVEMENT_VOICE, load_presence, movement_voice_home, presence_key
from monitor.session.models import LANDMARKS as LANDMARK_MODEL
from monitor.tap.media.digest import digest
from monitor.tap.media.source import SourceError
from monitor.tap.replay import probe_clip
from monitor.types import AudioBlock, BoolArray, FloatArray
from monitor.voice.stream import VoiceChunk, VoiceStream
from monitor.window.grid import GridSample, Resampler, Sample
from monitor.window.spoken import spoken
from monitor.window.stream_encoder import StreamEncoder

# Raised whenever the motion of a clip would change.
MOTION_VERSION = 2
CHUNK_STEPS = 25
# Components of a basis: they explain at least 95.8 % of the variance of each of 53 held-out people (docs/persona.md).
BASIS_SIZE = 24
_NO_PICTURE = np.zeros((0, 0), np.uint8)


@dataclass(frozen=True, slots=True, eq=False)
class ClipMotion:
    """Face and voice of one clip on one 25 Hz grid from its first moment: T steps.

    `shape` (T, D) levelled shapes, or the coefficients of a file; `head` (T, 6) as `monitor.face.expression.level`
    gives it; `valid` (T,) face usable and sound there; `voice` (T, V) vectors of the voice pack, `speech` (T,) whether
    somebody speaks. `size` is the median face height in pixels, `jitter` how much the landmarks shake
    (`jitter_of`), `faces` how many faces were followed at once for at least a fifth of the clip, `name` what the
    shapes are.
    """

    shape: NDArray[np.float16]
    head: FloatArray
    valid: BoolArray
    voice: FloatArray
    speech: BoolArray
    size: float
    jitter: float
    faces: int = 1
    name: str = LANDMARKS

    def __len__(self) -> int:
        return len(self.valid)

    def motion(self, basis: ExpressionBasis) -> FloatArray:
        """Motion rows (T, K + 6) in a basis; raises `BasisError` when it was made from other shapes."""
        return np.concatenate([basis(self.shape), self.head], axis=1)

    def save(self, path: Path) -> None:
        """Write to an .npz file, whole or not at all."""
        arrays = {name: getattr(self, name) for name in ("shape", "head", "valid", "voice", "speech")}
        scalars = {"about": np.array([self.size, self.jitter, self.faces]), "name": np.array(self.name)}
        write_npz(path, arrays | scalars)

    @classmethod
    def load(cls, path: Path) -> ClipMotion:
        """Read what `save` wrote."""
        with np.load(path, allow_pickle=False) as arrays:
            size, jitter, faces = arrays["about"]
            shape, head, valid, voice, speech = (arrays[name] for name in ("shape", "head", "valid", "voice", "speech"))
            scalars = float(size), float(jitter), int(faces), str(arrays["name"])
            return cls(shape, head, valid, voice, speech, *scalars)


def learn_basis(clips: Sequence[tuple[str, ClipMotion]], size: int = BASIS_SIZE) -> ExpressionBasis:
    """Learn `size` components from genuine clips and whose they are; raises `TrainingError` when they are too few."""
    moved = [
        Moved(subject, clip.shape[clip.valid], with_velocity(clip.head, clip.valid)[clip.valid])
        for subject, clip in clips
        if clip.valid.any()
    ]
    kinds = sorted({clip.name for _, clip in clips})
    if len(kinds) > 1:
        raise TrainingError(f"{' and '.join(kinds)} do not make one basis: take clips of one kind")
    basis = fit_basis(moved, size)
    return ExpressionBasis(basis.mean, basis.components, basis.scale, basis.head, "".join(kinds))


def jitter_of(shape: NDArray[np.floating], valid: BoolArray) -> float:
    """How much landmarks shake from frame to frame, in thousandths of the distance between the eyes.

    Points that no expression moves should lie still once the head's pose is out: the second differences of theirs over
    three valid steps are noise, whose standard deviation they tell (white noise makes them sqrt(6) times larger). Nan
    without three such steps.
    """
    valid_triples = valid[:-2] & valid[1:-1] & valid[2:]
    if not valid_triples.any():
        return float("nan")
    rigid_points = np.asarray(shape, np.float64).reshape(len(shape), -1, 3)[:, list(RIGID_LANDMARKS), :2]
    second_differences = (rigid_points[2:] - 2 * rigid_points[1:-1] + rigid_points[:-2])[valid_triples]
    return float(1000 * np.sqrt((second_differences**2).mean() / 6))


def load_motions(
    rows: Sequence[Row],
    folder: Path,
    workers: int,
    done: Callable[[int], None],
    change: Change | None = None,
    packs: Path = MODELS,
) -> Iterator[tuple[Row, ClipMotion | str]]:
    """Motion of each clip, or the line that says why there is none; in the order of `rows`, analysed in parallel.

    With a `change` it is that of the changed clips, kept beside the others; `packs` holds the voice encoder.
    """
    task = partial(_row_motion, folder=folder, change=change, packs=packs)
    return analysed(rows, task, ClipMotion.load, workers, done)


def cached_motion(row: Row, folder: Path, change: Change | None = None, packs: Path = MODELS) -> Path:
    """File with the motion of a clip, made if it is not there.

    Raises `SourceError`, `CoefficientsError` and `OSError`.
    """
    coefficients = row.coefficients
    parts = [
        digest(row.path, row.sound),
        *([change.name] if change else []),
        *([digest(coefficients)[:12]] if coefficients else []),
        presence_key(),
    ]
    target = folder / f"{'.'.join([*parts, _voice_key(packs)])}.motion{MOTION_VERSION}.npz"
    if not target.exists():
        folder.mkdir(parents=True, exist_ok=True)
        if coefficients is None:
            motion = motion_of(row.path, *_engines(packs), change, row.sound, _presence())
        else:
            motion = motion_from_coefficients(
                coefficients, row.path, _engines(packs)[-1], change, row.sound, _presence()
            )
        motion.save(target)
    return target


def _row_motion(row: Row, folder: Path, change: Change | None, packs: Path) -> Path | str:
    try:
        return cached_motion(row, folder, change, packs)
    except (SourceError, CoefficientsError) as error:
        return str(error)
    except OSError as error:
        return f"{Path(error.filename or row.path).name}: {error.strerror}"


@cache
def _engines(packs: Path) -> tuple[Engine, Engine, Engine]:
    """Load the engines of this worker process, when its first uncached clip comes."""
    name, at = _voice_pack(packs)
    return load_engine(DETECTOR), load_engine(LANDMARK_MODEL), load_engine(name, models=at)


def _voice_pack(packs: Path) -> tuple[str, Path]:
    """Name the voice encoder that movement is heard by, and where it is."""
    own = home(VOICE, packs)
    beside = movement_voice_home(own)
    return (VOICE, own) if beside is None else (MOVEMENT_VOICE, beside)


@cache
def _presence() -> Engine | None:
    return load_presence()


@cache
def _voice_key(packs: Path) -> str:
    name, at = _voice_pack(packs)
    return load_pack(at / name).manifest.sha256[:12]


def motion_of(
    clip: Path,
    detector: Engine,
    landmarks: Engine,
    voice: Engine,
    change: Change | None = None,
    sound: Path | None = None,
    presence: Engine | None = None,
) -> ClipMotion:
    """Motion of the face that is seen longest, and the voice; raises `SourceError` when the clip cannot be read.

    `presence` hears whether somebody speaks (`monitor.voice.presence`).
    """
    tracker = FaceTracker(detector, landmarks)
    stream = VoiceStream(str(voice.manifest.preprocessing.get("sound", "mel80")), presence)
    items = read_media(clip, sound)
    main = follow_main_face(
        change(items) if change else items, tracker, stream, lambda frame, _: (frame.width, frame.height)
    )
    return _assemble(list(_resample(main.views)), main.chunks, voice, main.size, main.faces)


def motion_from_coefficients(
    coefficients: Path,
    clip: Path,
    voice: Engine,
    change: Change | None = None,
    sound: Path | None = None,
    presence: Engine | None = None,
) -> ClipMotion:
    """Load the motion that another tracker found, and the clip's voice; raises `SourceError` and `CoefficientsError`.

    Both begin with the clip. Nothing is known of the size and the shaking of the landmarks: zero and nan.
    """
    tracked = read_coefficients(coefficients, None if clip.is_dir() else probe_clip(clip).fps or None)
    stream = VoiceStream(str(voice.manifest.preprocessing.get("sound", "mel80")), presence)
    items = read_media(clip, sound)
    blocks = (item for item in (change(items) if change else items) if isinstance(item, AudioBlock))
    chunks = [chunk for block in blocks if (chunk := stream.push(block)) is not None]
    length = max([len(tracked.valid), *(chunk.first + len(chunk.sound) for chunk in chunks)])
    vectors, has_voice, speech = _voice(chunks, voice, length)
    missing = length - len(tracked.valid)
    shape, head = (np.pad(rows, ((0, missing), (0, 0))) for rows in (tracked.shape, tracked.head))
    valid = np.pad(tracked.valid, (0, missing)) & has_voice
    return ClipMotion(shape.astype(np.float16), head, valid, vectors, speech, 0.0, float("nan"), 1, tracked.name)


def _resample(chosen: Sequence[tuple[FaceView, tuple[int, int]]]) -> Iterator[GridSample]:
    resampler = Resampler()
    for view, frame in chosen:
        row = np.concatenate(remove_head_pose(view.landmarks, frame))
        yield from resampler.push(view.stamp.media, Sample(row, _NO_PICTURE, view.quality.problem is None))


def _assemble(
    steps: Sequence[GridSample], chunks: Sequence[VoiceChunk], voice: Engine, size: float, faces: int
) -> ClipMotion:
    ends = [step.index + 1 for step in steps] + [chunk.first + len(chunk.sound) for chunk in chunks]
    length = max(ends, default=0)
    rows = np.zeros((length, FACE_SHAPE_SIZE + HEAD_SIZE), np.float32)
    usable = np.zeros(length, np.bool_)
    for step in steps:
        if step.index >= 0:
            rows[step.index], usable[step.index] = step.sample.shape, step.sample.usable
    vectors, has_voice, speech = _voice(chunks, voice, length)
    shape, head, valid = rows[:, :FACE_SHAPE_SIZE].astype(np.float16), rows[:, FACE_SHAPE_SIZE:], usable & has_voice
    return ClipMotion(shape, head, valid, vectors, speech, size, jitter_of(shape, usable), faces)


def _voice(chunks: Sequence[VoiceChunk], engine: Engine, length: int) -> tuple[FloatArray, BoolArray, BoolArray]:
    """Vectors of the voice (length, V), which steps have one and sound under it, and in which somebody speaks."""
    encoder = StreamEncoder(engine, CHUNK_STEPS)
    (name,) = encoder.names
    encoded = [piece for chunk in chunks for piece in encoder.push(chunk.first, {name: chunk.mel}, chunk.usable)]
    if chunks:
        # The stream answers late: a tail of held steps, marked unusable, brings the last real ones out.
        end, tail = chunks[-1].first + len(chunks[-1].sound), 2 * CHUNK_STEPS
        encoded += encoder.push(end, {name: np.repeat(chunks[-1].mel[-1:], tail, 0)}, np.zeros(tail, np.bool_))
    vectors = np.zeros((length, engine.manifest.outputs[0].shape[-1]), np.float32)
    has_voice, heard, sound = (np.zeros(length, np.bool_) for _ in range(3))
    for piece in encoded:
        _write_part(vectors, piece.first, piece.vectors)
        _write_part(has_voice, piece.first, piece.flags)
    for chunk in chunks:
        _write_part(heard, chunk.first, chunk.heard)
        _write_part(sound, chunk.first, chunk.sound)
    return vectors, has_voice, spoken(heard, sound)


def _write_part(target: NDArray[Any], first: int, part: NDArray[Any]) -> None:
    """Write a part at its place, less what lies outside."""
    low, high = max(first, 0), min(first + len(part), len(target))
    if low < high:
        target[low:high] = part[low - first : high - first]
