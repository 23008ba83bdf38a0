"""The detectors that there are: those of this package, one line each, and those of installed packages.

A package brings a detector by an entry point of the group `sidewitness.detectors`, whose value names an object that
keeps to `monitor.detectors.base.Detector`:

    [project.entry-points."sidewitness.detectors"]
    smile = "smile_detector.entry:DETECTOR"
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points

from monitor.decision.words import Phrase
from monitor.detectors.base import DetectorInfo
from monitor.types import Reason

GROUP = "sidewitness.detectors"
BUILT_IN = (
    EntryPoint("synchrony", "monitor.detectors.synchrony.entry:INFO", GROUP),
    EntryPoint("pairwise", "monitor.detectors.pairwise.entry:INFO", GROUP),
    EntryPoint("persona", "monitor.detectors.persona.entry:INFO", GROUP),
)


@cache
def infos() -> tuple[DetectorInfo, ...]:
    """Give what is known of every detector, in the order in which they are shown."""
    return tuple(point.load() for point in (*BUILT_IN, *entry_points(group=GROUP)))


def phrases() -> Mapping[Reason, Phrase]:
    """Give the words for every reason that a detector brings."""
    return {reason: phrase for info in infos() for reason, phrase in info.phrases.items()}
