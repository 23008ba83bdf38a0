from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest

from monitor.detectors.pairwise.population import Population, PopulationError
from tests.monitor.people import SIZE, population


def test_p_values_are_by_person_and_have_a_floor() -> None:
    people = population(40)
    assert people.people == 40
    far = np.array([100.0, 0.0, 0.0])
    assert people.p_value(far, [0]) == pytest.approx(1 / 41, rel=1e-6)
    assert people.p_value(far, [0, 1, 2], once=True) == pytest.approx(1 / 41, rel=1e-6)
    assert people.p_value(-far, [0]) == 1


def test_two_views_of_one_question_are_averaged() -> None:
    people = population(200)
    mild = np.array([1.3, 1.3, 0.0])
    alone, both = (people.p_value(mild, counted, once=True) for counted in ([0], [0, 1]))
    assert alone is not None
    assert both is not None
    assert both < 0.6 * alone


def test_another_question_is_paid_for() -> None:
    people = population(200)
    mild = np.array([1.8, 1.8, -3.0])
    against, with_change = (people.p_value(mild, counted, once=True) for counted in ([0, 1], [0, 1, 2]))
    assert against is not None
    assert with_change is not None
    assert against < with_change
    changed = np.array([0.0, 0.0, 9.0])
    assert people.value(changed, [0, 1, 2]) == people.value(changed, [2]) > people.value(changed, [0, 1])


def test_genuine_people_have_uniform_p_values() -> None:
    people = population(100)
    fresh = np.random.default_rng(9).standard_normal((400, 3))
    found = np.array([people.p_value(row, [0, 1, 2], once=True) for row in fresh], np.float64)
    for level in (0.05, 0.1, 0.3):
        assert (found <= level).mean() < level + 0.04


def test_missing_components_are_left_out_of_the_table() -> None:
    people = population(12)
    scores = people.scores.copy()
    scores[:, 0] = np.nan
    some = replace(people, scores=scores)
    assert some.p_value(np.ones(3), [0]) is None
    assert some.p_value(np.ones(3), [0]) is None
    assert some.p_value(np.ones(3), [1, 2]) is not None


def test_too_few_people_give_no_p_value() -> None:
    assert population(3).p_value(np.ones(3), [1]) is None


def test_bytes_make_the_same_population() -> None:
    people = population()
    again = Population.from_bytes(people.to_bytes())
    part = np.array([1.0, 0.5, 2.0])
    assert again.p_value(part, [0, 1, 2]) == people.p_value(part, [0, 1, 2])
    assert again.key == people.key
    assert again.kind == people.kind
    rows = np.ones((1, SIZE), np.float32)
    assert again.mixture.log_likelihood(rows) == people.mixture.log_likelihood(rows)


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04 not a zip", b"\x93NUMPY"])
def test_what_is_no_population_is_refused(data: bytes) -> None:
    with pytest.raises(PopulationError, match="make it again"):
        Population.from_bytes(data)


def test_other_versions_are_refused() -> None:
    held = dict(np.load(io.BytesIO(population().to_bytes())))
    for name, value in (("schema", np.array(99)), ("kind", np.array("other")), ("weights", None)):
        file = io.BytesIO()
        changed = {n: a for n, a in held.items() if n != f"mixture_{name}"}
        np.savez(file, **(changed | ({name: value} if value is not None else {})))
        with pytest.raises(PopulationError, match="make it again"):
            Population.from_bytes(file.getvalue())


def test_each_window_is_judged_by_the_others() -> None:
    known = replace(population(12), scores=np.repeat(np.arange(12.0)[:, None], 3, axis=1), person=np.arange(12))
    found = known.left_out([0, 1])
    assert found is not None
    p_values, person = found
    # Of eleven others none lies higher than the highest.
    assert p_values[-1] == pytest.approx(1 / 12)
    assert (np.diff(p_values) <= 0).all()
    assert sorted(person.tolist()) == list(range(12))
    assert population(3).left_out([0, 1]) is None
