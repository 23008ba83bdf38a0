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
from typing import Any

from engines.errors import SidewitnessError
from monitor.decision.words import Phrase
from monitor.detectors.base import Detector, DetectorInfo
from monitor.detectors.reference import Reference
from monitor.types import Reason

GROUP = "sidewitness.detectors"
BUILT_IN = (
    EntryPoint("synchrony", "monitor.detectors.synchrony.entry:DETECTOR", GROUP),
    EntryPoint("pairwise", "monitor.detectors.pairwise.entry:DETECTOR", GROUP),
    EntryPoint("persona", "monitor.detectors.persona.entry:DETECTOR", GROUP),
    EntryPoint("voiceprint", "monitor.detectors.voiceprint.entry:DETECTOR", GROUP),
)


class DetectorError(SidewitnessError):
    """An installed detector cannot be used; the message is one line that says what to do."""


@cache
def detectors() -> tuple[Detector, ...]:
    """Give every detector, in the order in which they are shown; raises `DetectorError`."""
    by_name: dict[str, Detector] = {}
    for point in (*BUILT_IN, *sorted(entry_points(group=GROUP), key=lambda point: point.name)):
        try:
            detector: Detector = point.load()
            name = detector.info.name
        except Exception as error:
            # Code of somebody else's: it raises what it likes.
            why = f"{type(error).__name__}: {error}"
            raise DetectorError(
                f"the detector {point.name} ({point.value}) cannot be loaded ({why}): uninstall or repair its package"
            ) from None
        if name in by_name:
            raise DetectorError(f"two detectors are called {name}: uninstall the package of {point.value}")
        by_name[name] = detector
    return tuple(by_name.values())


def find(name: str) -> Detector:
    """Give the detector of this name; raises `DetectorError`."""
    for detector in detectors():
        if detector.info.name == name:
            return detector
    raise DetectorError(f"unknown detector {name!r}: use one of {', '.join(info.name for info in infos())}")


def infos() -> tuple[DetectorInfo, ...]:
    """Give what is known of every detector, in the order in which they are shown."""
    return tuple(detector.info for detector in detectors())


def phrases() -> Mapping[Reason, Phrase]:
    """Give the words for every reason that a detector brings; where two bring the same, those of the first hold."""
    return {reason: phrase for info in reversed(infos()) for reason, phrase in info.phrases.items()}


def by_reason() -> Mapping[str, str]:
    """Say by reason which detector finds that; where two bring the same, the first does."""
    return {str(reason): info.name for info in reversed(infos()) for reason in (*info.phrases, info.cause)}


def describe(reference: Reference) -> dict[str, Any]:
    """Say what may be told of a reference: JSON values of every detector that has a part of it."""
    described: dict[str, Any] = {}
    for detector in detectors():
        part = reference.parts.get(detector.info.name)
        if part is not None:
            described |= detector.describe(part)
    return described
