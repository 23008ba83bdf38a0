"""What setting still mouths aside costs genuine speech, and what it leaves of stills that are shown with a voice.

Genuine clips are measured as they are and as worse calls, the same clips as stills of every kind. Two halves
of the people tell how far the figures hold. Agreement of lips and voice is told apart from other voices with
the gate and without it, on the very same clips.
"""

from __future__ import annotations

import json
import sys
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from engines.base import Engine
from engines.load import load_engine
from engines.metrics import auc
from monitor.detectors.synchrony.entry import LIPS, VOICE
from monitor.face.stillness import still_steps
from monitor.lab.corpus.manifest import Row, load_features, read_manifest, workers_here
from monitor.lab.corpus.speech_features import Change, ClipFeatures
from monitor.lab.distortions.low_bitrate import LowBitrateCall
from monitor.lab.distortions.perturbations import Coded
from monitor.lab.distortions.stills import KINDS, Still
from monitor.lab.evaluate.registry import trim, unusable
from monitor.lab.evaluate.voice_mismatch import EncodedClip, mismatches
from monitor.lab.progress import clip_progress
from monitor.lab.training.synchrony_background import encode_features, windows
from monitor.types import BoolArray, MediaItem, VideoFrame
from monitor.window.grid import GRID_HZ

WINDOW_SECONDS, HOP_SECONDS = 5.0, 0.5


@dataclass(frozen=True, slots=True)
class HalfRate:
    """Every second picture of a clip."""

    name: str = "half-rate"

    def __call__(self, items: Iterable[MediaItem]) -> Iterator[MediaItem]:
        """Return the items that stay, in their order."""
        count = 0
        for item in items:
            count += isinstance(item, VideoFrame)
            if not isinstance(item, VideoFrame) or count % 2:
                yield item


@dataclass(frozen=True, slots=True)
class Dim:
    """A room at night: a third of the light, sensor noise, and H.264."""

    name: str = "dim"
    light: float = 0.3
    noise: float = 5.0

    def __call__(self, items: Iterable[MediaItem]) -> Iterator[MediaItem]:
        """Return the items in their order."""
        return Coded(28, "veryfast")(self._dimmed(items))

    def _dimmed(self, items: Iterable[MediaItem]) -> Iterator[MediaItem]:
        random = np.random.default_rng(0)
        for item in items:
            if isinstance(item, VideoFrame):
                luma = 16 + self.light * (item.y.astype(np.float32) - 16)
                luma += random.normal(0, self.noise, item.y.shape).astype(np.float32)
                item = replace(item, y=np.clip(np.rint(luma), 0, 255).astype(np.uint8))
            yield item


GENUINE: Mapping[str, Change | None] = {
    "as recorded": None,
    "crf 40": LowBitrateCall(),
    "half rate": HalfRate(),
    "dim": Dim(),
}
STILLS: Mapping[str, Change] = {kind: Still(kind) for kind in KINDS}


@dataclass(frozen=True, slots=True, eq=False)
class Watched:
    """A clip under one condition; `still` (T,) is where the mouth was still, see `monitor.face.stillness`."""

    row: Row
    features: ClipFeatures
    still: BoolArray

    @property
    def speech_seconds(self) -> float:
        """Speech with a usable face."""
        return float(np.count_nonzero(self.features.speech & self.features.face)) / GRID_HZ

    @property
    def aside_seconds(self) -> float:
        """Seconds of that speech which are set aside."""
        return float(np.count_nonzero(self.features.speech & self.features.face & self.still)) / GRID_HZ


def watched(row: Row, features: ClipFeatures) -> Watched:
    """Measure the mouth of one clip."""
    return Watched(row, features, still_steps(features.shape, features.mouth, features.face, features.size))


def in_first_half(row: Row) -> bool:
    """Whether a person's clips choose; else they report."""
    return zlib.crc32(row.subject.encode()) % 2 == 0


def measure(rows: Sequence[Row], change: Change | None, cache: Path, what: str) -> list[Watched]:
    """Analyse clips under one condition; those without one usable face are left out."""
    found = []
    with clip_progress(what, len(rows)) as tick:
        for row, features in load_features(rows, cache, workers_here(), lambda _: tick(None), change):
            if not isinstance(features, str) and unusable(features) is None:
                trimmed, _ = trim(features)
                found.append(watched(row, trimmed))
    return found


def summary(clips: Sequence[Watched]) -> dict[str, Any]:
    """Sum up what is set aside of speech with a usable face, and how many clips lose more than half of it."""
    speech, aside = sum(clip.speech_seconds for clip in clips), sum(clip.aside_seconds for clip in clips)
    return {
        "clips": len(clips),
        "people": len({clip.row.subject for clip in clips}),
        "speech_seconds": round(speech, 1),
        "aside": round(aside / speech, 4) if speech else None,
        "mostly_aside": sum(2 * clip.aside_seconds > clip.speech_seconds for clip in clips),
    }


def compared(clips: Sequence[Watched], lips: Engine, voice: Engine) -> dict[str, dict[str, Any]]:
    """Tell what the gate costs and brings on the very same clips: judged seconds and AUC by kind of wrong voice."""
    return {
        name: {
            "judged_seconds": judged_seconds(clips, lips, voice, gate),
            "auc": own_against_other(clips, lips, voice, gate),
        }
        for name, gate in (("without", False), ("with", True))
    }


def judged_seconds(clips: Sequence[Watched], lips: Engine, voice: Engine, gate: bool) -> float:
    """Count the hops that are judged, in seconds."""
    hops = (list(windows(encode_features(clip.features, lips, voice, gate), WINDOW_SECONDS)) for clip in clips)
    return HOP_SECONDS * sum(len(found) for found in hops)


def own_against_other(clips: Sequence[Watched], lips: Engine, voice: Engine, gate: bool) -> dict[str, float]:
    """AUC of genuine windows against windows with wrong voices, by kind of wrong."""
    encoded = [
        EncodedClip(clip.row.name, clip.row.subject, *encode_features(clip.features, lips, voice, gate))
        for clip in clips
    ]
    areas = {}
    for kind, results in mismatches(encoded, WINDOW_SECONDS).items():
        fake, real = (
            [r.score for r in results if r.label == label and r.score is not None] for label in ("fake", "real")
        )
        areas[kind] = round(auc(np.asarray(fake), np.asarray(real)), 4)
    return areas


def main(manifest: Path, cache: Path) -> None:
    """Print what is set aside of genuine clips under each condition and of stills of each kind, and what it brings."""
    rows = [row for row in read_manifest(manifest) if row.label == "real"]
    for name, change in {**GENUINE, **STILLS}.items():
        found = measure(rows, change, cache, name)
        parts = [[clip for clip in found if in_first_half(clip.row) is half] for half in (True, False)]
        halves = [summary(part)["aside"] for part in parts]
        sys.stdout.write(json.dumps({"condition": name, **summary(found), "aside_by_half": halves}) + "\n")
        if change is None:
            sys.stdout.write(json.dumps(compared(found, load_engine(LIPS), load_engine(VOICE))) + "\n")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
