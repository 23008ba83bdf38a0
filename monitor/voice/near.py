"""Whether speech is near: as loud as this call's own speech, and not what a loudspeaker and a room leave of another's.

Echo of those at the far end lies well below the participant's own speech at the same microphone. The call's own level
is what `OWN_SECONDS` of its speech have reached; until there are as many, only what is fainter than any speech that was
measured is far. Of 6,092 genuine windows of 368 clips (up to 40 s each) the two bounds cost 5.
"""

from __future__ import annotations

import numpy as np

from monitor.types import BoolArray, FloatArray
from monitor.window.spoken import LEAST_HEARD

BELOW_OWN_DB = 15.0
FAINT_DB = -50.0
OWN_SECONDS = 4
STEPS = 25


class NearVoice:
    """Follows the level of the speech of one call, which outlasts gaps in its sound."""

    def __init__(self) -> None:
        # The loudest seconds of the call, rising, and the steps of the second that is being collected.
        self._loudest: list[float] = []
        self._second: list[float] = []

    def __call__(self, samples: FloatArray, heard: BoolArray) -> BoolArray:
        """Say which of the steps (n,) in which speech is heard are near, from their samples (n, 640)."""
        near = np.zeros(len(heard), np.bool_)
        power = np.square(samples, dtype=np.float64).mean(1)
        for step in np.flatnonzero(heard):
            level = 10 * np.log10(power[step] + 1e-12)
            near[step] = level >= max(self._own_db - BELOW_OWN_DB, FAINT_DB)
            if near[step]:
                self._remember(level)
        return near

    @property
    def _own_db(self) -> float:
        return self._loudest[0] if len(self._loudest) == OWN_SECONDS else float("-inf")

    def _remember(self, level: float) -> None:
        self._second.append(level)
        if len(self._second) == STEPS:
            # As many steps are as loud as it takes to be speech (`monitor.window.spoken`).
            reached = sorted(self._second)[-LEAST_HEARD]
            self._loudest, self._second = sorted([*self._loudest, reached])[-OWN_SECONDS:], []
