"""A contact sheet of genuine faces, masks and pseudo-deepfakes, so that a person can see that they are right."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from engines.training.faces import Face, look
from engines.training.pseudo import SCHEMES, blend
from engines.training.received import Degradation, receive

PICTURE_PIXELS = 160
_LABEL_PIXELS = 14
_HEADS = ("genuine", "mask", "pseudo-deepfake", "as received")


def contact_sheet(faces: Sequence[Face], rows: int = 6, seed: int = 0) -> Image.Image:
    """Draw `rows` faces for each scheme, side by side: genuine, mask, blend, and the blend after a bad line."""
    random = np.random.default_rng(seed)
    chosen = random.choice(len(faces), min(rows * len(SCHEMES), len(faces)), replace=False)
    columns = []
    for number, scheme in enumerate(SCHEMES):
        strip = [_row(faces[n], scheme, random) for n in chosen[number :: len(SCHEMES)]]
        columns.append(_titled(np.vstack(strip), scheme))
    height = max(column.height for column in columns)
    sheet = Image.new("RGB", (sum(column.width + 8 for column in columns) - 8, height), "white")
    x = 0
    for column in columns:
        sheet.paste(column, (x, 0))
        x += column.width + 8
    return sheet


def _row(face: Face, scheme: str, random: np.random.Generator) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    picture, landmarks = look(face, PICTURE_PIXELS)
    blended = blend(picture, landmarks, random, scheme)
    mask = np.repeat((blended.mask * 255 * blended.ratio).astype(np.uint8)[..., None], 3, axis=2)
    return np.hstack(
        [picture, mask, blended.picture, receive(blended.picture, Degradation.draw(random, 0.0).at(PICTURE_PIXELS))]
    )


def _titled(strip: np.ndarray[tuple[int, ...], np.dtype[np.uint8]], scheme: str) -> Image.Image:
    titled = Image.new("RGB", (strip.shape[1], strip.shape[0] + _LABEL_PIXELS), "white")
    titled.paste(Image.fromarray(strip), (0, _LABEL_PIXELS))
    pen = ImageDraw.Draw(titled)
    for number, head in enumerate(_HEADS):
        pen.text((number * PICTURE_PIXELS + 3, 1), f"{scheme}: {head}" if number == 0 else head, fill="black")
    return titled
