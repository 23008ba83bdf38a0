"""Makes the golden outputs with the original runtime: `python -m tests.golden.make WHEEL`.

Each TFLite model is read out of the wheel and run in TensorFlow's own interpreter (built-in kernels, no delegate), one
picture at a time, on the inputs of `tests.golden.inputs`. Needs the converter's environment.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.convert.mediapipe import DETECTOR, LANDMARKS, Conversion, read_member
from tests.golden.inputs import detector_images, landmark_images

HERE = Path(__file__).parent


def original(tflite: bytes, conversion: Conversion, images: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
    """Outputs of the original model under the pack's names and shapes, batch first."""
    lite: Any = importlib.import_module("tensorflow").lite
    interpreter = lite.Interpreter(
        model_content=tflite,
        num_threads=1,
        experimental_op_resolver_type=lite.experimental.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    interpreter.allocate_tensors()
    source = interpreter.get_input_details()[0]["index"]
    targets = {conversion.names[detail["name"]]: detail["index"] for detail in interpreter.get_output_details()}
    kept: dict[str, list[NDArray[np.float32]]] = {name: [] for name in targets}
    for image in images:
        interpreter.set_tensor(source, image[None])
        interpreter.invoke()
        for name, index in targets.items():
            kept[name].append(interpreter.get_tensor(index))
    return {spec.name: np.stack(kept[spec.name]).reshape(len(images), *spec.shape) for spec in conversion.outputs}


def main(wheel: Path) -> None:
    """Write one archive for each pack."""
    for conversion, images in ((DETECTOR, detector_images()), (LANDMARKS, landmark_images())):
        outputs: dict[str, Any] = dict(original(read_member(wheel, conversion), conversion, images))
        np.savez_compressed(HERE / f"{conversion.pack}.npz", **outputs)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
