from __future__ import annotations

import numpy as np
import pytest

from engines.training.pairs import COMPONENTS, fit_autoencoder, fit_mixture, fit_one_class, principal
from monitor.detectors.pairwise.mixture import Mixture

RANDOM = np.random.default_rng(0)
PLANE = np.linalg.qr(RANDOM.standard_normal((20, 4)))[0].T


def natural(count: int, seed: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """Rows near a plane, in two groups."""
    random = np.random.default_rng(seed)
    inner = random.standard_normal((count, 4)) * 0.3 + np.where(np.arange(count) % 2, 2, -2)[:, None]
    return np.asarray(inner @ PLANE + 0.01 * random.standard_normal((count, 20)), np.float32)


def test_principal_components_span_the_plane() -> None:
    centre, basis = principal(natural(400, 1), 4)
    assert np.allclose(basis @ basis.T, np.eye(4), atol=1e-6)
    assert np.abs(PLANE @ basis.T).sum() > 3.5
    assert np.abs(centre).max() < 0.5
    assert principal(natural(3, 1), 10)[1].shape == (2, 20)


def test_the_mixture_knows_what_is_natural() -> None:
    pytest.importorskip("sklearn", reason="fitting needs scikit-learn: install the extra `train`")
    arrays = fit_mixture(natural(400, 1), size=4)
    mixture = Mixture.from_arrays(arrays)
    assert mixture.means.shape == (COMPONENTS, 4)
    near, far = natural(50, 2), natural(50, 2) + 3 * PLANE[0].astype(np.float32)
    assert mixture.log_likelihood(near).mean() > mixture.log_likelihood(far).mean() + 5


def test_spread_makes_units_of_no_account() -> None:
    pytest.importorskip("sklearn", reason="fitting needs scikit-learn: install the extra `train`")
    x = natural(200, 1)
    units = np.geomspace(0.01, 100, 20).astype(np.float32)
    plain = Mixture.from_arrays(fit_mixture(x, x.std(0), size=4)).log_likelihood(x)
    scaled = Mixture.from_arrays(fit_mixture(x * units, (x * units).std(0), size=4)).log_likelihood(x * units)
    assert scaled == pytest.approx(plain, abs=0.05)


def test_the_comparisons_know_it_too() -> None:
    pytest.importorskip("sklearn", reason="fitting needs scikit-learn: install the extra `train`")
    pytest.importorskip("torch", reason="the autoencoder needs torch: install the extra `train`")
    near, far = natural(50, 2), natural(50, 2) + 6 * PLANE[0].astype(np.float32)
    for score in (fit_one_class(natural(400, 1), 4), fit_autoencoder(natural(400, 1), 4, inner=2, steps=300)):
        assert score(near).shape == (50,)
        assert np.median(score(near)) > np.median(score(far))
