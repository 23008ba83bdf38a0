"""What a call does to a picture of a face: smaller and back, blur, JPEG, intra pictures of H.264 and VP8, grain.

Done to genuine and blended alike, so that compression is not taken for forgery.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import cast

import av
import numpy as np
from av.video.codeccontext import VideoCodecContext
from numpy.typing import NDArray
from PIL import Image, ImageFilter

Picture = NDArray[np.uint8]

# Quality levels from hardly to heavily compressed: JPEG's own scale, constant rate factors, VP8's quantiser.
JPEG, CRF, QUANTISER = (30, 92), (20, 40), (10, 50)


@dataclass(frozen=True, slots=True)
class Degradation:
    """What a call did to a picture: `scale` of sides, `blur` in pixels, `codec` with its `level`, `grain` in levels.

    `codec` is "", "jpeg", "h264" or "vp8".
    """

    scale: float = 1.0
    blur: float = 0.0
    codec: str = ""
    level: int = 0
    grain: float = 0.0
    seed: int = 0

    @classmethod
    def draw(cls, random: np.random.Generator, clean: float = 0.35) -> Degradation:
        """Draw a degradation; with the chance `clean` the picture arrives as it is."""
        if random.random() < clean:
            return cls()
        codec = str(random.choice(["", "jpeg", "jpeg", "h264", "vp8"]))
        low, high = {"jpeg": JPEG, "h264": CRF, "vp8": QUANTISER}.get(codec, (0, 1))
        return cls(
            scale=float(random.choice([1.0, 1.0, random.uniform(0.4, 1.0)])),
            blur=float(random.choice([0.0, 0.0, random.uniform(0.3, 1.5)])),
            codec=codec,
            level=int(random.integers(low, high + 1)),
            grain=float(random.choice([0.0, 0.0, 0.0, random.uniform(1, 6)])),
            seed=int(random.integers(2**31)),
        )

    def at(self, size: int) -> Degradation:
        """Scale the blur, meant for 224 pixels, to pictures of another size."""
        return replace(self, blur=self.blur * size / 224)


def receive(picture: Picture, degradation: Degradation) -> Picture:
    """Degrade a square picture (S, S, 3) uint8 RGB; the same degradation does the same."""
    image = Image.fromarray(picture)
    if degradation.blur:
        image = image.filter(ImageFilter.GaussianBlur(degradation.blur))
    if degradation.scale < 1:
        side = max(int(len(picture) * degradation.scale) // 2 * 2, 32)
        image = image.resize(
            (side, side), Image.Resampling.BOX if degradation.scale <= 0.5 else Image.Resampling.BILINEAR
        )
    if degradation.grain:
        noise = np.random.default_rng(degradation.seed).standard_normal((image.height, image.width, 1), np.float32)
        image = Image.fromarray(np.clip(np.asarray(image) + degradation.grain * noise, 0, 255).astype(np.uint8))
    if degradation.codec == "jpeg":
        image = jpeg(image, degradation.level)
    elif degradation.codec:
        image = intra(image, degradation.codec, degradation.level)
    if image.width != len(picture):
        image = image.resize((len(picture), len(picture)), Image.Resampling.BILINEAR)
    return np.asarray(image)


def jpeg(image: Image.Image, quality: int) -> Image.Image:
    """Compress to JPEG of a quality of 1 to 95 and back."""
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    with Image.open(file) as decoded:
        return decoded.convert("RGB")


def intra(image: Image.Image, codec: str, level: int) -> Image.Image:
    """Code one picture by H.264 at a constant rate factor, or by VP8 at a quantiser, and decode it."""
    name = {"h264": "libx264", "vp8": "libvpx"}[codec]
    encoder = cast(VideoCodecContext, av.CodecContext.create(name, "w"))
    encoder.width, encoder.height, encoder.pix_fmt = image.width // 2 * 2, image.height // 2 * 2, "yuv420p"
    encoder.time_base, encoder.thread_count = Fraction(1, 25), 1
    if codec == "h264":
        encoder.options = {"preset": "ultrafast", "tune": "zerolatency", "crf": str(level), "x264-params": "threads=1"}
    else:
        encoder.bit_rate = 10**7
        encoder.options = {"deadline": "realtime", "cpu-used": "-4", "qmin": str(level), "qmax": str(level)}
    frame = av.VideoFrame.from_ndarray(np.asarray(image), "rgb24").reformat(
        encoder.width, encoder.height, "yuv420p", threads=1
    )
    frame.pts = 0
    packets = [*encoder.encode(frame), *encoder.encode(None)]
    decoder = av.CodecContext.create("h264" if codec == "h264" else "vp8", "r")
    decoder.thread_count = 1
    for packet in [*packets, None]:
        for picture in decoder.decode(packet):
            if isinstance(picture, av.VideoFrame):
                return Image.fromarray(picture.reformat(format="rgb24", threads=1).to_ndarray()).resize(image.size)
    return image
