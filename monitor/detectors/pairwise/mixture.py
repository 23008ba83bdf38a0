"""A Gaussian mixture over pair features, as plain arrays: fitted in training, scored and adapted in numpy. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from monitor.types import FloatArray

Doubles = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Mixture:
    """K Gaussians with full covariance over P numbers that are projected from D.

    `weights` (K,), `means` (K, P), `cholesky` (K, P, P): the precision of a component is cholesky @ cholesky.T, as
    scikit-learn's `precisions_cholesky_`; `centre` (D,) and `basis` (P, D): x is projected to (x - centre) @ basis.T.
    """

    NAMES: ClassVar = ("weights", "means", "cholesky", "centre", "basis")

    weights: Doubles
    means: Doubles
    cholesky: Doubles
    centre: Doubles
    basis: Doubles

    def __post_init__(self) -> None:
        """Raise `ValueError` where the arrays do not fit each other."""
        count, size = self.means.shape
        fits = (
            self.weights.shape == (count,)
            and self.cholesky.shape == (count, size, size)
            and self.basis.shape == (size, *self.centre.shape)
        )
        if not fits or not all(np.isfinite(array).all() for array in self.arrays().values()):
            raise ValueError("the arrays of the mixture do not fit each other: fit it again")

    def project(self, x: FloatArray) -> Doubles:
        """Project features (N, D) to (N, P)."""
        return np.asarray((x - self.centre) @ self.basis.T, np.float64)

    def log_likelihood(self, x: FloatArray) -> Doubles:
        """Give the natural logarithm of the density of each row of features (N, D): (N,)."""
        joint = self._joint(self.project(x))
        top = joint.max(1)
        return np.asarray(top + np.log(np.exp(joint - top[:, None]).sum(1)), np.float64)

    def adapt(self, x: FloatArray, relevance: float = 16.0) -> Mixture:
        """Move the means towards the features (N, D) of one person (Reynolds, Quatieri and Dunn 2000, section 3.3).

        A component that `relevance` features fall to moves half of the way; without features nothing moves.
        """
        if len(x) == 0:
            return self
        rows = self.project(x)
        joint = self._joint(rows)
        share = np.exp(joint - joint.max(1, keepdims=True))
        share /= share.sum(1, keepdims=True)
        counts = share.sum(0)
        person_means = share.T @ rows / np.maximum(counts, 1e-9)[:, None]
        pull = (counts / (counts + relevance))[:, None]
        return replace(self, means=pull * person_means + (1 - pull) * self.means)

    def arrays(self) -> dict[str, Doubles]:
        """Give what the mixture consists of, by name."""
        return {name: getattr(self, name) for name in self.NAMES}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Any]) -> Mixture:
        """Build from what `arrays` gave; raises `KeyError` and `ValueError`."""
        return cls(*(np.asarray(arrays[name], np.float64) for name in cls.NAMES))

    def _joint(self, rows: Doubles) -> Doubles:
        columns = []
        for weight, mean, root in zip(self.weights, self.means, self.cholesky, strict=True):
            squares = (((rows - mean) @ root) ** 2).sum(1)
            half_log_det = np.log(np.abs(np.diagonal(root))).sum()
            columns.append(np.log(weight) + half_log_det - 0.5 * (squares + len(mean) * np.log(2 * np.pi)))
        return np.stack(columns, axis=1)
