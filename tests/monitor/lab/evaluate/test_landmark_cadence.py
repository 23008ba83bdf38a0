"""Two cadences of landmarks compared: areas and their difference by person, windows one by one, and on real clips."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from monitor.cli import app
from monitor.decision.calibration import Calibration
from monitor.lab.evaluate import still_cadence
from monitor.lab.evaluate.landmark_cadence import compare_own, compare_separation
from monitor.lab.metrics.summary import Result

CLIPS = (
    "clips/real/DiffDub__ablation_study__RD_Radio13_000_25fps__GT.mp4",
    "clips/real/LivePortrait__d20.mp4",
)


def results(shift: float, seed: int = 0, people: int = 20) -> list[Result]:
    """Own voices round -0.4 and wrong ones `shift` above them, five windows of each a person."""
    random = np.random.default_rng(seed)
    found = []
    for person in range(people):
        own = random.normal(-0.4, 0.1, 5)
        found += [Result("c", "real", "real", f"p{person}", float(v), None) for v in own]
        found += [Result("c", "fake", "other", f"p{person}", float(v + shift), None) for v in own]
    return found


def test_the_same_results_differ_by_nothing() -> None:
    row = compare_separation(results(0.1), results(0.1), 5.0, "other")
    assert (row.change, row.change_low, row.change_high) == (0.0, 0.0, 0.0)
    assert (row.seconds, row.kind, row.windows, row.people) == (5.0, "other", 100, 20)
    assert 0.5 < row.every == row.calm < 1.0


def test_what_is_told_apart_worse_is_shown_with_an_interval_that_holds_it() -> None:
    row = compare_separation(results(0.2), results(0.05), 2.0, "shift")
    assert row.change == pytest.approx(row.calm - row.every)
    assert row.change_low < row.change < row.change_high < 0


def test_people_whom_only_one_has_are_compared_with_nobody() -> None:
    row = compare_separation(results(0.1, people=20), results(0.1, people=12), 5.0, "other")
    assert row.people == 12
    assert row.change == 0.0


def test_windows_are_compared_one_by_one() -> None:
    random = np.random.default_rng(0)
    people = [str(n // 5) for n in range(200)]
    calibration = Calibration.build({2.0: (random.normal(-0.4, 0.1, 200), people)})
    every = {("c", n): (float(v), 3.0) for n, v in enumerate(random.normal(-0.4, 0.1, 50))}
    calm = {key: (value + 0.01, seconds) for key, (value, seconds) in every.items() if key[1] != 7}
    row = compare_own(every, calm, 5.0, calibration)
    assert (row.windows, row.only_one) == (49, 1)
    assert row.moved == pytest.approx(0.1, rel=0.3)
    assert 0.0 < row.p_moved <= row.p_moved_p95 < 0.3
    assert row.unusual_calm >= row.unusual_every
    # Too little speech for the table: scores are compared, p-values are not.
    short = {key: (value, 1.0) for key, (value, _) in every.items()}
    assert compare_own(short, short, 5.0, calibration).p_moved == 0.0


def test_without_a_window_there_is_nothing_to_compare() -> None:
    calibration = Calibration.build({2.0: (np.linspace(-0.6, -0.2, 60), [str(n) for n in range(60)])})
    row = compare_own({}, {}, 5.0, calibration)
    assert (row.windows, row.moved, row.unusual_every) == (0, 0.0, 0.0)


@pytest.mark.data
def test_the_command_compares_clips_and_writes_what_it_found(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(still_cadence, "CLIPS", 1)
    monkeypatch.setattr(still_cadence, "SECONDS", 4.0)
    monkeypatch.setattr(still_cadence, "KINDS", ("hand",))
    manifest = tmp_path / "clips.csv"
    rows = [f"{data_dir / clip},real,real,p{n}" for n, clip in enumerate(CLIPS)]
    manifest.write_text("\n".join(["path,label,method,subject", *rows, f"{tmp_path / 'none.mp4'},real,real,q"]) + "\n")
    (tmp_path / "parity.csv").write_text(
        f"path,sound,reference,lips,person\n{data_dir / CLIPS[1]},,,real,real\n{data_dir / CLIPS[0]},,,real,real\n"
    )
    words = ["evaluate", str(manifest), "--cadence", "--out", str(tmp_path / "out"), "--json"]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    found = json.loads((tmp_path / "out" / "cadence.json").read_text())
    (part,) = found["parts"]
    assert (part["clips"], part["people"]) == (2, 2)
    assert 0.3 < part["share"] < 0.9
    assert {row["kind"] for row in part["separations"]} >= {"other", "shift"}
    assert all(abs(row["change"]) < 0.2 for row in part["separations"])
    assert [row["windows"] > 0 for row in part["own"]] == [True, True]
    speech, hand = found["stills"][0]
    assert [row["kind"] for row in (speech, hand)] == ["as recorded", "hand"]
    assert (speech["still_every"], speech["still_calm"]) == (0.0, 0.0)
    assert min(hand["still_every"], hand["still_calm"]) > 0.5
    assert hand["form_calm"] < 1.2 * hand["form_every"] < 0.5 * speech["form_calm"]
    (drift,) = found["sessions"]["detectors"]
    assert (drift["detector"], drift["scored"], drift["abstentions"]) == ("synchrony", 2, 0)
    assert drift["shift"] < 1.0
