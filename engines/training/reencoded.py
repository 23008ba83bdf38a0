"""Does the backbone take compression for forgery: false positives among genuine faces that were only re-encoded."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.training.faces import Face, look
from engines.training.received import Degradation, receive

# The share of untouched genuine faces that lies above the threshold.
FALSE_POSITIVE_RATE = 0.05
DEGRADATIONS: Mapping[str, Degradation] = {
    "clean": Degradation(),
    "JPEG 30": Degradation(codec="jpeg", level=30),
    "JPEG 60": Degradation(codec="jpeg", level=60),
    "H.264 CRF 30": Degradation(codec="h264", level=30),
    "H.264 CRF 40": Degradation(codec="h264", level=40),
    "VP8 quantiser 50": Degradation(codec="vp8", level=50),
    "half size": Degradation(scale=0.5),
    "blur": Degradation(blur=1.5),
}


def false_positives(faces: Sequence[Face], size: int, score: Callable[[NDArray[np.uint8]], Any]) -> dict[str, float]:
    """Share of genuine faces above the threshold that `FALSE_POSITIVE_RATE` of them pass untouched, by degradation."""
    plain = np.stack([look(face, size)[0] for face in faces])
    threshold = float(np.quantile(score(plain), 1 - FALSE_POSITIVE_RATE))
    return {
        name: float((score(np.stack([receive(one, degradation.at(size)) for one in plain])) > threshold).mean())
        for name, degradation in DEGRADATIONS.items()
    }
