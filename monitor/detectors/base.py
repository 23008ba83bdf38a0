"""The one seam between the window and a detector: a window in, a score or an abstention with its reason out."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from monitor.types import Score
from monitor.window.window import Window


@runtime_checkable
class Detector(Protocol):
    """Judges one window. Pure: the same window gives the same score, and no state is kept between windows."""

    @property
    def name(self) -> str:
        """The detector's name in scores, messages and calibration."""
        ...

    @property
    def one_sided(self) -> bool:
        """Whether a low score says nothing: such a detector raises suspicion and never clears it."""
        ...

    def score(self, window: Window, settled: bool = False) -> Score:
        """Score the window, higher being more suspicious, or abstain with a reason; evidence holds JSON values.

        `settled` says that nothing more will come.
        """
        ...
