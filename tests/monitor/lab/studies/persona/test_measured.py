"""Trials, scores and reports of made-up people, whose models know them by the proportions in which they move."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from monitor.lab.studies.persona.forgeries import ALL, markdown, probes_of, report
from monitor.lab.studies.persona.measures import GAP, WITHOUT, Measurer
from monitor.lab.studies.persona.plots import draw_forged, draw_lengths, draw_people
from monitor.lab.studies.persona.recordings import Part, trials
from monitor.lab.studies.persona.report import area, by_person, described, difference, sides
from monitor.lab.studies.persona.scores import (
    BOTH,
    DISTANCE,
    PLAIN,
    POPULATION_SECONDS,
    SCORES,
    Cohort,
    ScoredPiece,
    build_cohort,
    rows_of,
    usual,
)
from monitor.lab.studies.persona.study import _cost, table, write_rows
from monitor.lab.studies.persona.verification_trials import CONFOUNDS, TrialResult, cut, measure_again, measure_trials
from tests.monitor.lab.studies.persona.crowd import clip, measurer, people

LENGTHS = (3.0, 5.0)


@pytest.fixture(scope="module")
def by(tmp_path_factory: pytest.TempPathFactory) -> Measurer:
    return measurer(tmp_path_factory.mktemp("kept"))


@pytest.fixture(scope="module")
def told() -> list[str | None]:
    return []


@pytest.fixture(scope="module")
def faced(by: Measurer, told: list[str | None]) -> list[TrialResult]:
    return measure_trials([*people(), clip(30, 6.0)], by, told.append)


@pytest.fixture(scope="module")
def crowd(faced: list[TrialResult], by: Measurer) -> Cohort:
    return build_cohort([(each, by) for each in faced], by.engines.key)


CONFOUNDED = {
    f"{label}-{p}-{seed}": dict.fromkeys(CONFOUNDS, float(p))
    for label in ("real", "fake")
    for p in range(40)
    for seed in (0, 1, 7)
}


@pytest.fixture(scope="module")
def rows(crowd: Cohort) -> list[ScoredPiece]:
    return list(rows_of(crowd, CONFOUNDED, lengths=LENGTHS))


def test_everybody_is_measured_against_everybody(faced: list[TrialResult], told: Sequence[str | None]) -> None:
    assert len(faced) == 16
    assert told.count(None) == 8
    assert "p30: too little speech to be enrolled" in told
    for each in faced:
        assert set(each.others) == {f"p{p:02}" for p in (*range(8), 30)} - {each.person}
        assert len(each.forged) == (each.person in ("p00", "p01", "p02"))
        assert np.isfinite(each.genuine[0].values).all()


def test_of_a_forged_clip_the_same_half_is_probed(faced: list[TrialResult]) -> None:
    alone = [each for each in faced if each.person == "p00"]
    assert [each.forged[0].part.first for each in alone] == [each.trial.probes[0].first for each in alone] == [300, 0]
    several = [each for each in faced if each.person == "p01"]
    assert {(each.forged[0].part.first, each.forged[0].part.last) for each in several} == {(0, 600)}


def test_what_is_kept_is_not_measured_again(by: Measurer, faced: list[TrialResult]) -> None:
    again = Measurer(by.engines, by.folder, by.config)
    before = list(by.engines.persona.batches)  # type: ignore[attr-defined]
    found = measure_trials([*people(), clip(30, 6.0)], again, lambda _note: None)
    assert by.engines.persona.batches == before  # type: ignore[attr-defined]
    assert all(np.array_equal(a.genuine[0].values, b.genuine[0].values) for a, b in zip(faced, found, strict=True))
    assert np.array_equal(found[0].enrolled.reference.tokens, faced[0].enrolled.reference.tokens)
    own = [clip(0, 9.0)]
    short = trials("p00", own)[0] if trials("p00", own) else None
    assert short is not None
    few = replace(by.config, least_windows=1000)
    strict = Measurer(by.engines, by.folder, few)
    assert strict.enrol(short, lambda _share: None) is None
    assert strict.enrol(short, lambda _share: None) is None


def test_the_distance_tells_people_apart_and_the_error_alone_does_not(rows: list[ScoredPiece]) -> None:
    some = [row for row in rows if row.seconds == 5.0]
    distance, plain = area(some, DISTANCE), area(some, PLAIN)
    assert distance["auc"] > 0.95
    assert distance["people"] == 8
    assert plain["auc"] < 0.8
    assert distance["auc_low"] <= distance["auc"] <= distance["auc_high"]
    assert distance["pooled_low"] <= distance["pooled"] <= distance["pooled_high"]
    gain = difference(some, DISTANCE, PLAIN)
    assert gain["gain"] == pytest.approx(distance["auc"] - plain["auc"], abs=1e-3)
    assert gain["gain_low"] > 0
    assert gain["better"] + gain["worse"] <= gain["people"] == 8


def test_the_population_holds_genuine_people_only(crowd: Cohort) -> None:
    scores = crowd.people.scores
    assert crowd.people.people == 8
    assert set(crowd.people.seconds) == {3.0, 4.0, 10.0, 1.5}
    assert set(crowd.people.seconds) < set(POPULATION_SECONDS)
    assert abs(float(np.mean(scores[:, 0]))) < 1
    assert crowd.without("p03").people == 7
    assert crowd.people.p_value(np.array([0.0, 0.0]), 5.0) is not None
    assert crowd.people.location < 0


def test_measures_weigh_what_they_are_given(crowd: Cohort) -> None:
    alone = build_cohort(crowd.faced, "k", weights=(0.0, 1.0)).people
    assert alone.value(np.array([9.0, 0.5])) == alone.value(np.array([-9.0, 0.5]))


def test_a_person_is_measured_by_the_others(faced: list[TrialResult]) -> None:
    location, scale, single = usual(faced, GAP)
    assert usual(faced[2:], GAP)[0] != location
    assert scale > 0
    assert single >= 0
    assert usual([], WITHOUT) == (0.0, 1.0, 0.0)


def test_without_the_companion_the_rest_is_told(tmp_path: Path) -> None:
    alone = measurer(tmp_path, companion=False)
    faced = measure_trials(people(6, 20.0, 0), alone, lambda _note: None)
    crowd = build_cohort([(each, alone) for each in faced], alone.engines.key)
    found = list(rows_of(crowd, {}, lengths=(3.0,)))
    assert area(found, "companion") == area([], DISTANCE)
    assert area(found, BOTH)["auc"] == pytest.approx(area(found, DISTANCE)["auc"], abs=0.01)


def test_small_calls_are_compared_with_the_same_enrolments(
    faced: list[TrialResult], crowd: Cohort, by: Measurer
) -> None:
    noisy = {}
    for each in people():
        random, moved = np.random.default_rng(1), each.motion
        shape = (moved.shape + random.normal(0, 4.0, moved.shape.shape)).astype(np.float16)
        head = (moved.head + random.normal(0, 4.0, moved.head.shape)).astype(np.float32)
        noisy[each.row.name] = replace(each, motion=replace(moved, shape=shape, head=head), key=f"{each.key}.noisy")
    again = [(measure_again(each, noisy, by), by) for each in faced]
    assert [part.part.first for part in again[0][0].genuine] == [part.part.first for part in faced[0].genuine]
    assert again[0][0].forged == ()
    clean = list(rows_of(crowd, CONFOUNDED, lengths=LENGTHS))
    small = list(rows_of(crowd, CONFOUNDED, again, LENGTHS))
    told = _cost(clean, small, {"everybody": [f"p{p:02}" for p in range(8)]})
    assert told["change"]["everybody"]["5 s"]["companion"]["gain"] < 0
    both = build_cohort(crowd.faced, "k", again).people
    assert len(both.scores) > len(crowd.people.scores)
    assert both.location == crowd.people.location


def test_forged_clips_beside_genuine_ones(crowd: Cohort, tmp_path: Path) -> None:
    probes = list(probes_of(crowd, CONFOUNDED))
    told = report(probes)
    assert set(told) == {"all", "swapped"}
    some = told["swapped"][DISTANCE]
    assert (some["forged_clips"], some["people"], some["wins"]) == (3, 3, 1.0)
    assert told["all"]["bitrate"]["wins"] == 0.5
    lines = markdown(told).splitlines()
    assert lines[0].count("|") == len(ALL) + 3
    assert lines[2].startswith("| all | 3 / 3 | ")
    assert draw_forged(told, (DISTANCE, "bitrate"), tmp_path).stat().st_size > 1000
    assert list(probes_of(build_cohort([], "k"), {})) == []


def test_groups_are_described_and_drawn(rows: list[ScoredPiece], tmp_path: Path) -> None:
    groups = {"some": ["p00", "p01"], "everybody": [f"p{p:02}" for p in range(8)]}
    told = described(rows, groups, (*SCORES, *CONFOUNDS), ((DISTANCE, PLAIN),))
    assert set(told["some"]) == {"3 s", "5 s"}
    assert told["some"]["3 s"][DISTANCE]["people"] == 2
    assert set(told["everybody"]["5 s"]["by_person"]) == set(groups["everybody"])
    assert told["everybody"]["5 s"]["size"]["auc"] is not None
    json.dumps(told)
    text = table(told)
    assert "| everybody | 5 s | 8 (" in text
    assert f"{DISTANCE} over {PLAIN}" in text
    assert draw_lengths(told, tmp_path).stat().st_size > 1000
    assert draw_people(told["everybody"]["5 s"]["by_person"], tmp_path).stat().st_size > 1000
    write_rows(rows[:3], tmp_path / "pieces.csv")
    with (tmp_path / "pieces.csv").open() as file:
        assert [row["seconds"] for row in csv.DictReader(file)] == ["3", "3", "3"]


def test_people_without_both_sides_have_no_area() -> None:
    lonely = [ScoredPiece("a", 0, "a", 5.0, {DISTANCE: 1.0}), ScoredPiece("b", 0, "a", 5.0, {DISTANCE: 2.0})]
    assert sides(lonely, DISTANCE) == {}
    assert by_person({}) == {}
    assert area(lonely, DISTANCE)["auc"] is None
    unknown = [ScoredPiece("a", 0, other, 5.0, {DISTANCE: float("nan")}) for other in "ab"]
    assert sides(unknown, DISTANCE) == {}


def test_pieces_of_what_was_measured(faced: list[TrialResult], by: Measurer) -> None:
    (piece, *_) = cut(faced[0].genuine, by, 5.0)
    assert [part.key for part, _ in piece] == [faced[0].genuine[0].part.key] * 3
    assert cut((), by, 5.0) == []
    assert Part.whole(clip(0, 4.0)).last == 100
