"""What is speech: sound around which somebody was heard to speak. Pure.

Two conditions say of each grid step whether somebody speaks. The first is quick and takes much for speech that is none;
the second is right more often and hesitates at the edges of words. So the edges are the first one's, and whether there
is speech at all is the second one's: it must have heard speech in `LEAST_HEARD` of the steps around.
"""

from __future__ import annotations

import numpy as np

from monitor.types import BoolArray

# A second to either side: longer than what is between two words, shorter than what is between two people's turns.
AROUND_FRAMES = 25
# A third of a second of these two: a phrase is longer, and what the second condition mishears is shorter.
LEAST_HEARD = 8


def spoken(heard: BoolArray, sound: BoolArray) -> BoolArray:
    """Say which of the steps (T,) are speech: `sound` with `heard` at least `LEAST_HEARD` times around."""
    counts = np.cumsum(np.pad(heard & sound, (AROUND_FRAMES + 1, AROUND_FRAMES)), dtype=np.int64)
    around = counts[2 * AROUND_FRAMES + 1 :] - counts[: len(heard)]
    return np.asarray(sound & (around >= LEAST_HEARD), np.bool_)
