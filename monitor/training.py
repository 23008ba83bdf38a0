"""From clips to what the recipes in `engines.training` take: the one place where calls' features meet torch."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import replace

from engines.training.clips import Clip
from monitor.corpus import Row
from monitor.features import ClipFeatures

MIN_STEPS = 20


def to_clip(row: Row, features: ClipFeatures) -> Clip | None:
    """Make a training clip; None when there is too little of it, or several faces leave open who speaks."""
    good = features.face & features.speech
    if len(features) < MIN_STEPS or features.faces > 1 or good.sum() < MIN_STEPS // 2:
        return None
    return Clip(row.name, row.subject, row.group or row.subject, features.shape, features.mouth, features.mel, good)


def divide(rows: Sequence[Row], hold_out: str) -> list[Row]:
    """Without a split, put every fourth subject (by the hash of its name) into the fold to hold out."""
    if any(row.fold for row in rows):
        return list(rows)
    return [replace(row, fold=hold_out if zlib.crc32(row.subject.encode()) % 4 == 0 else "always") for row in rows]
