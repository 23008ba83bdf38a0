"""What goes on of lips and voice when their publication ends and its participant publishes again. Pure.

Kept are agreements, numbers of how well lips and voice went together: nothing that a picture, a sound or a person could
be made of. Where lips and voice were before, and the frames of the last window, go on as if the publication had never
been interrupted, so that a dub in short pieces meets what one in a single piece meets.

A new publication may run at another offset (another headset, another device). So where the offset was clear before,
as it is for genuine people, the new one is looked for freely; only where lips and voice never clearly met is the search
of before gone on with. What such a search found is flat, and two seconds of lips and voice that meet outweigh it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from monitor.detectors.base import MEMORY_SECONDS
from monitor.detectors.synchrony.offset import (
    MIN_CLEARNESS,
    Curve,
    Doubles,
    Track,
    agreements,
    follow,
    mean_curve,
    offset_prices,
)
from monitor.types import BoolArray
from monitor.window.window import Window


@dataclass(frozen=True, slots=True, eq=False)
class Carried:
    """Agreement at each offset (K,) over the memory of before, and that of the newest window's frames (T,).

    `frames` (T,) are at the offset that was settled then and 0 where they do not count, `usable` (T,) where they do;
    `rate` is frames a second, `path` that of the offset through the memory.
    """

    curve: Curve
    frames: Doubles
    usable: BoolArray
    rate: int
    path: Track

    def after(self, seconds: float) -> Carried:
        """Give what is left of the window when so much time of the new publication has passed."""
        gone = min(max(0, round(seconds * self.rate)), len(self.frames))
        frames, usable = np.zeros_like(self.frames), np.zeros_like(self.usable)
        frames[: len(frames) - gone], usable[: len(usable) - gone] = self.frames[gone:], self.usable[gone:]
        return replace(self, frames=frames, usable=usable)

    @property
    def count(self) -> int:
        """Frames that count."""
        return int(np.count_nonzero(self.usable))

    @property
    def speech_seconds(self) -> float:
        """Seconds of speech in them."""
        return self.count / self.rate

    def joined(self, agreement: float, count: int) -> float:
        """Mean agreement of these frames and of `count` new ones whose mean is `agreement`."""
        return (agreement * count + float(self.frames.sum())) / max(count + self.count, 1)


def settle(own: Curve, path: Track, rate: int, before: Carried | None) -> tuple[Curve, Track]:
    """Say what is known of the offset and of its path, from the memory of this publication and of those before it.

    What came before fills the memory up, where lips and voice did not clearly meet then.
    """
    if before is None or before.curve.clearness >= MIN_CLEARNESS:
        return own, path
    share = max(0.0, 1.0 - float(own.counts.max()) / (MEMORY_SECONDS * rate))
    counts = np.round(before.curve.counts * share).astype(np.int64)
    curve = mean_curve(own.means * own.counts + before.curve.means * counts, own.counts + counts)
    offsets = before.path.offsets
    return curve, Track((*offsets[len(offsets) - round(share * len(offsets)) :], *path.offsets))


def carry(window: Window, max_offset: int, before: Carried | None) -> Carried:
    """Keep of a publication's newest window what a next one goes on with; `before` is what is left of earlier ones."""
    past = window.memory or window
    rows, valid = agreements(past, max_offset)
    curve, path = settle(*follow(past, max_offset), window.rate, before)
    length, best = len(window.lips), curve.less(offset_prices(path, window.uncertainty, window.rate, max_offset)).best
    usable = valid[best, -length:]
    frames = np.where(usable, rows[best, -length:], 0.0)
    if before is not None:
        frames, usable = np.where(usable, frames, before.frames), usable | before.usable
    return Carried(curve, frames, usable, window.rate, path)
