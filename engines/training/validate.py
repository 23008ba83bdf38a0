"""How well matching voices are told from others, on held-out clips: windows, areas under the curve, intervals.

Pure numpy but for running the towers. The numbers are those of the feasibility study: matched windows against windows
with another speaker's voice, and against their own voice shifted by a second.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from engines.base import GRID_HZ
from engines.metrics import auc, eer
from engines.nets.speech import Lips, LipsEnsemble, Voice, VoiceEnsemble
from engines.training.agreement import best_agreement
from engines.training.clips import Clip
from engines.training.steps import SEARCHED_STEPS, Spoken

# Windows compared with all others at a time: a thousand at once would take eight gigabytes.
ROWS_AT_ONCE = 16
Floats = NDArray[np.float64]
LipTower = Lips | LipsEnsemble
VoiceTower = Voice | VoiceEnsemble


@dataclass(frozen=True, slots=True)
class Separation:
    """One window length: windows, subjects, and what was reached (intervals: 95 %, bootstrap over subjects)."""

    seconds: float
    windows: int
    subjects: int
    auc_other: float
    auc_other_low: float
    auc_other_high: float
    auc_shift: float
    eer_other: float
    tpr_at_1_percent: float

    def as_dict(self) -> dict[str, float | None]:
        """For a manifest or a log; what could not be measured is None."""
        return {key: round(float(n), 4) if math.isfinite(n) else None for key, n in asdict(self).items()}


@dataclass(frozen=True, slots=True, eq=False)
class _Windows:
    lips: torch.Tensor
    voice: torch.Tensor
    good: torch.Tensor
    shifted: torch.Tensor
    has_shift: NDArray[np.bool_]
    subject: NDArray[np.str_]


@torch.no_grad()
def encode(clip: Clip, lips: LipTower, voice: VoiceTower) -> tuple[torch.Tensor, torch.Tensor]:
    """Vectors of a whole clip, (T, 128) each."""
    where = next(lips.parameters()).device
    mouth = torch.from_numpy(clip.mouth.astype(np.float32) / 255)[None].to(where)
    vectors = lips(torch.from_numpy(clip.shape)[None].to(where), mouth)[0]
    return vectors, voice(torch.from_numpy(clip.mel)[None].to(where))[0]


def separation(
    clips: Sequence[Clip], lips: LipTower, voice: VoiceTower, seconds: Sequence[float], seed: int = 0
) -> list[Separation]:
    """Measure on the clips of people that training did not see; the towers are left in evaluation mode.

    Lengths of which fewer than two people have a window with speech are left out.
    """
    lips.eval()
    voice.eval()
    encoded = []
    for clip in clips:
        lips_vectors, voice_vectors = encode(clip, lips, voice)
        encoded.append((clip, lips_vectors.cpu(), voice_vectors.cpu()))
    return separated(encoded, seconds, seed)


def separated(
    encoded: Sequence[tuple[Spoken, torch.Tensor, torch.Tensor]], seconds: Sequence[float], seed: int = 0
) -> list[Separation]:
    """Measure on clips that are encoded already, (T, D) each; see `separation`."""
    cut = [(s, _cut(encoded, int(s * GRID_HZ))) for s in seconds]
    return [_measure(w, s, seed) for s, w in cut if w is not None and len(np.unique(w.subject)) > 1]


def _cut(encoded: Sequence[tuple[Spoken, torch.Tensor, torch.Tensor]], length: int) -> _Windows | None:
    rows = []
    for clip, lips, voice in encoded:
        for start in range(0, len(clip.good) - length + 1, length):
            good = torch.from_numpy(clip.good[start : start + length])
            if int(good.sum()) < 0.6 * length:
                continue
            shift = next((s for s in (GRID_HZ, -GRID_HZ) if 0 <= start + s <= len(clip.good) - length), None)
            other = voice[start + (shift or 0) : start + (shift or 0) + length]
            rows.append(
                (
                    lips[start : start + length],
                    voice[start : start + length],
                    good,
                    other,
                    shift is not None,
                    clip.subject,
                )
            )
    if not rows:
        return None
    lips_, voice_, good_, other_, has, subject = zip(*rows, strict=True)
    return _Windows(
        torch.stack(lips_),
        torch.stack(voice_),
        torch.stack(good_),
        torch.stack(other_),
        np.array(has),
        np.array(subject),
    )


def _measure(windows: _Windows, seconds: float, seed: int) -> Separation:
    parts = [slice(start, start + ROWS_AT_ONCE) for start in range(0, len(windows.lips), ROWS_AT_ONCE)]
    found = [best_agreement(windows.lips[part], windows.voice, windows.good[part], SEARCHED_STEPS)[0] for part in parts]
    agreement = torch.cat(found).numpy().astype(np.float64)
    matched = np.diagonal(agreement)
    foreign = windows.subject[:, None] != windows.subject[None]
    shifted = np.array(
        [
            float(
                best_agreement(
                    windows.lips[i : i + 1], windows.shifted[i : i + 1], windows.good[i : i + 1], SEARCHED_STEPS
                )[0]
            )
            for i in np.flatnonzero(windows.has_shift)
        ]
    )
    low, high = _interval(agreement, windows.subject, seed)
    other = agreement[foreign]
    return Separation(
        seconds, len(matched), len(np.unique(windows.subject)), auc(matched, other), low, high, auc(matched, shifted),
        eer(matched, other), float((matched > np.quantile(other, 0.99)).mean()),
    )  # fmt: skip


def _interval(agreement: Floats, subject: NDArray[np.str_], seed: int, rounds: int = 300) -> tuple[float, float]:
    random = np.random.default_rng(seed)
    names = np.unique(subject)
    values = []
    for _ in range(rounds):
        picked = random.choice(names, len(names))
        rows = np.concatenate([np.flatnonzero(subject == name) for name in picked])
        part = agreement[np.ix_(rows, rows)]
        foreign = subject[rows][:, None] != subject[rows][None]
        values.append(auc(np.diagonal(part), part[foreign]))
    return float(np.nanquantile(values, 0.025)), float(np.nanquantile(values, 0.975))
