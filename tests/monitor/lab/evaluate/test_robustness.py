"""What is chosen to be changed, and how areas and their fall are summed up."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from engines.base import MODELS
from monitor.lab.corpus.manifest import Row
from monitor.lab.distortions.perturbations import LEVELS, Blur
from monitor.lab.evaluate.robustness import (
    CLEAN,
    KINDS,
    PAPER_AUC,
    Conditions,
    Stress,
    choose_clips,
    describe,
    stress_detectors,
    stress_mismatch,
)
from monitor.lab.evaluate.worker_pool import WorkerOptions
from monitor.lab.metrics.summary import Result
from tests.monitor.tap.clips import write_clip

CLIPS = {"ann": "clips/real/LivePortrait__d20.mp4", "bob": "clips/real/deep_avsr__00024.mp4"}


def row(name: str, label: str = "real", method: str = "real", subject: str = "ann", path: Path | None = None) -> Row:
    return Row(path or Path(name), name, label, method, subject)


def result(subject: str, label: str, score: float | None) -> Result:
    return Result(f"{subject}{label}", label, label, subject, score, None if score is not None else "no_face")


def made(people: int = 12) -> Conditions:
    """Scores that are apart when clean and come together level by level, and one that noise takes away."""
    random = np.random.default_rng(0)
    found: Conditions = {}
    apart = random.normal(size=(people, 2))
    for kind, level in [CLEAN, *((kind, n) for kind in KINDS for n in range(1, LEVELS + 1))]:
        distance = 3.0 if kind != "noise" else 3.0 - 0.5 * level
        found[kind, level] = [
            result(f"p{n}", label, float(apart[n, side] + distance * (label == "fake")))
            for n in range(people)
            for side, label in enumerate(("real", "fake"))
        ]
    found["noise", 5][0] = result("p0", "real", None)
    return found


def test_areas_and_their_fall_are_told() -> None:
    told = describe(made())
    assert json.loads(json.dumps(told)) == told
    assert set(told["kinds"]) == set(KINDS) == set(PAPER_AUC)
    assert told["kinds"]["blur"]["levels"] == [told["clean"]] * 5
    noise = told["kinds"]["noise"]
    assert noise["levels"] == sorted(noise["levels"], reverse=True)
    assert noise["scored"] == [24, 24, 24, 24, 23]
    assert noise["paper_mean"] == 0.808
    assert told["mean"] == pytest.approx((6 * told["clean"] + noise["mean"]) / 7, abs=1e-3)
    assert told["fall_points"] == pytest.approx(100 * (told["clean"] - told["mean"]), abs=0.02)
    assert 0 < told["fall_low"] < told["fall_points"] < told["fall_high"]
    assert (told["fake"], told["real"], told["subjects"]) == (12, 12, 12)
    assert told["unmeasured"] == []
    assert noise["strict_levels"][:4] == noise["levels"][:4]
    assert noise["strict_levels"][4] == pytest.approx(noise["levels"][4] * 11 / 12 + 0.5 / 12, abs=1e-4)
    assert told["strict"]["fall_points"] > told["fall_points"]


def test_what_nobody_can_judge_is_in_no_mean_and_is_undecided_when_strict() -> None:
    found = made()
    found["noise", 5] = [result(r.subject, r.label, None) for r in found["noise", 5]]
    told = describe(found)
    noise = told["kinds"]["noise"]
    assert told["unmeasured"] == ["noise 5"]
    assert (noise["levels"][4], noise["strict_levels"][4], noise["scored"][4]) == (None, 0.5, 0)
    assert noise["mean"] == pytest.approx(sum(noise["levels"][:4]) / 4, abs=1e-4)
    assert noise["strict_mean"] == pytest.approx((sum(noise["levels"][:4]) + 0.5) / 5, abs=1e-4)
    assert told["fall_points"] is not None
    assert told["strict"]["mean"] < told["mean"]


@pytest.mark.parametrize("found", [{}, {CLEAN: [result("a", "real", 0.1)]}])
def test_what_cannot_be_had_is_none(found: Conditions) -> None:
    told = describe(found)
    assert (told["clean"], told["mean"], told["fall_points"], told["fall_low"]) == (None,) * 4
    assert told["kinds"]["blur"]["levels"] == [None] * 5 == told["kinds"]["blur"]["strict_levels"]
    assert told["unmeasured"] == []
    assert json.loads(json.dumps(told)) == told


def test_people_and_methods_take_turns_and_sides_are_even() -> None:
    rows = [row(f"r{n}", subject="ann" if n < 8 else f"p{n}") for n in range(12)]
    rows += [row(f"f{n}", "fake", "x" if n < 9 else f"m{n}") for n in range(12)]
    picked = choose_clips(rows, Stress(8))
    assert len(picked) == 8
    mine = [r for r in rows if r.name in picked]
    assert len({r.subject for r in mine if r.label == "real"}) == 4
    assert len({r.method for r in mine if r.label == "fake"}) == 4
    assert picked < choose_clips(list(reversed(rows)), Stress(14))
    assert choose_clips(rows, Stress(8, seed=1)) != picked
    assert choose_clips(rows, Stress()) == {r.name for r in rows}


@pytest.mark.parametrize(("genuine", "forged"), [(3, 20), (20, 3), (10, 0), (0, 0)])
def test_one_side_makes_up_for_the_other(genuine: int, forged: int) -> None:
    rows = [row(f"r{n}") for n in range(genuine)] + [row(f"f{n}", "fake", "x") for n in range(forged)]
    assert len(choose_clips(rows, Stress(9))) == min(9, genuine + forged)


@pytest.mark.long
@pytest.mark.data
def test_real_clips_are_scored_clean_and_changed(data_dir: Path, features_cache: Path, tmp_path: Path) -> None:
    rows = [row(who, subject=who, path=data_dir / clip) for who, clip in CLIPS.items()]
    rows.append(row("bars", subject="bars", path=write_clip(tmp_path / "bars.mkv", seconds=1.0)))
    effort = WorkerOptions(features_cache, tmp_path / "partial.jsonl", 2)
    stress = Stress(2, changes=(Blur(1),))
    voices = stress_mismatch([(MODELS, rows)], stress, effort)
    for conditions in voices.values():
        assert set(conditions) == {CLEAN, ("blur", 1)}
    for condition in (CLEAN, ("blur", 1)):
        assert {(r.subject, r.label) for r in voices["other"][condition]} == {
            (who, label) for who in CLIPS for label in ("real", "fake")
        }
    assert describe(voices["other"])["clean"] is not None
    clean = [Result(who, "real", "real", who, 0.1, None) for who in CLIPS]
    found = stress_detectors([(MODELS, rows)], clean, ["synchrony"], stress, effort)["synchrony"]
    assert [[r.clip for r in results] for results in found.values()] == [list(CLIPS)] * 2
    scores = [[r.score for r in results] for results in found.values()]
    assert None not in scores[0]
    assert scores[0] != scores[1]
