"""The basis finds the ways in which faces move, not the faces, and everyone weighs the same."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from engines.training.clips import TrainingError
from engines.training.expression_basis import Fitted, Moved, fit_basis

WIDTH = 30


def ways(count: int) -> NDArray[np.float64]:
    return np.asarray(np.linalg.qr(np.random.default_rng(9).normal(size=(WIDTH, count)))[0].T, np.float64)


def person(name: str, sizes: list[float], frames: int, seed: int) -> Moved:
    """Somebody with a face of their own who moves along the first `ways`, each by its size."""
    random = np.random.default_rng(seed)
    moves = random.normal(size=(frames, len(sizes))) * sizes
    shapes = random.normal(0, 5, WIDTH) + moves @ ways(len(sizes)) + random.normal(0, 1e-3, (frames, WIDTH))
    head = random.normal(3, 0.5, (frames, 12))
    return Moved(name, shapes.astype(np.float16 if seed == 0 else np.float32), head.astype(np.float32))


def fit(size: int = 3) -> Fitted:
    return fit_basis([person(str(n), [3, 2, 1], 400, n + 1) for n in range(6)], size)


def test_the_ways_that_faces_move_are_found() -> None:
    found = fit()
    assert np.abs(found.components @ ways(3).T) == pytest.approx(np.eye(3), abs=0.1)
    assert found.components @ found.components.T == pytest.approx(np.eye(3), abs=1e-5)
    assert found.scale == pytest.approx([3, 2, 1], rel=0.1)
    assert found.head == pytest.approx(np.full(12, 0.5), rel=0.1)
    assert found.shares[:3].sum() > 0.999
    assert found.shares.shape == (WIDTH,)


def test_the_same_recordings_give_the_same_basis_whatever_their_order() -> None:
    people = [person(str(n), [3, 2, 1], 50, n + 1) for n in range(4)]
    one, other = fit_basis(people, 3), fit_basis(people[::-1], 3)
    assert one.components == pytest.approx(other.components, abs=1e-4)


def test_everyone_weighs_the_same() -> None:
    much = [person("much", [1, 0], 4000, 1), person("much", [1, 0], 4000, 2)]
    little = [person("little", [0, 3], 400, 3)]
    assert abs(fit_basis([*much, *little], 1).components[0] @ ways(2)[1]) > 0.99


def test_a_head_that_is_not_told_has_unit_spread() -> None:
    still = Moved("a", person("a", [3, 2], 50, 1).shapes, np.zeros((50, 12), np.float32))
    assert fit_basis([still], 2).head.tolist() == [1] * 12


@pytest.mark.parametrize(
    ("clips", "size", "message"),
    [
        ([], 3, "0 frames are too few for 3 components"),
        ([person("a", [1, 1], 40, 1)], 31, "fewer than 31 ways"),
        ([Moved("a", np.zeros((50, WIDTH)), np.zeros((50, 12), np.float32))], 2, "fewer than 2 ways"),
    ],
)
def test_too_little_is_told(clips: list[Moved], size: int, message: str) -> None:
    with pytest.raises(TrainingError, match=message):
        fit_basis(clips, size)
