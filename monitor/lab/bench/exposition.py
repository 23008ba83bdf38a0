"""Histograms and counters read back from `/metrics`, over a span: a reading at its end minus one at its begin. Pure."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families

PREFIX = "sidewitness_"


@dataclass(frozen=True, slots=True)
class Histogram:
    """Cumulative counts by upper bound, bounds ascending, the last one infinite."""

    bounds: tuple[float, ...]
    counts: tuple[float, ...]

    @property
    def total(self) -> float:
        """How many observations."""
        return self.counts[-1] if self.counts else 0.0

    def since(self, before: Histogram) -> Histogram:
        """Return what was observed after an earlier reading of the same histogram."""
        return Histogram(self.bounds, tuple(now - then for now, then in zip(self.counts, before.counts, strict=True)))

    def quantile(self, q: float) -> float | None:
        """Return the q-quantile (0 < q <= 1), straight between bounds; None without data.

        It is the last finite bound where it lies above that.
        """
        if not self.total:
            return None
        wanted = q * self.total
        at = bisect_left(self.counts, wanted)
        lower, below = (self.bounds[at - 1], self.counts[at - 1]) if at else (0.0, 0.0)
        if math.isinf(self.bounds[at]):
            return lower
        return lower + (self.bounds[at] - lower) * (wanted - below) / (self.counts[at] - below)


@dataclass(frozen=True, slots=True)
class Exposition:
    """One reading of `/metrics`: every sample of ours by name, and bounds by histogram."""

    values: dict[str, float]
    buckets: dict[str, tuple[tuple[float, float], ...]]

    @classmethod
    def parse(cls, text: str) -> Exposition:
        """Read the text format of Prometheus, version 0.0.4."""
        values: dict[str, float] = {}
        buckets: dict[str, list[tuple[float, float]]] = {}
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                name = sample.name.removeprefix(PREFIX)
                if "le" in sample.labels:
                    buckets.setdefault(name.removesuffix("_bucket"), []).append(
                        (float(sample.labels["le"]), sample.value)
                    )
                else:
                    values[name] = values.get(name, 0.0) + sample.value
        return cls(values, {name: tuple(sorted(pairs)) for name, pairs in buckets.items()})

    def histogram(self, name: str) -> Histogram:
        """Return a histogram by its name without prefix; empty when there is none."""
        pairs: Iterable[tuple[float, float]] = self.buckets.get(name, ())
        bounds, counts = zip(*pairs, strict=True) if pairs else ((), ())
        return Histogram(tuple(bounds), tuple(counts))

    def value(self, name: str) -> float:
        """Return a counter or gauge by its name without prefix, summed over labels; 0 when there is none."""
        return self.values.get(name, 0.0)
