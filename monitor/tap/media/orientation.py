"""How a recording asks to be shown: turned by quarters and mirrored, as a phone held upright or upside down writes it.

A display matrix (ISO/IEC 14496-12 section 8.3.2, `libavutil/display.h`) maps a stored pixel (x, y) to
(a x + c y, b x + d y). Any other angle is taken for the nearest quarter. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from monitor.types import ByteArray

_MATRIX_BYTES = 36


@dataclass(frozen=True, slots=True)
class Orientation:
    """Rows and columns are exchanged (`transposed`), then left and right (`mirrored`), then top and bottom (`flipped`).

    Together these are all eight ways of showing a picture.
    """

    transposed: bool = False
    mirrored: bool = False
    flipped: bool = False

    @classmethod
    def of_matrix(cls, matrix: bytes) -> Orientation:
        """Read a display matrix of nine native int32; what is none, or shows nothing, leaves the picture as it is."""
        if len(matrix) != _MATRIX_BYTES:
            return UPRIGHT
        a, b, _, c, d, *_ = (int(number) for number in np.frombuffer(matrix, np.int32))
        if abs(b) + abs(c) > abs(a) + abs(d):
            return cls(True, c < 0, b < 0)
        return cls(False, a < 0, d < 0)

    def apply(self, plane: ByteArray) -> ByteArray:
        """Return a plane (H, W) as it is to be shown, (W, H) where it is transposed: read-only and contiguous.

        A plane that stays as it is comes back without a copy.
        """
        if self == UPRIGHT:
            return plane
        shown = plane.T if self.transposed else plane
        shown = shown[:: -1 if self.flipped else 1, :: -1 if self.mirrored else 1]
        turned: ByteArray = np.ascontiguousarray(shown)
        turned.flags.writeable = False
        return turned


UPRIGHT = Orientation()
