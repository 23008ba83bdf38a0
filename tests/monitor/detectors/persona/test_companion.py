from __future__ import annotations

import numpy as np
import pytest

from monitor.detectors.persona.companion import (
    MIN_START_GAP_SECONDS,
    NEAREST_WINDOWS,
    MotionError,
    MotionPopulation,
    MotionReference,
    best_cosine,
    enrol,
    fit_population,
    fit_whitening,
    leave_one_out,
)
from monitor.types import FloatArray

SIZE = 8


def unit(rows: FloatArray) -> FloatArray:
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def crowd(people: int = 6, recordings: int = 3, windows: int = 6, seed: int = 0) -> dict[str, np.ndarray]:
    """People that lie about directions of their own, recordings about the people, windows about the recordings."""
    random = np.random.default_rng(seed)
    rows, person, clip = [], [], []
    for p in range(people):
        centre = random.standard_normal(SIZE)
        for r in range(recordings):
            own = centre + 0.2 * random.standard_normal(SIZE)
            rows += [own + 0.2 * random.standard_normal(SIZE) for _ in range(windows)]
            person += [p] * windows
            clip += [recordings * p + r] * windows
    start = np.tile(np.arange(windows) * 2.0, people * recordings)
    return {"embeddings": unit(np.array(rows)), "person": np.array(person), "clip": np.array(clip), "start": start}


def general(seed: int = 0) -> MotionPopulation:
    return fit_population(**crowd(seed=seed), key="pack")


def of(all_people: dict[str, np.ndarray], person: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    own = all_people["person"] == person
    return all_people["embeddings"][own], all_people["clip"][own], all_people["start"][own]


def test_a_whitened_person_differs_alike_in_every_direction() -> None:
    random = np.random.default_rng(1)
    stretched = random.standard_normal((4000, SIZE)) * np.array([5.0, 1, 1, 1, 1, 1, 1, 0.2])
    population = MotionPopulation("pack", np.zeros(SIZE), np.eye(SIZE), 0.2, 0.1, 0.0)
    whitening = fit_whitening(stretched.astype(np.float32), np.zeros(4000, np.int64), population, prior=0.0)
    moved = (stretched - whitening.centre) @ whitening.matrix
    assert np.allclose(np.cov(moved.T), np.eye(SIZE), atol=0.01)


def test_where_a_recording_lies_does_not_count_as_how_it_varies() -> None:
    random = np.random.default_rng(2)
    rows = random.standard_normal((2000, SIZE))
    clip = np.repeat([0, 1], 1000)
    rows[clip == 1] += 50
    population = MotionPopulation("pack", np.zeros(SIZE), np.eye(SIZE), 0.2, 0.1, 0.0)
    whitening = fit_whitening(rows.astype(np.float32), clip, population, prior=0.0)
    assert np.allclose(whitening.matrix, np.eye(SIZE), atol=0.1)


def test_few_windows_leave_the_covariance_of_people_in_general() -> None:
    within = np.diag(np.linspace(1, 4, SIZE))
    population = MotionPopulation("pack", np.zeros(SIZE), within, 0.2, 0.1, 0.0)
    none = fit_whitening(np.ones((1, SIZE), np.float32), np.zeros(1, np.int64), population, prior=1e9)
    assert np.allclose(none.matrix, np.diag(1 / np.sqrt(np.diagonal(within))), atol=1e-6)


def test_a_covariance_without_rank_stays_usable() -> None:
    population = MotionPopulation("pack", np.zeros(SIZE), np.zeros((SIZE, SIZE)), 0.2, 0.1, 0.0)
    whitening = fit_whitening(np.ones((3, SIZE), np.float32), np.zeros(3, np.int64), population)
    assert np.isfinite(whitening(np.ones((2, SIZE), np.float32))).all()


def test_whitened_vectors_have_length_one_and_nothing_stays_nothing() -> None:
    whitening = fit_whitening(crowd()["embeddings"], crowd()["clip"], general())
    rows = np.concatenate([crowd(seed=3)["embeddings"][:5], whitening.centre[None].astype(np.float32) * 0])
    assert np.allclose(np.linalg.norm(whitening(rows), axis=1), 1)
    assert np.allclose(whitening(np.asarray(whitening.centre[None])), 0, atol=1e-6)


def test_the_nearest_references_count() -> None:
    references = np.repeat(np.eye(SIZE, dtype=np.float32)[:3], NEAREST_WINDOWS, axis=0)
    population = MotionPopulation("pack", np.zeros(SIZE), np.eye(SIZE), 0.2, 0.1, 0.0)
    whitening = fit_whitening(references[:0], np.zeros(0, np.int64), population)
    live = np.stack([references[NEAREST_WINDOWS], np.eye(SIZE, dtype=np.float32)[5]])
    assert best_cosine(live, references, whitening) == pytest.approx([1.0, 0.0])
    # Where there are fewer, all count.
    assert best_cosine(live, references[NEAREST_WINDOWS : NEAREST_WINDOWS + 2], whitening) == pytest.approx([1.0, 0.0])


def test_a_recording_is_compared_with_the_other_recordings() -> None:
    embeddings, clip, start = of(crowd(recordings=2), 0)
    # Were its own recording there, each window would be its own nearest.
    doubled = np.concatenate([embeddings, embeddings])
    found = leave_one_out(doubled, np.tile(clip, 2), np.tile(start, 2), general())
    assert (found > 1e-3).all()


def test_one_recording_is_compared_with_its_parts_that_lie_apart() -> None:
    embeddings, _, _ = of(crowd(recordings=1, windows=4), 0)
    clip, start = np.zeros(4, np.int64), np.array([0.0, 1.0, MIN_START_GAP_SECONDS, 50.0])
    found = leave_one_out(embeddings, clip, start, general())
    assert np.isfinite(found).all()
    # The first and the second overlap: they are compared with what lies apart, however alike they are.
    same = np.concatenate([embeddings[:1], embeddings[:1], embeddings[2:]])
    assert leave_one_out(same, clip, start, general())[0] > 1e-3


def test_windows_without_any_that_lie_apart_have_no_distance() -> None:
    embeddings, _, _ = of(crowd(), 0)
    found = leave_one_out(embeddings[:3], np.zeros(3, np.int64), np.arange(3.0), general())
    assert np.isnan(found).all()


def test_somebody_else_lies_farther_than_the_person() -> None:
    people = crowd(people=8, recordings=4, seed=5)
    own, clip, start = of(people, 0)
    reference = enrol(own[:18], clip[:18], start[:18], general())
    others = people["embeddings"][people["person"] != 0]
    assert reference.distances(own[18:]).mean() < 1.5
    assert reference.distances(others).mean() > reference.distances(own[18:]).mean() + 2
    assert reference.own_distances.shape == (18,)


def test_few_recordings_say_little_of_a_person() -> None:
    embeddings, clip, start = of(crowd(), 0)
    population = general()
    known = enrol(embeddings, clip, start, population, clips=0.0)
    drawn = enrol(embeddings, clip, start, population, clips=1e9)
    assert drawn.location == pytest.approx(population.location)
    assert drawn.scale == pytest.approx(population.scale)
    assert known.own_distances.mean() == pytest.approx(0, abs=1e-6)


def test_within_one_recording_people_are_more_like_themselves_than_between_two() -> None:
    population = fit_population(**crowd(windows=24), key="pack")
    assert population.single > 0
    embeddings, _, start = of(crowd(recordings=1), 0)
    alone = enrol(embeddings, np.zeros(len(start), np.int64), start, population, clips=0.0)
    raw = leave_one_out(embeddings, np.zeros(len(start), np.int64), start, population)
    assert alone.location == pytest.approx(np.nanmean(raw) + population.single)


def test_a_short_reference_stands_on_people_in_general() -> None:
    population = general()
    reference = enrol(np.eye(SIZE, dtype=np.float32)[:1], np.zeros(1, np.int64), np.zeros(1), population)
    assert (reference.location, reference.scale) == pytest.approx((population.location, population.scale))
    assert np.isnan(reference.own_distances).all()


def test_nothing_is_enrolled_from_nothing() -> None:
    with pytest.raises(MotionError, match="no window of speech"):
        enrol(np.zeros((0, SIZE), np.float32), np.zeros(0, np.int64), np.zeros(0), general())


def test_how_people_differ_is_learnt_between_their_recordings() -> None:
    people = crowd(recordings=3)
    alone = {**people, "person": people["clip"]}
    assert np.trace(fit_population(**people, key="pack").within) > 1.3 * np.trace(
        fit_population(**alone, key="pack").within
    )


def test_people_with_one_recording_each_can_be_a_population() -> None:
    people = crowd(recordings=1)
    population = fit_population(**people, key="pack")
    assert population.single == 0
    assert population.scale > 0


def test_a_population_needs_windows_that_can_be_compared() -> None:
    with pytest.raises(MotionError, match="longer recordings"):
        fit_population(np.zeros((0, SIZE), np.float32), *(np.zeros(0, np.int64),) * 2, np.zeros(0), "pack")
    people = crowd(recordings=1, windows=1)
    with pytest.raises(MotionError, match="two windows"):
        fit_population(**people, key="pack")


def test_recordings_of_one_window_can_still_be_compared_with_each_other() -> None:
    population = fit_population(**crowd(windows=1), key="pack")
    assert population.single == 0
    assert population.location > 0


def test_a_population_is_read_as_it_was_written() -> None:
    population = general()
    again = MotionPopulation.from_bytes(population.to_bytes())
    assert again.key == "pack"
    assert np.array_equal(again.within, population.within)
    assert (again.location, again.scale, again.single) == (population.location, population.scale, population.single)


@pytest.mark.parametrize("damage", ["cut", "not numbers", "other shape", "no scale"])
def test_a_damaged_population_says_what_to_do(damage: str) -> None:
    population = general()
    fields = {"key": "pack", "centre": population.centre, "within": population.within}
    numbers = {"location": 0.2, "scale": 0.1, "single": 0.0}
    if damage == "not numbers":
        fields["centre"] = np.full(SIZE, np.nan)
    if damage == "other shape":
        fields["within"] = np.eye(SIZE - 1)
    if damage == "no scale":
        numbers["scale"] = 0.0
    data = MotionPopulation(**fields, **numbers).to_bytes()  # type: ignore[arg-type]
    with pytest.raises(MotionError, match="train persona"):
        MotionPopulation.from_bytes(data[:50] if damage == "cut" else data)


def test_a_reference_is_built_from_its_arrays() -> None:
    reference = enrol(*of(crowd(), 0), general())
    again = MotionReference.from_arrays({name: np.array(array) for name, array in reference.arrays().items()})
    live = crowd(seed=9)["embeddings"]
    assert again.key == reference.key
    assert again.distances(live) == pytest.approx(reference.distances(live))


@pytest.mark.parametrize("name", ["embeddings", "matrix", "own", "numbers"])
def test_arrays_that_do_not_fit_are_refused(name: str) -> None:
    arrays = enrol(*of(crowd(), 0), general()).arrays()
    with pytest.raises(MotionError, match="enrol again"):
        MotionReference.from_arrays({**arrays, name: arrays[name][:-1]})


def test_a_reference_without_windows_or_scale_is_refused() -> None:
    arrays = enrol(*of(crowd(), 0), general()).arrays()
    with pytest.raises(MotionError):
        MotionReference.from_arrays({**arrays, "embeddings": arrays["embeddings"][:0], "own": arrays["own"][:0]})
    with pytest.raises(MotionError):
        MotionReference.from_arrays({**arrays, "numbers": np.array([0.1, 0.0])})
