"""Identity distance as ExposeAnyone takes it: how much better a window is denoised with a person's tokens than without.

Every window is made noisy at the same few timesteps with the same noises, drawn once from a seed that the pack names,
and denoised twice, all in one batch. The error WITH the tokens against the error WITHOUT is the distance: what is said,
and how hard it is to denoise, are in both and cancel; a person who moves like themselves is below zero.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from engines.errors import SidewitnessError
from monitor.types import BoolArray, FloatArray

# The file beside the pack that holds `Tokens`.
FILE = "tokens.npz"
_MIN_ERROR = 1e-9


class TokensError(SidewitnessError):
    """The file of tokens cannot be used; the message is one line that says what to do."""


class Moving(Protocol):
    """A window of three seconds: motion (75, M) less its neutral, voice (75, 128), mask (75,) of usable steps."""

    @property
    def motion(self) -> FloatArray:
        """Expression and head (75, M), less the recording's neutral; zero where masked."""
        ...

    @property
    def voice(self) -> FloatArray:
        """Vectors of the voice encoder (75, 128)."""
        ...

    @property
    def mask(self) -> FloatArray | BoolArray:
        """1 where face and voice can be used, else 0 (75,)."""
        ...

    @property
    def start(self) -> float:
        """When it begins, in seconds of its recording."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Tokens:
    """The tokens of nobody (P, d), with which the model goes without a person, and a start for personalising.

    They are in the file `tokens.npz` beside the model of the pack `persona`.
    """

    null: FloatArray
    start: FloatArray

    def to_bytes(self) -> bytes:
        """Give the bytes of an .npz file."""
        out = io.BytesIO()
        np.savez(out, null=self.null, start=self.start)
        return out.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> Tokens:
        """Read what `to_bytes` gave; raises `TokensError` for anything else."""
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
                tokens = cls(arrays["null"].astype(np.float32), arrays["start"].astype(np.float32))
        except Exception:
            # np.load raises what zipfile, ast and numpy happen to: for the caller they are one case.
            raise TokensError(f"{FILE} of the persona pack cannot be read: reinstall the pack") from None
        if (
            tokens.null.ndim != 2
            or tokens.null.shape != tokens.start.shape
            or not np.isfinite([tokens.null, tokens.start]).all()
        ):
            raise TokensError(f"{FILE} of the persona pack does not hold tokens: reinstall the pack")
        return tokens


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """At which timesteps (S,) windows are made noisy, with which noises (S, 75, M), and how much each counts (S,)."""

    timesteps: FloatArray
    noise: FloatArray
    weights: FloatArray

    @classmethod
    def from_preprocessing(cls, preprocessing: Mapping[str, Any]) -> Plan:
        """Read a persona pack's plan: `timesteps`, `noises` for each, `noise_seed`, `steps`, `features`, `weights`."""
        times, noises = [float(at) for at in preprocessing["timesteps"]], int(preprocessing.get("noises", 1))
        shares = [float(share) for share in preprocessing.get("weights", [1.0] * len(times))]
        random = np.random.Generator(np.random.PCG64(int(preprocessing["noise_seed"])))
        size = (len(times) * noises, int(preprocessing["steps"]), int(preprocessing["features"]))
        weights = np.repeat(np.array(shares, np.float32), noises)
        noise = random.standard_normal(size, np.float32)
        return cls(np.repeat(np.array(times, np.float32), noises), noise, weights / weights.sum())

    def __len__(self) -> int:
        return len(self.timesteps)


@dataclass(frozen=True, slots=True, eq=False)
class Distances:
    """What W windows are: `gap` (W,) is the distance, the logarithm of the error WITH the tokens over that WITHOUT.

    `with_tokens` (W,) and `without_tokens` (W,) are the errors, their geometric means over timesteps. `curve` (W, 75)
    is how much more error a step has with the tokens, as a share of the window's without, zero where the step is
    masked: when, within the window, they moved unlike the person.
    """

    gap: FloatArray
    with_tokens: FloatArray
    without_tokens: FloatArray
    curve: FloatArray


def batch(windows: Sequence[Moving], tokens: FloatArray, null: FloatArray, plan: Plan) -> dict[str, FloatArray]:
    """Make the inputs of the pack for all windows at once: 2 S rows each, with `tokens` (P, d) before without.

    `tokens` may also be (W, P, d), some for each window.
    """
    count, rows = len(windows), 2 * len(plan)
    broadcast = np.broadcast_to(tokens, (count, *null.shape))
    both = np.stack([broadcast, np.broadcast_to(null, broadcast.shape)], 1)

    def repeated(values: Sequence[FloatArray | BoolArray]) -> FloatArray:
        return np.repeat(np.stack(values).astype(np.float32), rows, axis=0)

    def tiled(values: FloatArray) -> FloatArray:
        return np.tile(values, (2 * count, *[1] * (values.ndim - 1)))

    return {
        "motion": repeated([window.motion for window in windows]),
        "voice": repeated([window.voice for window in windows]),
        "mask": repeated([window.mask for window in windows]),
        "tokens": np.repeat(both.reshape(2 * count, *null.shape), len(plan), axis=0).astype(np.float32),
        "timestep": tiled(plan.timesteps[:, None]),
        "noise": tiled(plan.noise),
    }


def distances(error: FloatArray, windows: Sequence[Moving], plan: Plan) -> Distances:
    """Read the pack's output `error` (2 S W, 75) of a `batch` of the same windows and plan.

    Errors at different timesteps differ by orders of magnitude, and so do those of different windows: the gap is the
    mean over timesteps of the logarithm of their ratio, which gives each the same say.
    """
    errors = error.astype(np.float64).reshape(len(windows), 2, len(plan), -1)
    steps = np.maximum(np.stack([window.mask for window in windows]).sum(1), 1.0)
    means = np.maximum(errors.sum(3) / steps[:, None, None], _MIN_ERROR)
    logs = np.log(means) @ plan.weights
    gap, with_tokens, without_tokens = logs[:, 0] - logs[:, 1], np.exp(logs[:, 0]), np.exp(logs[:, 1])
    differences = (errors[:, 0] - errors[:, 1]) / means[:, 1, :, None]
    curve = np.einsum("wst,s->wt", differences, plan.weights)
    return Distances(*(np.asarray(array, np.float32) for array in (gap, with_tokens, without_tokens, curve)))
