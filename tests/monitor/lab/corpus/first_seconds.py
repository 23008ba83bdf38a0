"""A change that tests make to clips: they end sooner."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import takewhile

from monitor.types import MediaItem, TrackFault


@dataclass(frozen=True, slots=True)
class FirstSeconds:
    """The first seconds of a clip, and no more; see `monitor.lab.corpus.speech_features.Change`."""

    seconds: float

    @property
    def name(self) -> str:
        return f"first-{self.seconds:g}"

    def __call__(self, items: Iterable[MediaItem]) -> Iterator[MediaItem]:
        return takewhile(lambda item: isinstance(item, TrackFault) or item.stamp.media < self.seconds, items)
