"""What is natural between two looks at one face: a Gaussian mixture over pair features, and the paper's comparisons.

After DiffFake (Stamnas and Sanchez 2025, sections 3.2 and 4.4): k = 3 Gaussians with full covariance, started by
k-means, at most 250 iterations, fitted to pairs of genuine looks only. Full covariance in the embedding's 1,280 or
1,792 dimensions would need millions of pairs, so the features are first reduced to their principal components. The
one-class support vector machine and the autoencoder are what the paper compares with: they are never shipped.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

COMPONENTS = 3
SIZE = 48
ITERATIONS = 250
# Of the mean variance: the covariance of 48 numbers from some hundreds of windows needs it.
_REGULARISATION = 0.1

Doubles = NDArray[np.float64]
Rows = NDArray[np.floating[Any]]
# Log-likelihood or the like of rows (N, D): (N,), higher being more natural.
Scorer = Callable[[Rows], Doubles]


def principal(x: Rows, size: int = SIZE) -> tuple[Doubles, Doubles]:
    """Find the centre (D,) and the principal components (size, D) of rows (N, D)."""
    centre = x.mean(0, dtype=np.float64)
    centred = x - centre
    values, vectors = np.linalg.eigh(centred.T @ centred)
    order = np.argsort(values)[::-1][: min(size, len(x) - 1, x.shape[1])]
    return centre, np.ascontiguousarray(vectors[:, order].T, np.float64)


def fit_mixture(
    x: Rows, spread: Rows | None = None, size: int = SIZE, components: int = COMPONENTS, seed: int = 0
) -> dict[str, Doubles]:
    """Fit the mixture to features (N, D).

    The arrays are those that `monitor.detectors.pairwise.mixture.Mixture.from_arrays` takes. `spread` (D,) is what each
    number is divided by first. Needs scikit-learn.
    """
    from sklearn.mixture import GaussianMixture

    scale = np.ones(x.shape[1]) if spread is None else spread
    centre, basis = principal(x / scale, size)
    centre, basis = centre * scale, basis / scale
    rows = (x - centre) @ basis.T
    model = GaussianMixture(
        components,
        covariance_type="full",
        max_iter=ITERATIONS,
        init_params="kmeans",
        reg_covar=_REGULARISATION * float(rows.var(0).mean()),
        random_state=seed,
    ).fit(rows)
    return {
        "weights": model.weights_,
        "means": model.means_,
        "cholesky": model.precisions_cholesky_,
        "centre": centre,
        "basis": basis,
    }


def fit_one_class(x: Rows, size: int = SIZE) -> Scorer:
    """Fit the one-class support vector machine of the paper's table 9. Needs scikit-learn."""
    from sklearn.svm import OneClassSVM

    centre, basis = principal(x, size)
    rows = (x - centre) @ basis.T
    spread = rows.std(0)
    model = OneClassSVM(kernel="rbf", gamma="scale", nu=0.1).fit(rows / spread)
    return lambda y: np.asarray(model.score_samples((y - centre) @ basis.T / spread), np.float64)


def fit_autoencoder(x: Rows, size: int = SIZE, inner: int = 8, steps: int = 600, seed: int = 0) -> Scorer:
    """Fit the autoencoder of the paper's table 9; what it cannot restore is unnatural. Needs torch."""
    import torch
    from torch import nn

    centre, basis = principal(x, size)
    rows = (x - centre) @ basis.T
    spread = rows.std(0)
    data = torch.from_numpy((rows / spread).astype(np.float32))
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        wide = data.shape[1]
        model = nn.Sequential(
            nn.Linear(wide, 2 * wide), nn.ReLU(), nn.Linear(2 * wide, inner), nn.Linear(inner, 2 * wide), nn.ReLU()
        ).append(nn.Linear(2 * wide, wide))
    optimiser = torch.optim.Adam(model.parameters(), 1e-3)
    for _ in range(steps):
        batch = data[torch.randint(len(data), (256,), generator=generator)]
        loss = nn.functional.mse_loss(model(batch), batch)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()

    def natural(y: Rows) -> Doubles:
        projected = torch.from_numpy(((y - centre) @ basis.T / spread).astype(np.float32))
        with torch.no_grad():
            return np.asarray(-((model(projected) - projected) ** 2).mean(1).numpy(), np.float64)

    return natural
