"""Faces for training: crops with landmarks out of portraits and genuine clips, kept on disk by their source's content.

A crop shows more than the encoders see, so that training can move about in it.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import cache, partial
from multiprocessing import get_context
from pathlib import Path

import av
import numpy as np
from PIL import Image, UnidentifiedImageError

from engines.base import Engine
from engines.load import load_engine
from engines.training.faces import CROP_PIXELS, REACH, Face
from monitor.face.crops import Region, cut_rgb
from monitor.face.track import FaceTracker, FaceView, face_region
from monitor.lab.corpus.manifest import SUFFIXES, Row, read_manifest
from monitor.lab.corpus.npz import write_npz
from monitor.session.models import DETECTOR, LANDMARKS
from monitor.tap.media.formats import to_video_frame
from monitor.tap.media.source import SourceError
from monitor.tap.replay import read_clip
from monitor.types import ByteArray, ClockState, FloatArray, Stamp, VideoFrame

PHOTO_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}
# Raised whenever the crops of a source would change.
CROPS_VERSION = 2
# Landmarks of a still are read a few times over: the first look has only the detector's box to go by.
FRAMES_PER_PHOTO = 3
SECONDS_BETWEEN_CROPS = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Crops:
    """Faces of one photo or clip: `pictures` (N, 256, 256, 3) uint8 RGB and `landmarks` (N, 468, 2) in pixels of it."""

    pictures: ByteArray
    landmarks: FloatArray

    def __len__(self) -> int:
        return len(self.pictures)


def face_rows(data: Sequence[Path], hold_out: str) -> list[Row]:
    """Genuine pictures and clips of manifests and folders, with a fifth of the people in the fold to hold out.

    People of whom a manifest also has forged clips are left out altogether. Raises `CorpusError`.
    """
    chosen: list[Row] = []
    for place in data:
        rows = _read(place)
        forged = {row.subject for row in rows if row.label == "fake"}
        chosen += [row for row in rows if row.label == "real" and row.subject not in forged]
    return [row if row.fold else replace(row, fold=hold_out if _is_held_out(row) else "train") for row in chosen]


def _read(place: Path) -> list[Row]:
    if place.is_dir():
        files = sorted(p for p in place.rglob("*") if p.suffix.lower() in PHOTO_SUFFIXES | SUFFIXES)
        return [Row(p, str(p.relative_to(place)), "real", "real", p.parent.name) for p in files]
    return read_manifest(place, ("path", "label", "subject"))


def _is_held_out(row: Row) -> bool:
    return zlib.crc32(row.subject.encode()) % 5 == 0


def load_faces(
    rows: Sequence[Row],
    folder: Path,
    workers: int,
    per_clip: int,
    done: Callable[[int], None],
    note: Callable[[str], None],
) -> list[Face]:
    """Faces of every row, at most `per_clip` of each clip, analysed in parallel and kept in `folder`.

    `note` is told what could not be used.
    """
    faces: list[Face] = []
    with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
        task = partial(_row_crops, folder=folder, per_clip=per_clip)
        for count, (row, crops) in enumerate(zip(rows, pool.map(task, rows, chunksize=8), strict=True), 1):
            done(count)
            if isinstance(crops, str):
                note(crops)
                continue
            still = row.path.suffix.lower() in PHOTO_SUFFIXES
            faces += [
                Face(one, points, row.subject, row.source, row.fold, still)
                for one, points in zip(crops.pictures, crops.landmarks, strict=True)
            ]
    return faces


def _row_crops(row: Row, folder: Path, per_clip: int) -> Crops | str:
    try:
        digest = hashlib.sha256(row.path.read_bytes()).hexdigest()[:32]
    except OSError:
        return f"{row.name}: cannot be read"
    path = folder / f"{digest}-faces{CROPS_VERSION}-{per_clip}.npz"
    if path.exists():
        with np.load(path, allow_pickle=False) as data:
            return _usable(row, Crops(data["pictures"], data["landmarks"]))
    try:
        crops = crops_of(row.path, per_clip)
    except SourceError as error:
        return str(error)
    write_npz(path, {"pictures": crops.pictures, "landmarks": crops.landmarks})
    return _usable(row, crops)


def _usable(row: Row, crops: Crops) -> Crops | str:
    return crops if len(crops) else f"{row.name}: no single face to be seen"


def crops_of(path: Path, per_clip: int = 1) -> Crops:
    """Cut the faces of a photo, or of a clip at moments at least a second apart; raises `SourceError`."""
    detector, landmarks = _engines()
    tracker = FaceTracker(detector, landmarks)
    crops = [
        (cut_rgb(frame, region, CROP_PIXELS), (view.landmarks[:, :2] - corner) * np.float32(CROP_PIXELS / region.side))
        for frame, view in _views(path, tracker, per_clip)
        for region, corner in [_wide(view)]
    ]
    return Crops(
        np.stack([picture for picture, _ in crops]) if crops else np.zeros((0, CROP_PIXELS, CROP_PIXELS, 3), np.uint8),
        np.stack([points for _, points in crops]).astype(np.float32) if crops else np.zeros((0, 468, 2), np.float32),
    )


def _views(path: Path, tracker: FaceTracker, per_clip: int) -> Iterator[tuple[VideoFrame, FaceView]]:
    if path.suffix.lower() in PHOTO_SUFFIXES:
        frame = photo(path)
        views = [
            tracker(replace(frame, stamp=replace(frame.stamp, media=look / 30))) for look in range(FRAMES_PER_PHOTO)
        ][-1]
        if len(views) == 1:
            yield frame, views[0]
        return
    next_seconds, count = -np.inf, 0
    for item in read_clip(path):
        if not isinstance(item, VideoFrame):
            continue
        views = tracker(item)
        if len(views) != 1 or views[0].quality.problem is not None or item.stamp.media < next_seconds:
            continue
        yield item, views[0]
        next_seconds, count = item.stamp.media + SECONDS_BETWEEN_CROPS, count + 1
        if count == per_clip:
            return


def photo(path: Path) -> VideoFrame:
    """Read a photo as the one frame of a clip, 4:2:0 as calls carry pictures; raises `SourceError`."""
    try:
        with Image.open(path) as image:
            pixels = np.asarray(image.convert("RGB"))
    except (OSError, UnidentifiedImageError):
        raise SourceError(f"{path.name} cannot be read as a picture: leave it out") from None
    even = np.ascontiguousarray(pixels[: pixels.shape[0] // 2 * 2, : pixels.shape[1] // 2 * 2])
    return to_video_frame(av.VideoFrame.from_ndarray(even, "rgb24"), Stamp(0.0, 0.0, 0.0, ClockState.UNKNOWN, 0.0))


def _wide(view: FaceView) -> tuple[Region, FloatArray]:
    region = face_region(view.box, REACH)
    return region, np.array([region.x - region.side / 2, region.y - region.side / 2], np.float32)


@cache
def _engines() -> tuple[Engine, Engine]:
    return load_engine(DETECTOR, "openvino"), load_engine(LANDMARKS, "openvino")
