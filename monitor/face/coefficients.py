"""Expressions that another tracker has told: FLAME coefficient files and the 52 blendshapes, onto the 25 Hz grid.

They take the place of landmarks: a `Coefficients` holds shapes of another width under another name, and everything
that makes a basis, a neutral or windows of landmarks does so of these. Both trackers stand y upwards and z towards the
camera; heads come out as `monitor.face.expression.level` tells them. Pure but for reading the file.
"""

from __future__ import annotations

import csv
import io
import json
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.errors import SidewitnessError
from monitor.face.expression import HEAD_SIZE
from monitor.face.geometry import Pose
from monitor.types import BoolArray, FloatArray
from monitor.window.grid import Resampler, Sample

FLAME, BLENDSHAPES = "flame", "blendshapes"
SUFFIXES = (".flame.npz", ".blendshapes.json", ".blendshapes.csv")
_NAMES = """_neutral browDownLeft browDownRight browInnerUp browOuterUpLeft browOuterUpRight cheekPuff cheekSquintLeft
cheekSquintRight eyeBlinkLeft eyeBlinkRight eyeLookDownLeft eyeLookDownRight eyeLookInLeft eyeLookInRight eyeLookOutLeft
eyeLookOutRight eyeLookUpLeft eyeLookUpRight eyeSquintLeft eyeSquintRight eyeWideLeft eyeWideRight jawForward jawLeft
jawOpen jawRight mouthClose mouthDimpleLeft mouthDimpleRight mouthFrownLeft mouthFrownRight mouthFunnel mouthLeft
mouthLowerDownLeft mouthLowerDownRight mouthPressLeft mouthPressRight mouthPucker mouthRight mouthRollLower
mouthRollUpper mouthShrugLower mouthShrugUpper mouthSmileLeft mouthSmileRight mouthStretchLeft mouthStretchRight
mouthUpperUpLeft mouthUpperUpRight noseSneerLeft noseSneerRight"""
# The categories of MediaPipe's face_landmarker in its own order, after ARKit's.
CATEGORIES = tuple(_NAMES.split())
# What published trackers call the same arrays: DECA, EMOCA, SMIRK and SPECTRE; VHAP; flame-head-tracker.
_EXPRESSION = ("expression", "expr", "exp", "expcode")
_JAW = ("jaw_pose", "jaw", "jawpose")
_TURN = ("global_orient", "global_pose", "rotation", "head_pose")
_BOTH = ("pose", "posecode")
_PLACE = ("translation", "transl", "trans")
# Between the outer corners of the eyes: of MediaPipe's canonical face in cm, of FLAME's mean face in m.
_EYES_CM, _EYES_M = 8.9, 0.09
_FLIP = np.array([1.0, -1.0, -1.0])
LONGEST = 1.0
_DAMAGE = (ValueError, KeyError, TypeError, EOFError, AttributeError, csv.Error, zipfile.BadZipFile, zlib.error)
_NO_PICTURE = np.zeros((0, 0), np.uint8)

Doubles = NDArray[np.float64]


class CoefficientsError(SidewitnessError):
    """A file of coefficients cannot be read; the message is one line that says what to do."""


@dataclass(frozen=True, slots=True, eq=False)
class Coefficients:
    """One recording on the 25 Hz grid: `shape` (T, D), `head` (T, 6), `valid` (T,); `name` says which kind."""

    shape: FloatArray
    head: FloatArray
    valid: BoolArray
    name: str


def find_coefficients(clip: Path) -> Path | None:
    """Find the file of coefficients that lies beside a clip under its name, if there is one."""
    return next((path for suffix in SUFFIXES if (path := clip.with_suffix(suffix)).is_file()), None)


beside = find_coefficients


def read_coefficients(path: Path, fps: float | None = None) -> Coefficients:
    """Read a FLAME .npz, or 52 blendshapes as .csv or .json; raises `CoefficientsError`.

    `fps` is the rate of the pictures they were told from, for files that say neither a rate nor times.
    """
    readers = {".npz": _flame, ".csv": _table, ".json": _results}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise CoefficientsError(f"{path.name} is not a .npz, .csv or .json: give FLAME coefficients or blendshapes")
    try:
        times, shape, head = reader(path.read_bytes(), fps)
    except CoefficientsError as error:
        raise CoefficientsError(f"{path.name}: {error}") from None
    except OSError as error:
        raise CoefficientsError(f"{path.name} cannot be read ({error.strerror}): check the path") from None
    except _DAMAGE as error:
        raise CoefficientsError(f"{path.name} cannot be read ({type(error).__name__}): write it anew") from None
    if len(times) < 2 or not (np.diff(times) > 0).all():
        raise CoefficientsError(f"{path.name}: times do not advance from row to row: write every frame once, in order")
    if times[-1] - times[0] > LONGEST * len(times):
        raise CoefficientsError(f"{path.name} has fewer than a row a second: give times in seconds")
    return _resampled(times, shape, head, FLAME if reader is _flame else BLENDSHAPES)


def _resampled(times: Doubles, shape: Doubles, head: Doubles, name: str) -> Coefficients:
    rows = np.concatenate([shape, head], 1)
    usable = np.isfinite(rows).all(1)
    resampler = Resampler(max_hole=np.inf)
    steps = [
        step
        for time, row, good in zip(times - times[0], np.nan_to_num(rows).astype(np.float32), usable, strict=True)
        for step in resampler.push(float(time), Sample(row, _NO_PICTURE, bool(good)))
    ]
    told, valid = np.stack([step.sample.shape for step in steps]), np.array([step.sample.usable for step in steps])
    return Coefficients(told[:, :-HEAD_SIZE], told[:, -HEAD_SIZE:], valid, name)


def _flame(data: bytes, fps: float | None) -> tuple[Doubles, Doubles, Doubles]:
    with np.load(io.BytesIO(data), allow_pickle=False) as held:
        arrays = {name: np.asarray(held[name]) for name in held.files}
    expression = _rows(arrays, _EXPRESSION)
    if expression is None:
        raise CoefficientsError(f"no expression in it: name the array {' or '.join(_EXPRESSION)}, (frames, numbers)")
    both = _rows(arrays, _BOTH, 6, len(expression))
    jaw, turn = (_rows(arrays, names, 3, len(expression)) for names in (_JAW, _TURN))
    if both is not None:
        turn, jaw = both[:, :3] if turn is None else turn, both[:, 3:6] if jaw is None else jaw
    if jaw is None:
        raise CoefficientsError(f"no jaw in it: name the array {' or '.join(_JAW)}, or give pose of six numbers")
    place, camera = (_rows(arrays, names, 3, len(expression)) for names in (_PLACE, ("cam",)))
    head = np.zeros((len(expression), HEAD_SIZE))
    if turn is not None:
        head[:, :3] = [_angles(_rotation(one)) for one in turn]
    if place is not None:
        head[:, 3:5] = place[:, :2] * _FLIP[:2] / _EYES_M
        # How far the camera stands is only known where the face is told from the camera.
        head[:, 5] = -np.log(np.maximum(np.abs(place[:, 2]), 1e-3))
    elif camera is not None:
        # Weak perspective: the picture is scale * (face + shift), in units of the face.
        head[:, 3:5] = camera[:, 1:] * _FLIP[:2] / _EYES_M
        head[:, 5] = np.log(np.maximum(camera[:, 0], 1e-3))
    return _times(arrays, len(expression), fps), np.concatenate([expression, jaw], 1), head


def _rows(arrays: Mapping[str, NDArray[Any]], names: Sequence[str], width: int = 0, count: int = 0) -> Doubles | None:
    """Give the first array of these names as (T, `width`); also one with an axis of length one between."""
    found = next((arrays[name] for name in names if name in arrays), None)
    if found is None:
        return None
    rows = np.asarray(found, np.float64)
    rows = rows.reshape(len(rows), -1) if rows.ndim > 1 else rows[:, None]
    if (width and rows.shape[1] != width) or (count and len(rows) != count):
        wanted = f"({count or 'frames'}, {width or 'numbers'})"
        raise CoefficientsError(f"{'/'.join(names)} is of shape {found.shape}, not {wanted}: write it anew")
    return rows


def _times(arrays: Mapping[str, NDArray[Any]], count: int, fps: float | None) -> Doubles:
    rate = float(arrays["fps"]) if "fps" in arrays else fps
    if "time" in arrays:
        return np.asarray(arrays["time"], np.float64).reshape(count)
    if rate is None or not np.isfinite(rate) or rate <= 0:
        raise CoefficientsError("neither fps nor time in it: add the frame rate of the pictures as fps")
    return np.asarray(np.arange(count) / rate, np.float64)


def _table(data: bytes, fps: float | None) -> tuple[Doubles, Doubles, Doubles]:
    reader = csv.DictReader(io.StringIO(data.decode("utf-8-sig")))
    names = {name.strip(): name for name in reader.fieldnames or ()}
    _check_names(names)
    rows = [{short: _number(raw.get(name)) for short, name in names.items()} for raw in reader]
    shape = np.array([[row.get(name, 0.0) for name in CATEGORIES] for row in rows]).reshape(len(rows), len(CATEGORIES))
    heads = np.array([_table_head(row) for row in rows]).reshape(len(rows), HEAD_SIZE)
    if "time" in names:
        times = np.array([row["time"] for row in rows])
    elif "timestamp_ms" in names:
        times = np.array([row["timestamp_ms"] for row in rows]) / 1000
    else:
        count = np.array([row["frame"] for row in rows]) if "frame" in names else np.arange(len(rows))
        times = count / _needed(fps)
    return np.asarray(times, np.float64), shape, heads


def _needed(fps: float | None) -> float:
    if fps is None:
        raise CoefficientsError("no times in it: add a column time in seconds, or timestamp_ms")
    return fps


def _check_names(names: Mapping[str, object]) -> None:
    missing = [name for name in CATEGORIES[1:] if name not in names]
    if missing:
        raise CoefficientsError(
            f"no {missing[0]} in it and {len(missing) - 1} more: give all of MediaPipe's blendshapes"
        )


def _number(text: str | None) -> float:
    return float(text) if text and text.strip() else float("nan")


def _table_head(row: Mapping[str, float]) -> Doubles:
    if all(f"m{i}{j}" in row for i in range(3) for j in range(4)):
        return _matrix_head(np.array([[row[f"m{i}{j}"] for j in range(4)] for i in range(3)]))
    head = np.zeros(HEAD_SIZE)
    head[:3] = np.radians([row.get(name, 0.0) for name in ("yaw", "pitch", "roll")])
    return head


def _results(data: bytes, fps: float | None) -> tuple[Doubles, Doubles, Doubles]:
    """Read a list of the face_landmarker's results, as its Python or its web interface spells them."""
    held = json.loads(data)
    frames = held["frames"] if isinstance(held, dict) else held
    if isinstance(held, dict) and "fps" in held:
        fps = float(held["fps"])
    pairs = [_frame(frame) for frame in frames]
    if not any(found for found, _ in pairs):
        raise CoefficientsError("no blendshapes in it: have the face_landmarker give them (output_face_blendshapes)")
    times = [_frame_time(frame, count, fps) for count, frame in enumerate(frames)]
    shape = [[found.get(name, 0.0) if found else np.nan for name in CATEGORIES] for found, _ in pairs]
    return np.array(times), np.array(shape), np.array([head for _, head in pairs])


def _frame_time(frame: Mapping[str, Any], count: int, fps: float | None) -> float:
    for name, unit in (("time", 1.0), ("timestamp_ms", 1e-3), ("timestampMs", 1e-3)):
        if name in frame:
            return float(frame[name]) * unit
    return count / _needed(fps)


def _frame(frame: Mapping[str, Any]) -> tuple[dict[str, float], Doubles]:
    """Blendshapes by name and head of the first face of a result; nothing, and nan, where it has none."""
    faces = frame.get("face_blendshapes", frame.get("faceBlendshapes")) or []
    matrices = frame.get("facial_transformation_matrixes", frame.get("facialTransformationMatrixes")) or []
    if not faces:
        return {}, np.full(HEAD_SIZE, np.nan)
    first = faces[0]["categories"] if isinstance(faces[0], dict) else faces[0]
    found = {str(one.get("category_name", one.get("categoryName"))): float(one["score"]) for one in first}
    _check_names(found)
    return found, _matrix_head(_matrix(matrices[0])) if matrices else np.zeros(HEAD_SIZE)


def _matrix(held: Any) -> Doubles:
    """Read 4 x 4 numbers: rows of rows, or all in line by columns (web) or by rows, told by where the shift is."""
    flat = np.asarray(held["data"] if isinstance(held, dict) else held, np.float64)
    matrix = flat.reshape(4, 4)
    return matrix.T if np.abs(matrix[3, :3]).max() > 1e-6 else matrix


def _matrix_head(matrix: Doubles) -> Doubles:
    """Head of MediaPipe's canonical face by its transformation, (3, 4) or (4, 4), in centimetres."""
    turn, shift = matrix[:3, :3], matrix[:3, 3]
    # The transformation may scale the face, too: the rotation is what is left of it.
    size = np.cbrt(max(float(np.linalg.det(turn)), 1e-9)) if np.isfinite(turn).all() else np.nan
    away = max(abs(float(shift[2])), 1e-3)
    return np.array([*_angles(turn / size), *(shift[:2] * _FLIP[:2] / (_EYES_CM * size)), np.log(size / away)])


def _rotation(turn: Doubles) -> Doubles:
    """Rotation matrix of an axis times an angle (Rodrigues)."""
    angle = float(np.linalg.norm(turn))
    x, y, z = turn / max(angle, 1e-12)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.asarray(np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross, np.float64)


def _angles(rotation: Doubles) -> Doubles:
    """Yaw, pitch and roll in radians of a rotation in a frame with y upwards, as ours are told."""
    ours = (rotation * _FLIP[:, None] * _FLIP).astype(np.float32)
    return np.radians(Pose(1.0, ours, np.zeros(3, np.float32)).angles)
