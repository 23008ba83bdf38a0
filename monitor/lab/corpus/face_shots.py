"""Looks at the face of a recorded clip, on every rung of the ladder of call conditions, kept on disk by content.

What fitting the population, and measuring against it, read instead of media. Pictures are kept and not vectors, so
that a new encoder is measured without reading a clip again.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import cache, partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engines.base import Engine
from engines.load import load_engine
from monitor.face.crops import cut_rgb
from monitor.face.geometry import Pose
from monitor.face.shot import FaceShot
from monitor.face.track import FACE_SIZE, FaceTracker, FaceView, face_region
from monitor.identity.enrolment.condition_ladder import Moment, Step, make_rungs, moment_of
from monitor.lab.corpus.manifest import Row
from monitor.lab.corpus.npz import write_npz
from monitor.session.models import DETECTOR, LANDMARKS
from monitor.tap.media.digest import digest
from monitor.tap.media.source import SourceError
from monitor.tap.replay import probe_clip, read_clip
from monitor.types import ByteArray, FloatArray, MediaItem, VideoFrame

# Raised whenever the looks of a clip would change.
SHOTS_VERSION = 2
MAX_SHOTS = 24
MAX_CLIP_SECONDS = 20.0
SECONDS_BETWEEN_SHOTS = 0.2


@dataclass(frozen=True, slots=True, eq=False)
class ClipLooks:
    """The shots of one clip on each rung, by its name; `bitrate` of the file is in kbit/s, sound included."""

    rungs: dict[str, list[FaceShot]]
    bitrate: float

    def __len__(self) -> int:
        return len(next(iter(self.rungs.values()), []))


def load_looks(
    rows: Sequence[Row], folder: Path, workers: int, steps: Sequence[Step], done: Callable[[int], None]
) -> Iterator[tuple[Row, ClipLooks | str]]:
    """Yield each clip's looks, or the line that says why there are none: in the order of `rows`, analysed in parallel.

    They are seen on the rungs that `steps` name.
    """
    with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
        task = partial(_row_looks, folder=folder, steps=tuple(steps))
        for count, (row, looks) in enumerate(zip(rows, pool.map(task, rows), strict=True), 1):
            done(count)
            yield row, read_looks(looks) if isinstance(looks, Path) else looks


def ladder_key(steps: Sequence[Step]) -> str:
    """Digest of all that the rungs are made by."""
    return hashlib.sha256(repr(tuple(steps)).encode()).hexdigest()[:12]


def _row_looks(row: Row, folder: Path, steps: Sequence[Step]) -> Path | str:
    try:
        path = folder / f"{digest(row.path)}-{ladder_key(steps)}.looks{SHOTS_VERSION}.npz"
    except OSError as error:
        return f"{row.name}: {error.strerror}"
    if path.exists():
        return path
    try:
        moments = moments_of(read_clip(row.path), *_engines())
    except SourceError as error:
        return str(error)
    bitrate = row.path.stat().st_size * 8e-3 / max(probe_clip(row.path).seconds, 0.1)
    write_looks(ClipLooks(dict(make_rungs(moments, steps)), bitrate), path)
    return path


def moments_of(
    items: Iterable[MediaItem],
    detector: Engine,
    landmarks: Engine,
    max_shots: int = MAX_SHOTS,
    seconds: float = MAX_CLIP_SECONDS,
) -> list[Moment]:
    """Pick moments of the face that is seen longest in the first seconds, evenly spread; raises `SourceError`."""
    tracker = FaceTracker(detector, landmarks)
    moments_by_track: defaultdict[int, list[Moment]] = defaultdict(list)
    next_seconds: defaultdict[int, float] = defaultdict(lambda: -np.inf)
    for item in items:
        if not isinstance(item, VideoFrame):
            continue
        if item.stamp.media > seconds:
            break
        for view in tracker(item):
            if item.stamp.media < next_seconds[view.track]:
                continue
            moment = moment_of(item, view if view.face is not None else _with_face(item, view))
            if moment is not None:
                next_seconds[view.track] = item.stamp.media + SECONDS_BETWEEN_SHOTS - 1e-3
                moments_by_track[view.track].append(moment)
    longest = max(moments_by_track.values(), key=lambda moments: sum(m.shot.size for m in moments), default=[])
    return [
        longest[n] for n in np.unique(np.linspace(0, max(len(longest) - 1, 0), max_shots).astype(int))[: len(longest)]
    ]


def _with_face(frame: VideoFrame, view: FaceView) -> FaceView:
    # The tracker cuts a face twice a second: a short clip gives too few.
    return replace(view, face=cut_rgb(frame, face_region(view.box), FACE_SIZE))


def write_looks(looks: ClipLooks, path: Path) -> None:
    """Write to an .npz file, whole or not at all."""
    arrays: dict[str, NDArray[np.generic]] = {"names": np.array(list(looks.rungs)), "bitrate": np.array(looks.bitrate)}
    for n, shots in enumerate(looks.rungs.values()):
        if n == 0:
            arrays["time"] = np.array([shot.time for shot in shots])
            arrays["landmarks"] = _stack([shot.landmarks for shot in shots], (468, 3))
            arrays["rotation"] = _stack([shot.pose.rotation for shot in shots], (3, 3))
            arrays["shift"] = _stack([shot.pose.shift for shot in shots], (3,))
        arrays[f"scale{n}"] = np.array([shot.pose.scale for shot in shots])
        arrays[f"pictures{n}"] = np.array([shot.picture for shot in shots], np.uint8)
        arrays[f"size{n}"] = np.array([shot.size for shot in shots])
        arrays[f"sharpness{n}"] = np.array([shot.sharpness for shot in shots])
    write_npz(path, arrays)


def read_looks(path: Path) -> ClipLooks:
    """Read what `write_looks` wrote."""
    with np.load(path, allow_pickle=False) as arrays:
        time, landmarks, rotation, shift = (arrays[name] for name in ("time", "landmarks", "rotation", "shift"))
        rungs = {}
        for n, name in enumerate(arrays["names"].tolist()):
            scale, size, sharpness = (arrays[f"{what}{n}"] for what in ("scale", "size", "sharpness"))
            pictures: ByteArray = arrays[f"pictures{n}"]
            rungs[str(name)] = [
                FaceShot(
                    float(time[i]),
                    pictures[i],
                    landmarks[i],
                    Pose(float(scale[i]), rotation[i], shift[i]),
                    float(size[i]),
                    float(sharpness[i]),
                )
                for i in range(len(time))
            ]
        return ClipLooks(rungs, float(arrays["bitrate"]))


def _stack(arrays: Sequence[FloatArray], shape: tuple[int, ...]) -> FloatArray:
    return np.stack(arrays) if arrays else np.zeros((0, *shape), np.float32)


@cache
def _engines() -> tuple[Engine, Engine]:
    return load_engine(DETECTOR), load_engine(LANDMARKS)
