"""Expression coefficients of other trackers: FLAME files and the 52 blendshapes, resampled to the 25 Hz grid.

They take the place of landmarks: a `Coefficients` holds shapes of another width under another name, and bases, neutrals
and windows are made of it as of landmarks. Both trackers have y up and z towards the camera; head poses come out as
`monitor.face.expression.remove_head_pose` returns them. Pure but for reading the file.
"""

from __future__ import annotations

import csv
import io
import json
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
FILE_SUFFIXES = (".flame.npz", ".blendshapes.json", ".blendshapes.csv")
_NAMES = """_neutral browDownLeft browDownRight browInnerUp browOuterUpLeft browOuterUpRight cheekPuff cheekSquintLeft
cheekSquintRight eyeBlinkLeft eyeBlinkRight eyeLookDownLeft eyeLookDownRight eyeLookInLeft eyeLookInRight eyeLookOutLeft
eyeLookOutRight eyeLookUpLeft eyeLookUpRight eyeSquintLeft eyeSquintRight eyeWideLeft eyeWideRight jawForward jawLeft
jawOpen jawRight mouthClose mouthDimpleLeft mouthDimpleRight mouthFrownLeft mouthFrownRight mouthFunnel mouthLeft
mouthLowerDownLeft mouthLowerDownRight mouthPressLeft mouthPressRight mouthPucker mouthRight mouthRollLower
mouthRollUpper mouthShrugLower mouthShrugUpper mouthSmileLeft mouthSmileRight mouthStretchLeft mouthStretchRight
mouthUpperUpLeft mouthUpperUpRight noseSneerLeft noseSneerRight"""
# The categories of MediaPipe's face_landmarker in its own order, after ARKit's.
BLENDSHAPE_NAMES = tuple(_NAMES.split())
# What published trackers call the same arrays: DECA, EMOCA, SMIRK and SPECTRE; VHAP; flame-head-tracker.
_EXPRESSION_KEYS = ("expression", "expr", "exp", "expcode")
_JAW_KEYS = ("jaw_pose", "jaw", "jawpose")
_ROTATION_KEYS = ("global_orient", "global_pose", "rotation", "head_pose")
_POSE_KEYS = ("pose", "posecode")
_TRANSLATION_KEYS = ("translation", "transl", "trans")
# Between the outer corners of the eyes: of MediaPipe's canonical face in cm, of FLAME's mean face in m.
_EYE_DISTANCE_CM, _EYE_DISTANCE_M = 8.9, 0.09
_AXIS_SIGNS = np.array([1.0, -1.0, -1.0])
MAX_SECONDS_PER_ROW = 1.0
_NO_PICTURE = np.zeros((0, 0), np.uint8)

Float64Array = NDArray[np.float64]


class CoefficientsError(SidewitnessError):
    """A file of coefficients cannot be read; the message is one line that says what to do."""


@dataclass(frozen=True, slots=True, eq=False)
class Coefficients:
    """One recording on the 25 Hz grid: `shape` (T, D), `head` (T, 6), `valid` (T,); `name` is the kind of shape."""

    shape: FloatArray
    head: FloatArray
    valid: BoolArray
    name: str


def find_coefficients(clip: Path) -> Path | None:
    """Find the file of coefficients beside a clip that has its name; None where there is none."""
    return next((path for suffix in FILE_SUFFIXES if (path := clip.with_suffix(suffix)).is_file()), None)


def read_coefficients(path: Path, fps: float | None = None) -> Coefficients:
    """Load a FLAME .npz, or 52 blendshapes as .csv or .json; raises `CoefficientsError`.

    `fps` is the frame rate of the video that was tracked, for files that hold neither a rate nor times.
    """
    readers = {".npz": _parse_flame, ".csv": _parse_csv, ".json": _parse_json}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise CoefficientsError(f"{path.name} is not a .npz, .csv or .json: give FLAME coefficients or blendshapes")
    try:
        times, shape, head = reader(path.read_bytes(), fps)
    except CoefficientsError as error:
        raise CoefficientsError(f"{path.name}: {error}") from None
    except OSError as error:
        raise CoefficientsError(f"{path.name} cannot be read ({error.strerror}): check the path") from None
    except Exception as error:
        # A damaged file raises whatever its parts raise: zip, zlib, tokenizer, JSON, arrays.
        raise CoefficientsError(f"{path.name} cannot be read ({type(error).__name__}): write it anew") from None
    if len(times) < 2 or not (np.diff(times) > 0).all():
        raise CoefficientsError(f"{path.name}: times do not advance from row to row: write every frame once, in order")
    if times[-1] - times[0] > MAX_SECONDS_PER_ROW * len(times):
        raise CoefficientsError(f"{path.name} has fewer than a row a second: give times in seconds")
    return _resample(times, shape, head, FLAME if reader is _parse_flame else BLENDSHAPES)


def _resample(times: Float64Array, shape: Float64Array, head: Float64Array, name: str) -> Coefficients:
    rows = np.concatenate([shape, head], 1)
    usable = np.isfinite(rows).all(1)
    resampler = Resampler(max_hole=np.inf)
    steps = [
        step
        for time, row, good in zip(times - times[0], np.nan_to_num(rows).astype(np.float32), usable, strict=True)
        for step in resampler.push(float(time), Sample(row, _NO_PICTURE, bool(good)))
    ]
    values, valid = np.stack([step.sample.shape for step in steps]), np.array([step.sample.usable for step in steps])
    return Coefficients(values[:, :-HEAD_SIZE], values[:, -HEAD_SIZE:], valid, name)


def _parse_flame(data: bytes, fps: float | None) -> tuple[Float64Array, Float64Array, Float64Array]:
    with np.load(io.BytesIO(data), allow_pickle=False) as raw:
        arrays = {name: np.asarray(raw[name]) for name in raw.files}
    expression = _find_rows(arrays, _EXPRESSION_KEYS)
    if expression is None:
        raise CoefficientsError(
            f"no expression in it: name the array {' or '.join(_EXPRESSION_KEYS)}, (frames, numbers)"
        )
    pose = _find_rows(arrays, _POSE_KEYS, 6, len(expression))
    jaw, rotation = (_find_rows(arrays, names, 3, len(expression)) for names in (_JAW_KEYS, _ROTATION_KEYS))
    if pose is not None:
        rotation, jaw = pose[:, :3] if rotation is None else rotation, pose[:, 3:6] if jaw is None else jaw
    if jaw is None:
        raise CoefficientsError(f"no jaw in it: name the array {' or '.join(_JAW_KEYS)}, or give pose of six numbers")
    translation, camera = (_find_rows(arrays, names, 3, len(expression)) for names in (_TRANSLATION_KEYS, ("cam",)))
    head = np.zeros((len(expression), HEAD_SIZE))
    if rotation is not None:
        head[:, :3] = [_head_angles(_rodrigues(entry)) for entry in rotation]
    if translation is not None:
        head[:, 3:5] = translation[:, :2] * _AXIS_SIGNS[:2] / _EYE_DISTANCE_M
        # The distance of the camera is only known where the translation is in its frame.
        head[:, 5] = -np.log(np.maximum(np.abs(translation[:, 2]), 1e-3))
    elif camera is not None:
        # Weak perspective: the picture is scale * (face + shift), in units of the face.
        head[:, 3:5] = camera[:, 1:] * _AXIS_SIGNS[:2] / _EYE_DISTANCE_M
        head[:, 5] = np.log(np.maximum(camera[:, 0], 1e-3))
    return _flame_times(arrays, len(expression), fps), np.concatenate([expression, jaw], 1), head


def _find_rows(
    arrays: Mapping[str, NDArray[Any]], names: Sequence[str], width: int = 0, count: int = 0
) -> Float64Array | None:
    """Return the first array of these names as (T, `width`), an axis of length one between dropped; None without one.

    `width` and `count` are checked where they are not 0.
    """
    array = next((arrays[name] for name in names if name in arrays), None)
    if array is None:
        return None
    rows = np.asarray(array, np.float64)
    rows = rows.reshape(len(rows), -1) if rows.ndim > 1 else rows[:, None]
    if (width and rows.shape[1] != width) or (count and len(rows) != count):
        expected = f"({count or 'frames'}, {width or 'numbers'})"
        raise CoefficientsError(f"{'/'.join(names)} is of shape {array.shape}, not {expected}: write it anew")
    return rows


def _flame_times(arrays: Mapping[str, NDArray[Any]], count: int, fps: float | None) -> Float64Array:
    rate = float(arrays["fps"]) if "fps" in arrays else fps
    if "time" in arrays:
        return np.asarray(arrays["time"], np.float64).reshape(count)
    if rate is None or not np.isfinite(rate) or rate <= 0:
        raise CoefficientsError("neither fps nor time in it: add the frame rate of the pictures as fps")
    return np.asarray(np.arange(count) / rate, np.float64)


def _parse_csv(data: bytes, fps: float | None) -> tuple[Float64Array, Float64Array, Float64Array]:
    reader = csv.DictReader(io.StringIO(data.decode("utf-8-sig")))
    names = {name.strip(): name for name in reader.fieldnames or ()}
    _check_names(names)
    rows = [{key: _number(row.get(name)) for key, name in names.items()} for row in reader]
    shape = np.array([[row.get(name, 0.0) for name in BLENDSHAPE_NAMES] for row in rows]).reshape(
        len(rows), len(BLENDSHAPE_NAMES)
    )
    heads = np.array([_csv_head(row) for row in rows]).reshape(len(rows), HEAD_SIZE)
    if "time" in names:
        times = np.array([row["time"] for row in rows])
    elif "timestamp_ms" in names:
        times = np.array([row["timestamp_ms"] for row in rows]) / 1000
    else:
        count = np.array([row["frame"] for row in rows]) if "frame" in names else np.arange(len(rows))
        times = count / _require_fps(fps)
    return np.asarray(times, np.float64), shape, heads


def _require_fps(fps: float | None) -> float:
    if fps is None:
        raise CoefficientsError("no times in it: add a column time in seconds, or timestamp_ms")
    return fps


def _check_names(names: Mapping[str, object]) -> None:
    missing = [name for name in BLENDSHAPE_NAMES[1:] if name not in names]
    if missing:
        raise CoefficientsError(
            f"no {missing[0]} in it and {len(missing) - 1} more: give all of MediaPipe's blendshapes"
        )


def _number(text: str | None) -> float:
    return float(text) if text and text.strip() else float("nan")


def _csv_head(row: Mapping[str, float]) -> Float64Array:
    if all(f"m{i}{j}" in row for i in range(3) for j in range(4)):
        return _matrix_head(np.array([[row[f"m{i}{j}"] for j in range(4)] for i in range(3)]))
    head = np.zeros(HEAD_SIZE)
    head[:3] = np.radians([row.get(name, 0.0) for name in ("yaw", "pitch", "roll")])
    return head


def _parse_json(data: bytes, fps: float | None) -> tuple[Float64Array, Float64Array, Float64Array]:
    """Parse a list of the face_landmarker's results, as its Python or its web interface spells them."""
    raw = json.loads(data)
    frames = raw["frames"] if isinstance(raw, dict) else raw
    if isinstance(raw, dict) and "fps" in raw:
        fps = float(raw["fps"])
    pairs = [_parse_frame(frame) for frame in frames]
    if not any(blendshapes for blendshapes, _ in pairs):
        raise CoefficientsError("no blendshapes in it: have the face_landmarker give them (output_face_blendshapes)")
    times = [_parse_frame_time(frame, count, fps) for count, frame in enumerate(frames)]
    shape = [
        [blendshapes.get(name, 0.0) if blendshapes else np.nan for name in BLENDSHAPE_NAMES] for blendshapes, _ in pairs
    ]
    return np.array(times), np.array(shape), np.array([head for _, head in pairs])


def _parse_frame_time(frame: Mapping[str, Any], count: int, fps: float | None) -> float:
    for name, unit in (("time", 1.0), ("timestamp_ms", 1e-3), ("timestampMs", 1e-3)):
        if name in frame:
            return float(frame[name]) * unit
    return count / _require_fps(fps)


def _parse_frame(frame: Mapping[str, Any]) -> tuple[dict[str, float], Float64Array]:
    """Parse blendshapes by name and the head pose of a result's first face; an empty dict and nan where it has none."""
    faces = frame.get("face_blendshapes", frame.get("faceBlendshapes")) or []
    matrices = frame.get("facial_transformation_matrixes", frame.get("facialTransformationMatrixes")) or []
    if not faces:
        return {}, np.full(HEAD_SIZE, np.nan)
    first = faces[0]["categories"] if isinstance(faces[0], dict) else faces[0]
    blendshapes = {str(entry.get("category_name", entry.get("categoryName"))): float(entry["score"]) for entry in first}
    _check_names(blendshapes)
    return blendshapes, _matrix_head(_parse_matrix(matrices[0])) if matrices else np.zeros(HEAD_SIZE)


def _parse_matrix(raw: Any) -> Float64Array:
    """Parse 4 x 4 numbers: nested rows, or flat by columns (web) or by rows; the translation shows which."""
    flat = np.asarray(raw["data"] if isinstance(raw, dict) else raw, np.float64)
    matrix = flat.reshape(4, 4)
    return matrix.T if np.abs(matrix[3, :3]).max() > 1e-6 else matrix


def _matrix_head(matrix: Float64Array) -> Float64Array:
    """Head pose (6,) from the transformation of MediaPipe's canonical face, (3, 4) or (4, 4), in centimetres."""
    rotation, shift = matrix[:3, :3], matrix[:3, 3]
    # The transformation may scale the face, too: its determinant is the cube of that.
    size = np.cbrt(max(float(np.linalg.det(rotation)), 1e-9)) if np.isfinite(rotation).all() else np.nan
    away = max(abs(float(shift[2])), 1e-3)
    return np.array(
        [
            *_head_angles(rotation / size),
            *(shift[:2] * _AXIS_SIGNS[:2] / (_EYE_DISTANCE_CM * size)),
            np.log(size / away),
        ]
    )


def _rodrigues(rotation: Float64Array) -> Float64Array:
    """Rotation matrix of a rotation vector (axis times angle) by Rodrigues' formula."""
    angle = float(np.linalg.norm(rotation))
    x, y, z = rotation / max(angle, 1e-12)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.asarray(np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross, np.float64)


def _head_angles(rotation: Float64Array) -> Float64Array:
    """Yaw, pitch and roll in radians, as `Pose.angles`, of a rotation in a frame with y up and z towards the camera."""
    image_rotation = (rotation * _AXIS_SIGNS[:, None] * _AXIS_SIGNS).astype(np.float32)
    return np.radians(Pose(1.0, image_rotation, np.zeros(3, np.float32)).angles)
