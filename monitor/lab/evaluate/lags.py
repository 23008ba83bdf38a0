"""How steady genuine people's lags are, how often one would be told of a genuine person, and which added lag is told.

    python -m monitor.lab.evaluate.lags MANIFEST[,MANIFEST...] CACHE [PACKS]

Lags are measured as in a call, over the last 16 s, at the end of each clip and halfway. Everybody is then put beside
others drawn at random: of the same source, which is as near as recordings come to one path, and of all. A steady delay
is added by shifting the offsets that were found, so it must be one that the search would find. How often somebody is
told is also given for other distances from the others than the shipped one, without a delay. One line of JSON goes to
stdout; it names nobody.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from engines.base import MODELS
from monitor.decision.lag import MIN_BEYOND_SECONDS, Lag, lag_of, stands_out
from monitor.detectors.base import MEMORY_SECONDS
from monitor.detectors.synchrony.offset import follow
from monitor.lab.corpus.manifest import read_manifest
from monitor.lab.evaluate.voice_mismatch import EncodedClip, window_at
from monitor.lab.evaluate.worker_pool import WorkerOptions, encode_clips
from monitor.lab.metrics.intervals import mean_interval, wilson
from monitor.lab.progress import clip_progress
from monitor.window.grid import GRID_HZ

OTHERS = (2, 3, 5)
DELAYS_SECONDS = (0.0, 0.08, 0.12, 0.16, 0.2, 0.24, 0.32)
LEVELS_SECONDS = (0.06, 0.08, 0.1, 0.12, 0.16)
DRAWS, ROUNDS = 200, 1000
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


@dataclass(frozen=True, slots=True)
class MeasuredClip:
    """The lag at the end of a clip, and of its two halves: None where none is steady."""

    subject: str
    source: str
    lag: Lag | None
    halves: tuple[Lag | None, Lag | None] = (None, None)


def lag_in(clip: EncodedClip, first: int, last: int) -> Lag | None:
    """Measure the lag that a call would know of at frame `last` if it had begun at `first`."""
    frames = min(last - first, round(MEMORY_SECONDS * GRID_HZ))
    _, path = follow(window_at(clip, last - frames, frames))
    return lag_of([offset / GRID_HZ for offset in path.offsets])


def measured_clip(clip: EncodedClip, source: str) -> MeasuredClip:
    """Measure a clip."""
    count, middle = len(clip.face), len(clip.face) // 2
    halves = lag_in(clip, 0, middle), lag_in(clip, middle, count)
    return MeasuredClip(clip.subject, source, lag_in(clip, 0, count), halves)


def summarise(clips: Sequence[MeasuredClip], seed: int = 0) -> dict[str, Any]:
    """Sum up; JSON values."""
    people = _one_each(clips)
    return {
        "clips": len(clips),
        "with_lag": sum(clip.lag is not None for clip in clips),
        "people": len(people),
        "ms": _quantiles([clip.lag for clip in people]),
        "by_source": {
            source: {"people": len(lags), "ms": _quantiles(lags)} for source, lags in _by_source(people).items()
        },
        "repeats": _repeats(clips),
        "told": [
            {"others": others, "of": of, "delay_ms": round(1000 * delay), **_told(people, others, of, delay, seed)}
            for of in ("the same source", "all")
            for others in OTHERS
            for delay in DELAYS_SECONDS
        ],
        "genuine_told": [
            {
                "others": others,
                "of": of,
                "beyond_ms": round(1000 * level),
                **_told(people, others, of, 0.0, seed, level),
            }
            for of in ("the same source", "all")
            for others in OTHERS
            for level in LEVELS_SECONDS
        ],
    }


def _one_each(clips: Sequence[MeasuredClip]) -> list[MeasuredClip]:
    """Keep the first clip of each person that has a lag."""
    first = {clip.subject: clip for clip in reversed(clips) if clip.lag is not None}
    return sorted(first.values(), key=lambda clip: clip.subject)


def _by_source(people: Sequence[MeasuredClip]) -> dict[str, list[Lag | None]]:
    found = dict[str, list[Lag | None]]()
    for n, source in enumerate(sorted({clip.source for clip in people})):
        # A source is told by its number: its name may be somebody's.
        found[f"source {n + 1}"] = [clip.lag for clip in people if clip.source == source]
    return {name: lags for name, lags in found.items() if len(lags) > max(OTHERS)}


def _quantiles(lags: Sequence[Lag | None]) -> dict[str, float]:
    values = [1000 * lag.seconds for lag in lags if lag is not None]
    return {f"{share:g}": round(float(np.quantile(values, share)), 1) for share in QUANTILES} if values else {}


def _repeats(clips: Sequence[MeasuredClip]) -> dict[str, Any]:
    """Compare the halves of clips: how far they differ, and how often by more than both margins allow."""
    pairs = [clip.halves for clip in clips if None not in clip.halves]
    differences = [abs(a.seconds - b.seconds) for a, b in pairs if a and b]
    beyond = sum(abs(a.seconds - b.seconds) > np.hypot(a.margin, b.margin) for a, b in pairs if a and b)
    return {
        "clips": len(pairs),
        "ms": {f"{share:g}": round(1000 * float(np.quantile(differences, share)), 1) for share in QUANTILES}
        if pairs
        else {},
        "beyond_margins": [round(value, 3) for value in (beyond / max(len(pairs), 1), *wilson(beyond, len(pairs)))],
    }


def _told(
    people: Sequence[MeasuredClip],
    others: int,
    of: str,
    delay: float,
    seed: int,
    beyond_seconds: float = MIN_BEYOND_SECONDS,
) -> dict[str, Any]:
    """Put everybody beside others, again and again: in which share of draws they are told of, by person."""
    random, shares = np.random.default_rng(seed), []
    for clip in people:
        beside = [one.lag for one in people if one is not clip and (of == "all" or one.source == clip.source)]
        if clip.lag is None or len(beside) < others:
            continue
        own = replace(clip.lag, seconds=clip.lag.seconds + delay)
        drawn = [random.choice(len(beside), others, replace=False) for _ in range(DRAWS)]
        compared = [[lag for n in one if (lag := beside[n])] for one in drawn]
        shares.append(float(np.mean([stands_out(own, lags, beyond_seconds) for lags in compared])))
    interval = mean_interval(shares, ROUNDS)
    share = float(np.mean(shares)) if shares else float("nan")
    ever = sum(value > 0.0 for value in shares)
    return {
        "people": len(shares),
        "share": [None if np.isnan(value) else round(value, 4) for value in (share, *interval)],
        "people_ever": ever,
    }


def main(manifests: str, cache: str, packs: str = "") -> None:
    """Print the measures of the genuine clips of one or more manifests."""
    rows = [row for name in manifests.split(",") for row in read_manifest(Path(name)) if row.label == "real"]
    folder, sources = Path(cache), {row.name: row.source for row in rows}
    with clip_progress("encoding genuine clips", len(rows)) as tick:
        options = WorkerOptions(folder, folder / "outcomes.jsonl", 1)
        clips = encode_clips(rows, Path(packs) if packs else MODELS, options, tick)
    found = [measured_clip(clip, sources[clip.clip]) for clip in clips]
    sys.stdout.write(json.dumps(summarise(found)) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
