from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from monitor.detectors.pairwise.measures import MIN_LOOKS, WINDOW_LOOKS
from monitor.detectors.pairwise.population import PopulationError
from monitor.face.vectors import FaceVectors
from monitor.lab.corpus.manifest import Row, group_by_subject
from monitor.lab.studies.face_population import (
    LADDER,
    FaceClip,
    FittedPopulation,
    build_population,
    enrolled,
    genuine,
    trials,
    windows,
)
from monitor.lab.studies.paired_forgeries import (
    SCORES,
    Probe,
    compare_people,
    difffake_score,
    method_of,
    paired,
    report,
    write,
)
from monitor.types import FloatArray
from tests.monitor.people import IDENTITY, KEY, SIZE, looks, population

PEOPLE = 12


def clip(person: int, number: int = 0, label: str = "real", shots: int = 24, odd: float = 0.0) -> FaceClip:
    row = Row(Path("x"), f"{label}-{person}-{number}", label, f"panel: {label}", f"p{person:02}")
    seed = 100 * person + 10 * number + (label == "fake")
    rungs = {
        step.name: looks(shots, person, seed + n, odd=odd, blur=-2.0 * n)
        for n, step in enumerate(LADDER[: 1 if label == "fake" else 2])
    }
    return FaceClip(row, rungs, 300.0 + (label == "fake"))


def fit(x: FloatArray, spread: FloatArray | None) -> dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float64]]]:
    """One Gaussian over all of it: what fitting gives, without scikit-learn."""
    scale = np.ones(x.shape[1]) if spread is None else spread
    rows = x / scale
    root = np.linalg.cholesky(np.linalg.inv(np.cov(rows.T) + 0.1 * np.eye(x.shape[1])))
    return {
        "weights": np.ones(1),
        "means": rows.mean(0)[None].astype(np.float64),
        "cholesky": root[None],
        "centre": np.zeros(x.shape[1]),
        "basis": np.diag(1 / scale).astype(np.float64),
    }


@pytest.fixture(scope="module")
def clips() -> list[FaceClip]:
    """Twelve people, half of them with two clips; forged clips of four."""
    real = [clip(p, n) for p in range(PEOPLE) for n in range(1 + p % 2)]
    return [*real, *(clip(p, 7, "fake", odd=2.0) for p in range(4))]


@pytest.fixture(scope="module")
def built(clips: list[FaceClip]) -> FittedPopulation:
    return build_population([c for c in clips if c.row.label == "real"], KEY, "squared", fit)


def test_what_is_probed_is_never_enrolled(clips: list[FaceClip]) -> None:
    for own in group_by_subject(clips, "real").values():
        found = trials(own)
        assert found
        for trial in found:
            probed, rows = trial.probe
            assert trial.same_recording == (len(own) == 1)
            for other, kept in trial.enrolled:
                if other is probed:
                    assert len(own) == 1
                    assert not set(kept.tolist()) & set(rows.tolist())
            if trial.start is not None:
                assert not set(trial.start.tolist()) & set(rows.tolist())


def test_little_is_not_divided() -> None:
    assert trials([clip(0, shots=2 * MIN_LOOKS - 1)]) == []
    assert trials([clip(0, shots=2), clip(0, 1, shots=3)]) == []
    short = trials([clip(0, shots=8), clip(0, 1, shots=8)])
    assert [t.start for t in short] == [None, None]
    assert [len(part) for part in windows(np.arange(24))] == [12, 12]
    assert windows(np.arange(MIN_LOOKS - 1)) == []
    assert sum(len(part) for part in windows(np.arange(3 * WINDOW_LOOKS))) == 3 * WINDOW_LOOKS


def test_a_population_of_people(built: FittedPopulation) -> None:
    assert built.population.people == PEOPLE
    assert built.people == tuple(f"p{p:02}" for p in range(PEOPLE))
    assert np.isfinite(built.population.scores[:, :2]).all()
    assert (built.population.scale > 0).all()
    assert built.population.location[0] > 0


def test_short_clips_of_few_people_make_a_population_or_are_refused() -> None:
    short = [clip(p, n, shots=7) for p in range(4) for n in range(3)]
    assert np.isfinite(build_population(short, KEY, "squared", fit).population.location).all()
    with pytest.raises(PopulationError, match="too little"):
        build_population([clip(p, shots=13) for p in range(4)], KEY, "squared", fit)
    with pytest.raises(PopulationError, match="too few"):
        build_population([clip(0)], KEY, "squared", fit)


def test_nobody_is_measured_by_themselves(built: FittedPopulation) -> None:
    for number, name in enumerate(built.people):
        own = built.measured_by(name)
        assert own.people == PEOPLE - 1
        assert number not in own.person
        assert own.mixture is built.sides[number % 2].mixture


def test_genuine_probes_are_scored_on_every_rung(clips: list[FaceClip], built: FittedPopulation) -> None:
    alone = group_by_subject(clips, "real")["p00"]
    assert len(list(genuine(alone, built.sides[0]))) == 2 * len(LADDER)


def test_a_long_gallery_is_thinned(built: FittedPopulation) -> None:
    trial = trials([clip(0, shots=150), clip(0, 1)])[2]
    reference = enrolled(trial, built.sides[0])
    assert len(reference.clip) == 64
    assert len(enrolled(trial, built.sides[0], ladder=False).rungs) == 1


def test_forged_clips_are_told_beside_genuine_ones(
    clips: list[FaceClip], built: FittedPopulation, tmp_path: Path
) -> None:
    probes = compare_people(clips, built)
    assert {p.person for p in probes} == {f"p{p:02}" for p in range(4)}
    told = write(probes, tmp_path)
    assert json.loads((tmp_path / "matched.json").read_text()) == told
    with (tmp_path / "matched.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(probes)
    assert set(SCORES) < set(rows[0])
    assert len((tmp_path / "matched.md").read_text().splitlines()) == 2 + len(told)
    every = told["fake"]
    assert every["logit"]["wins"] == every["artefact"]["wins"] == 1
    assert every["logit"]["auc"] > 0.9
    assert every["logit"]["people"] == every["logit"]["forged_clips"] == 4
    assert every["bitrate"]["auc"] > 0.9
    assert every["re-encoded"]["logit"]["auc"] > 0.9
    assert set(every["p_at_most_0.05"]) == {"real", "fake", "re-encoded"}


def test_the_published_score_sees_one_clip_only() -> None:
    people = population()
    calm, odd = looks(12), looks(12)
    odd = replace(odd, artefacts=np.where(np.arange(12)[:, None] % 2, odd.artefacts, odd.artefacts[:, ::-1]))
    assert difffake_score(calm, people) != difffake_score(odd, people)
    assert difffake_score(calm, people) == difffake_score(replace(calm, identity=calm.identity[:, :0]), people)
    assert SIZE > IDENTITY


def probe(label: str, value: float, name: str = "c", trial: int = 0, person: str = "p") -> Probe:
    return Probe(name, label, "m", person, trial, "as recorded", dict.fromkeys(SCORES, value), None)


def test_wins_are_counted_by_forged_clip() -> None:
    probes = [probe("real", 1.0), probe("real", 3.0, trial=1)]
    probes += [probe("fake", 2.0, "a", t) for t in (0, 1)] + [probe("fake", 1.0, "b", 0)]
    probes += [probe("fake", float("nan"), "c"), probe("fake", 9.0, "d", person="stranger")]
    assert paired(probes, "logit") == [0.5, 0.5]
    assert paired([], "logit") == []


def test_nothing_to_tell_is_told_as_nothing() -> None:
    told = report([probe("fake", 1.0)])
    assert told["m"]["logit"]["wins"] is None
    assert told["m"]["logit"]["auc"] is None
    assert told["m"]["p_at_most_0.05"] == {"real": None, "fake": None, "re-encoded": None}


def test_methods_are_named_without_their_source() -> None:
    assert method_of("cropped panel (column order from index.html): Wav2Lip") == "Wav2Lip"
    assert method_of("FF++ Deepfakes") == "FF++ Deepfakes"
    assert isinstance(looks(3), FaceVectors)
