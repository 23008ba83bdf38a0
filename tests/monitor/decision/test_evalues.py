import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.decision.evalues import combine, mixture, power, powers, shaped, shaped_many, stepped

P = st.floats(1e-6, 1.0)
KAPPA = st.floats(0.05, 0.95)
GRID = (np.arange(200_000) + 0.5) / 200_000


@given(KAPPA)
def test_a_power_calibrator_has_mean_at_most_one_under_the_null(kappa: float) -> None:
    assert powers(GRID, kappa).mean() <= 1.0


def test_the_mixture_has_mean_one_under_the_null() -> None:
    """Integrated over kappa the mass below p is (p - 1) / ln p, so what lies above is one minus that."""
    for least in (1e-6, 1e-3, 0.1):
        p = np.exp(np.linspace(np.log(least), 0.0, 20_001))
        above = np.trapezoid([mixture(x) for x in p], p)
        assert above == pytest.approx(1.0 - (least - 1.0) / math.log(least), rel=1e-4)


@given(P, P)
def test_smaller_p_values_never_give_smaller_e_values(a: float, b: float) -> None:
    low, high = sorted((a, b))
    assert power(low, 0.5) >= power(high, 0.5)
    assert mixture(low) >= mixture(high) - 1e-6


@given(P, KAPPA)
def test_many_at_once_agree_with_one_by_one(p: float, kappa: float) -> None:
    assert powers(np.array([p]), kappa)[0] == pytest.approx(power(p, kappa))


def test_known_values() -> None:
    assert power(0.25, 0.5) == pytest.approx(1.0)
    assert power(1.0, 0.3) == pytest.approx(0.3)
    assert mixture(1.0) == 0.5
    p = 0.01
    kappas = (np.arange(100_000) + 0.5) / 100_000
    assert mixture(p) == pytest.approx(float(np.mean(kappas * p ** (kappas - 1))), rel=1e-6)


def test_the_mixture_has_no_seam_near_one() -> None:
    at = math.exp(-1e-3)
    assert mixture(at * (1 + 1e-9)) == pytest.approx(mixture(at * (1 - 1e-9)), rel=1e-6)


@pytest.mark.parametrize("p", [0.0, -0.1, 1.1, float("nan")])
def test_what_is_no_p_value_is_refused(p: float) -> None:
    with pytest.raises(ValueError, match=r"lies in \(0, 1\]"):
        power(p, 0.5)
    with pytest.raises(ValueError, match=r"lies in \(0, 1\]"):
        mixture(p)


@pytest.mark.parametrize("kappa", [0.0, 1.0, -1.0])
def test_kappa_lies_between_0_and_1(kappa: float) -> None:
    with pytest.raises(ValueError, match="kappa"):
        power(0.5, kappa)


def test_detectors_are_averaged_and_an_abstention_is_neutral() -> None:
    assert combine([4.0, 2.0]) == 3.0
    assert combine([4.0, None]) == 2.5
    assert combine([0.5, None, None]) == pytest.approx(2.5 / 3)


@pytest.mark.parametrize("values", [[], [None], [None, None]])
def test_nothing_is_judged_when_all_abstain(values: list[float | None]) -> None:
    assert combine(values) is None


@given(st.lists(st.floats(0, 100) | st.none(), min_size=1, max_size=5))
def test_the_average_lies_between_the_least_and_the_greatest(values: list[float | None]) -> None:
    combined = combine(values)
    if combined is not None:
        full = [1.0 if v is None else v for v in values]
        assert min(full) - 1e-9 <= combined <= max(full) + 1e-9


def test_the_bet_of_brief_windows_has_mean_at_most_one_under_the_null() -> None:
    assert 0.95 < shaped_many(GRID).mean() <= 1.0
    assert shaped(0.004) == pytest.approx(float(shaped_many(np.array(0.004))))
    assert shaped(0.004) > 3 * power(0.004, 0.5)
    with pytest.raises(ValueError, match="p-value lies in"):
        shaped(0.0)


@given(st.lists(st.tuples(st.floats(1e-3, 1.0), st.floats(0.0, 1.0)), min_size=1, max_size=6))
def test_every_shape_of_steps_has_mean_at_most_one_under_the_null(shape: list[tuple[float, float]]) -> None:
    steps = [step for step, _ in shape]
    total = max(1.0, sum(stake for _, stake in shape))
    stakes = [stake / total for _, stake in shape]
    assert stepped(GRID, steps, stakes).mean() <= 1.0 + 1e-2 * len(shape)
    assert (np.diff(stepped(GRID[::1000], steps, stakes)) <= 1e-9).all()


@pytest.mark.parametrize("stakes", [(0.6, 0.6), (1.2, -0.2)])
def test_stakes_are_shares_of_one(stakes: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="stakes must be"):
        stepped(GRID, (0.1, 1.0), stakes)
