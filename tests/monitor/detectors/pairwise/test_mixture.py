from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.detectors.pairwise.mixture import Doubles, Mixture
from tests.monitor.people import SIZE, mixture


def test_the_density_is_that_of_the_gaussians() -> None:
    made = mixture()
    rows = np.random.default_rng(0).standard_normal((20, SIZE)).astype(np.float32)
    inner = rows @ made.basis.T
    density = np.zeros(len(rows))
    for weight, mean, root in zip(made.weights, made.means, made.cholesky, strict=True):
        precision = root @ root.T
        squares = np.einsum("ni,ij,nj->n", inner - mean, precision, inner - mean)
        density += weight * np.sqrt(np.linalg.det(precision / (2 * np.pi))) * np.exp(-0.5 * squares)
    assert made.log_likelihood(rows) == pytest.approx(np.log(density), rel=1e-4)


def test_what_is_far_away_is_unlikely_and_never_infinite() -> None:
    found = mixture().log_likelihood(np.full((1, SIZE), 1e4, np.float32))
    assert np.isfinite(found).all()
    assert found[0] < -1e6


@given(st.integers(1, 60), st.floats(0.1, 100))
def test_adaptation_moves_the_means_towards_the_person(count: int, relevance: float) -> None:
    made = mixture()
    target = np.tile((np.array([0.5, 0, 0, 0]) @ made.basis).astype(np.float32), (count, 1))
    moved = made.adapt(target, relevance)
    before = np.linalg.norm(made.means - made.project(target[:1]), axis=1)
    after = np.linalg.norm(moved.means - moved.project(target[:1]), axis=1)
    assert (after <= before + 1e-9).all()
    assert moved.log_likelihood(target).mean() >= made.log_likelihood(target).mean() - 1e-9


def test_nothing_to_adapt_to_changes_nothing() -> None:
    made = mixture()
    assert made.adapt(np.zeros((0, SIZE), np.float32)) is made


def test_arrays_make_the_same_mixture() -> None:
    made = mixture()
    rows = np.random.default_rng(1).standard_normal((5, SIZE)).astype(np.float32)
    assert (Mixture.from_arrays(made.arrays()).log_likelihood(rows) == made.log_likelihood(rows)).all()


@pytest.mark.parametrize(
    ("name", "value"), [("weights", np.ones(3)), ("centre", np.zeros(3)), ("means", np.full((2, 4), np.nan))]
)
def test_arrays_that_do_not_fit_are_refused(name: str, value: Doubles) -> None:
    with pytest.raises(ValueError, match="fit it again"):
        Mixture.from_arrays(mixture().arrays() | {name: value})
