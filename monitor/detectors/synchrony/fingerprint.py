"""Whether a voice is that of a recording that a person was enrolled with, played again. Pure.

A fingerprint is 64 bits for each frame of speech, 25 a second: on which side of genuine speech's mean the voice vector
lies along 64 directions. What a codec, a telephone's band or a quieter line do to a recording leaves most of the bits;
the same person who says something anew changes nearly as many as a stranger does. After Haitsma and Kalker (ISMIR
2002), over the speech encoder's vectors in place of bands of a spectrum. Sound cannot be made of it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitor.detectors.reference import TemplateError, pack_arrays, unpack_arrays
from monitor.types import BoolArray, ByteArray, FloatArray

BITS = 64
# The share of bits that differ, up to which a window is a recording played again. Of 93 windows of people who spoke
# anew and 7,796 of other people, each in some 20 s of speech, none differed in less than 0.284 (docs/detection.md).
MAX_DIFFERENCE = 0.25
# Frames in which both must speak: what is compared in less is chance.
MIN_FRAMES = 60
# A first look takes every fifth frame of the window, the second all of them where that found most.
COARSE_STEP = 5
MIN_COARSE_FRAMES = MIN_FRAMES // COARSE_STEP
CANDIDATES = 4
# Of all recordings together: 120 kB.
MAX_SECONDS = 600.0


@dataclass(frozen=True, slots=True, eq=False)
class Fingerprint:
    """N frames: `signs` (N, 64) of +-1, 0 where nobody speaks; `encoder` is the sha256 of the voice encoder."""

    signs: FloatArray
    encoder: str

    @property
    def speaks(self) -> BoolArray:
        """Frames (N,) in which somebody speaks."""
        return np.asarray(self.signs[:, 0] != 0.0, np.bool_)

    def difference(self, window: Fingerprint) -> float:
        """Give the share of bits by which a window differs from the recording where it is most alike; 1 for nowhere."""
        length = len(window.signs)
        if len(self.signs) < length:
            return 1.0
        coarse = self._differences(window, np.arange(0, length, COARSE_STEP), MIN_COARSE_FRAMES)
        places = np.argsort(coarse)[:CANDIDATES]
        near = {int(place) + shift for place in places for shift in (-1, 0, 1)}
        spans = [self.signs[n : n + length] for n in near if 0 <= n < len(coarse)]
        return min(_difference(span, window.signs) for span in spans)

    def _differences(self, window: Fingerprint, frames: NDArray[np.int64], least: int) -> NDArray[np.float64]:
        """Share of bits that differ in these frames of the window, wherever it may lie (N - T + 1,)."""
        alike = self.signs @ window.signs[frames].T
        both = self.speaks[:, None] & window.speaks[frames][None, :]
        count = len(self.signs) - len(window.signs) + 1
        sums, counts = np.zeros(count), np.zeros(count)
        for column, frame in enumerate(frames):
            sums += alike[frame : frame + count, column]
            counts += both[frame : frame + count, column]
        shares = 0.5 - 0.5 * sums / (BITS * np.maximum(counts, 1))
        return np.where(counts >= least, shares, 1.0)

    def arrays(self) -> dict[str, Any]:
        """Give what is kept in a reference: eight bytes a frame."""
        bits = np.packbits(self.signs > 0.0, axis=1)
        return {"bits": bits, "speaks": self.speaks, "encoder": np.array(self.encoder)}

    def to_bytes(self) -> bytes:
        """Write an .npz without pickles."""
        return pack_arrays(self.arrays())

    @classmethod
    def from_bytes(cls, data: bytes) -> Fingerprint:
        """Read what `to_bytes` wrote; raises `TemplateError`."""
        try:
            arrays = unpack_arrays(data)
            bits: ByteArray = arrays["bits"]
            speaks = np.asarray(arrays["speaks"], np.bool_)
            signs = np.where(speaks[:, None], 2.0 * np.unpackbits(bits, axis=1) - 1.0, 0.0).astype(np.float32)
            return cls(signs.reshape(len(speaks), BITS), str(arrays["encoder"]))
        except Exception as error:
            # A damaged archive raises whatever its parts raise: zip, zlib, tokenizer, arrays.
            raise TemplateError(
                f"the fingerprint of the voice cannot be read ({type(error).__name__}): enrol the person again"
            ) from None


def fingerprint(voice: FloatArray, speaks: BoolArray, mean: FloatArray, encoder: str) -> Fingerprint:
    """Make the fingerprint of voice vectors (N, E) and where somebody speaks (N,); `mean` (E,) of genuine speech."""
    sides = np.where((voice - mean) @ _directions(voice.shape[1]) > 0.0, np.float32(1.0), np.float32(-1.0))
    return Fingerprint(np.where(speaks[:, None], sides, np.float32(0.0)), encoder)


def joined(parts: Sequence[Fingerprint], encoder: str) -> Fingerprint:
    """Put recordings after each other, and cut what is longer than `MAX_SECONDS` together."""
    signs = np.concatenate([part.signs for part in parts]) if parts else np.zeros((0, BITS), np.float32)
    return Fingerprint(signs[: round(MAX_SECONDS * 25)], encoder)


def _difference(recording: FloatArray, window: FloatArray) -> float:
    count = np.count_nonzero((recording[:, 0] != 0.0) & (window[:, 0] != 0.0))
    return float(0.5 - 0.5 * np.sum(recording * window) / (BITS * count)) if count >= MIN_FRAMES else 1.0


@cache
def _directions(size: int) -> FloatArray:
    """Give 64 directions (E, 64) that are the same everywhere and always: references are kept for years."""
    bits = np.frombuffer(hashlib.shake_256(b"sidewitness voice fingerprint 1").digest(size * BITS // 8), np.uint8)
    return (2.0 * np.unpackbits(bits).reshape(size, BITS) - 1.0).astype(np.float32)
