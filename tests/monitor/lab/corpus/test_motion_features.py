"""Clips as movement: kept on disk as they are made, and a basis of some speakers that tells the others."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engines.base import Engine
from engines.load import load_engine
from engines.training.clips import TrainingError
from monitor.detectors.persona.windows import windows_of
from monitor.face.coefficients import BLENDSHAPE_NAMES, BLENDSHAPES
from monitor.face.expression import FACE_SHAPE_SIZE, HEAD_SIZE, BasisError, ExpressionBasis, explained_variance
from monitor.lab.corpus.manifest import Row, read_folder, read_manifest
from monitor.lab.corpus.motion_features import (
    ClipMotion,
    cached_motion,
    jitter_of,
    learn_basis,
    load_motions,
    motion_of,
)
from monitor.session.models import load_presence
from monitor.types import ByteArray, MediaItem, VideoFrame
from tests.monitor.lab.corpus.first_seconds import FirstSeconds
from tests.monitor.tap.clips import write_clip

# One clip of each: the basis is learnt from the former and tells the latter.
LEARNT = (
    "DiffDub__ablation_study__RD_Radio13_000_25fps__GT", "DiffDub__reconstruction__RD_Radio51_000_25fps__GT",
    "EAMM__surprised", "MimicTalk__German_20s", "MimicTalk__Trump_10s", "Syncnet_FCN__example", "deep_avsr__00016",
    "fsgan__shinzo_abe", "video-retalking__1",
)  # fmt: skip
HELD_OUT = ("EDTalk__uncrop_Obama", "LivePortrait__d20", "deep_avsr__00001", "video-retalking__5__fc207ec")
# A window of movement is three seconds long: two clips hold one, the shapes of a face are told by less.
LONGER = (LEARNT[1], HELD_OUT[1])
SECONDS = dict.fromkeys(LEARNT + HELD_OUT, 2.0) | dict.fromkeys(LONGER, 3.2)


@dataclass(frozen=True, slots=True)
class Turned:
    """The first three seconds, their picture turned by so many degrees clockwise, scaled about its middle and moved."""

    degrees: float
    scale: float
    name: str = "turned"

    def __call__(self, items: Iterable[MediaItem]) -> Iterator[MediaItem]:
        for item in FirstSeconds(3.0)(items):
            yield replace(item, y=self._turned(item.y)) if isinstance(item, VideoFrame) else item

    def _turned(self, luma: ByteArray) -> ByteArray:
        height, width = luma.shape
        (sine, cosine), x, y = (
            (f(np.radians(self.degrees)) / self.scale for f in (np.sin, np.cos)),
            width / 2,
            height / 2,
        )
        shift = (x - cosine * (x + 4) - sine * (y - 3), y + sine * (x + 4) - cosine * (y - 3))
        back = (cosine, sine, shift[0], -sine, cosine, shift[1])
        picture = Image.fromarray(luma)
        return np.asarray(picture.transform(picture.size, Image.Transform.AFFINE, back, Image.Resampling.BICUBIC))


@pytest.fixture(scope="module")
def voice() -> Engine:
    return load_engine("speech_voice")


@pytest.fixture(scope="module")
def clips(data_dir: Path, detector: Engine, landmarks: Engine, voice: Engine) -> dict[str, ClipMotion]:
    folder = data_dir / "clips" / "real"
    return {
        name: motion_of(
            folder / f"{name}.mp4", detector, landmarks, voice, FirstSeconds(seconds), None, load_presence()
        )
        for name, seconds in SECONDS.items()
    }


@pytest.fixture(scope="module")
def basis(clips: dict[str, ClipMotion]) -> ExpressionBasis:
    return learn_basis([(name, clips[name]) for name in LEARNT])


@pytest.mark.data
def test_a_basis_explains_people_that_it_has_not_seen(clips: dict[str, ClipMotion], basis: ExpressionBasis) -> None:
    shares = []
    for name in HELD_OUT:
        shapes = clips[name].shape[clips[name].valid].astype(np.float32)
        shares.append(explained_variance(basis, shapes, np.median(shapes, axis=0)))
    assert np.mean(shares) >= 0.95, shares
    assert min(shares) >= 0.9, shares


@pytest.mark.data
def test_what_a_clip_gives(clips: dict[str, ClipMotion], basis: ExpressionBasis) -> None:
    for name, clip in clips.items():
        assert len(clip) == pytest.approx(25 * SECONDS[name], abs=3), name
        assert clip.shape.shape == (len(clip), FACE_SHAPE_SIZE)
        assert clip.voice.shape == (len(clip), 128)
        assert clip.valid.mean() > 0.8, name
        # One of them says nothing in its first seconds, and what hears speech without its pack misses some that do.
        assert clip.speech.mean() > 0.3 or name == "EAMM__surprised" or load_presence() is None, name
        assert 60 < clip.size < 700, name
        assert 0.2 < clip.jitter < 5, name
        motion = clip.motion(basis)
        assert motion.dtype == np.float32
        windows = windows_of(motion, clip.valid, clip.voice, clip.speech, 12)
        assert windows or name not in LONGER
        for window in windows:
            assert window.motion.shape == (75, basis.width)
            assert 0.1 < np.abs(window.motion[:, :HEAD_SIZE]).mean() < 5


@pytest.mark.data
@pytest.mark.parametrize(("degrees", "scale", "share"), [(0.0, 0.85, 0.05), (12.0, 1.0, 0.3)])
def test_a_picture_that_is_moved_smaller_or_turned(
    data_dir: Path, detector: Engine, landmarks: Engine, voice: Engine, clips: dict[str, ClipMotion],
    basis: ExpressionBasis, degrees: float, scale: float, share: float,
) -> None:  # fmt: skip
    """The fit is exact and the landmark model is not: what it adds, as a share of the variance of the shapes.

    It adds the most where the picture is turned, as it then looks at a larger square about the face.
    """
    name = LEARNT[1]
    still, path = clips[name], data_dir / "clips" / "real" / f"{name}.mp4"
    moved = motion_of(path, detector, landmarks, voice, Turned(degrees, scale))
    valid = still.valid[: len(moved)] & moved.valid
    assert valid.mean() > 0.9
    one, other = (clip.motion(basis)[: len(moved)][valid] for clip in (still, moved))
    assert np.degrees(other[:, -4] - one[:, -4]) == pytest.approx(np.full(len(one), degrees), abs=3)
    assert np.exp(other[:, -1] - one[:, -1]) == pytest.approx(np.full(len(one), scale), rel=0.03)
    told, again = (
        basis.scale * (rows[:, :-HEAD_SIZE] - np.median(rows[:, :-HEAD_SIZE], axis=0)) for rows in (one, other)
    )
    assert ((told - again) ** 2).mean() < share * (told**2).mean()


def test_a_clip_without_a_face_moves_nothing(
    tmp_path: Path, detector: Engine, landmarks: Engine, voice: Engine
) -> None:
    found = motion_of(write_clip(tmp_path / "bars.mp4", seconds=1.0), detector, landmarks, voice)
    assert len(found) == pytest.approx(25, abs=3)
    assert not found.valid.any()
    assert (found.size, found.faces) == (0.0, 0)
    assert np.isnan(found.jitter)
    assert found.voice.any()


def test_a_clip_without_sound_is_nowhere_valid(
    tmp_path: Path, detector: Engine, landmarks: Engine, voice: Engine
) -> None:
    found = motion_of(write_clip(tmp_path / "mute.mp4", seconds=1.0, audio=None), detector, landmarks, voice)
    assert not found.voice.any()
    assert not (found.valid | found.speech).any()


def made(steps: int = 50, seed: int = 0, name: str = "landmarks", width: int = FACE_SHAPE_SIZE) -> ClipMotion:
    random = np.random.default_rng(seed)
    shape, head = random.normal(0, 0.05, (steps, width)).astype(np.float16), random.normal(0, 0.1, (steps, HEAD_SIZE))
    flags = np.ones(steps, np.bool_)
    voice = random.normal(size=(steps, 128)).astype(np.float32)
    return ClipMotion(shape, head.astype(np.float32), flags, voice, flags, 200.0, 1.0, 1, name)


def test_what_is_saved_is_read(tmp_path: Path) -> None:
    one = made(name="flame")
    one.save(tmp_path / "a.npz")
    again = ClipMotion.load(tmp_path / "a.npz")
    for field in fields(ClipMotion):
        assert np.array_equal(getattr(one, field.name), getattr(again, field.name)), field.name
    assert [path.name for path in tmp_path.iterdir()] == ["a.npz"]
    assert len(again) == 50


def test_jitter_is_that_of_points_that_lie_still() -> None:
    random = np.random.default_rng(0)
    still = np.tile(random.normal(0, 0.1, FACE_SHAPE_SIZE), (400, 1))
    shape = still + random.normal(0, 0.002, still.shape)
    valid = np.ones(400, np.bool_)
    assert jitter_of(shape, valid) == pytest.approx(2, rel=0.05)
    drifting = shape + np.linspace(0, 1, 400)[:, None]
    assert jitter_of(drifting, valid) == pytest.approx(2, rel=0.05)
    assert np.isnan(jitter_of(shape, np.arange(400) % 3 > 0))


def test_bases_of_clips_of_one_kind() -> None:
    told = [("a", made(seed=1, name="flame", width=53)), ("b", made(seed=2, name="flame", width=53))]
    found = learn_basis(told, 5)
    assert (found.size, found.name, found.width) == (5, "flame", 11)
    assert told[0][1].motion(found).shape == (50, 11)
    with pytest.raises(BasisError, match="shapes of 1404 numbers do not fit a basis of 53"):
        made().motion(found)
    with pytest.raises(TrainingError, match="flame and landmarks do not make one basis"):
        learn_basis([*told, ("c", made())], 5)


@pytest.mark.data
def test_motions_are_kept_by_content(data_dir: Path, tmp_path: Path) -> None:
    path = data_dir / "clips" / "real" / "LipReadingQuiz__nicole_against.mp4"
    rows = [Row(path, "a", "real", "real", "p"), Row(tmp_path / "no.mp4", "b", "real", "real", "p")]
    (tmp_path / "words.mp4").write_text("these are words")
    rows.append(Row(tmp_path / "words.mp4", "c", "real", "real", "p"))
    counts: list[int] = []
    (_, found), (_, absent), (_, words) = load_motions(rows, tmp_path / "kept", 1, counts.append)
    assert isinstance(found, ClipMotion)
    assert found.valid.mean() > 0.8
    assert absent == "no.mp4: No such file or directory"
    assert isinstance(words, str)
    assert "words.mp4" in words
    assert counts == [1, 2, 3]
    (kept,) = (tmp_path / "kept").iterdir()
    assert cached_motion(rows[0], tmp_path / "kept") == kept
    changed = cached_motion(rows[0], tmp_path / "kept", FirstSeconds(0.5))
    assert changed != kept
    assert len(ClipMotion.load(changed)) < len(found)


def test_coefficients_stand_in_for_landmarks(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    write_clip(tmp_path / "a" / "1.mp4", seconds=2.0)
    frames = [
        {"time": n / 25, "face_blendshapes": [[{"category_name": name, "score": n / 100} for name in BLENDSHAPE_NAMES]]}
        for n in range(40)
    ]
    (tmp_path / "a" / "1.blendshapes.json").write_text(json.dumps(frames))
    (row,) = read_folder(tmp_path)
    found = ClipMotion.load(cached_motion(row, tmp_path / "kept"))
    assert (found.name, found.shape.shape[1], found.faces) == (BLENDSHAPES, 52, 1)
    assert len(found) == pytest.approx(50, abs=3)
    assert found.valid[:40].mean() > 0.9
    assert not found.valid[40:].any()
    assert found.shape[10, 5] == pytest.approx(0.1, abs=1e-3)
    assert found.voice.any()
    (tmp_path / "m.csv").write_text("path,label,method,subject,coefficients\na/1.mp4,real,real,a,a/none.npz\n")
    (named,) = read_manifest(tmp_path / "m.csv")
    assert named.coefficients == tmp_path / "a" / "none.npz"
    ((_, reason),) = load_motions([named], tmp_path / "kept", 1, lambda _: None)
    assert reason == "none.npz: No such file or directory"
    (tmp_path / "a" / "none.npz").write_text("nothing")
    ((_, reason),) = load_motions([named], tmp_path / "kept", 1, lambda _: None)
    assert reason == "none.npz cannot be read (ValueError): write it anew"
