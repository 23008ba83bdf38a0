"""Figures by source on made-up people: whoever judges them has not seen where they are from."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from monitor.decision.decide import DecisionConfig
from monitor.lab.corpus.manifest import CorpusError
from monitor.lab.evaluate.by_source import (
    EVERYBODY,
    ScannedClip,
    calibration_of,
    false_alerts,
    hop_p_values,
    people_of,
    person_left_out,
    scan_verdict,
    separation,
    sets_of,
    source_left_out,
    suspect_shares,
    times_to_findings,
)
from monitor.lab.evaluate.hop_scores import JudgedClip
from monitor.lab.metrics.summary import Result
from monitor.lab.training.synchrony_background import ScoredWindow
from monitor.types import BriefScore

CONFIG = DecisionConfig()
GENUINE, STRANGE = -0.5, 0.5


def clip(number: int, group: str, value: float = GENUINE, hops: int = 12) -> JudgedClip:
    """A person whose hops all score about the same, with enough speech for every calibration."""
    scores = value + 0.01 * np.random.default_rng(number).standard_normal(hops)
    briefs = [BriefScore(float(score), None, 2.0) for score in scores]
    windows = tuple(ScoredWindow(float(s), 4.0, float(s), 8.0, b, b) for s, b in zip(scores, briefs, strict=True))
    return JudgedClip(f"{number}.mp4", f"person {number}", group, windows)


def people(odd: str = "") -> list[JudgedClip]:
    """Twelve people of each of three groups; those of the `odd` one score as no other does."""
    groups = ("vlog", "studio", "trial")
    return [
        clip(100 * g + n, group, STRANGE if group == odd else GENUINE)
        for g, group in enumerate(groups)
        for n in range(12)
    ]


def test_a_source_is_judged_by_the_others_alone() -> None:
    clips = people("trial")
    strange = next(c for c in clips if c.group == "trial")
    apart, together = source_left_out(clips)(strange), person_left_out(clips)(strange)
    assert apart.tables[0].people == 24
    assert together.tables[0].people == 35
    assert hop_p_values(strange, apart).max() == pytest.approx(1 / 25)
    assert hop_p_values(strange, together).min() > 0.1


def test_shares_of_a_source_that_no_calibration_has_seen_are_stated_as_they_are() -> None:
    clips = people("trial")
    judge = source_left_out(clips)
    rows = {row["people"]: row for row in suspect_shares([scan_verdict(c, judge(c), CONFIG) for c in clips])}
    assert (rows["trial"]["suspect"], rows["trial"]["judged"], rows["trial"]["share"]) == (12, 12, 1.0)
    assert rows["vlog"]["suspect"] == 0
    assert rows[EVERYBODY]["suspect"] == 12
    assert rows["trial"]["low"] == pytest.approx(0.757, abs=0.001)
    assert rows["chosen without a look at scores"]["clips"] == 24
    everybody = person_left_out(clips)
    assert suspect_shares([scan_verdict(c, everybody(c), CONFIG) for c in clips])[0]["suspect"] == 0


def test_a_clip_of_which_nothing_is_judged_is_in_no_share() -> None:
    clips = people()
    silent = JudgedClip("s.mp4", "s", "vlog", ())
    scanned = scan_verdict(silent, source_left_out(clips)(clips[0]), CONFIG)
    assert scanned.verdict is None
    (row,) = [r for r in suspect_shares([scanned]) if r["people"] == "vlog"]
    assert (row["clips"], row["judged"], row["share"], row["low"], row["high"]) == (1, 0, None, 0.0, 1.0)


def test_a_long_strange_recording_is_an_alert() -> None:
    calibration = calibration_of(people())
    assert scan_verdict(clip(1, "vlog", STRANGE, 14), calibration, CONFIG).verdict == "suspect"
    assert scan_verdict(clip(1, "vlog", STRANGE, 400), calibration, CONFIG).verdict == "alert"
    assert scan_verdict(clip(1, "vlog", GENUINE, 400), calibration, CONFIG) == ScannedClip("vlog", "person 1", "")


def test_people_like_those_of_the_calibration_are_alerted_seldom_and_others_are() -> None:
    alike, odd = people(), people("trial")
    genuine = false_alerts(people_of(alike, source_left_out(alike)), CONFIG, 2)
    assert genuine[0] | {"low": None, "high": None} == {
        "people": EVERYBODY,
        "n": 36,
        "hours": 72,
        "per_hour": 0.0,
        "low": None,
        "high": None,
        "alerted": 0,
        "share": 0.0,
        "share_low": 0.0,
        "share_high": pytest.approx(0.0964, abs=0.001),
    }
    rows = {row["people"]: row for row in false_alerts(people_of(odd, source_left_out(odd)), CONFIG, 1)}
    assert rows["trial"]["share"] == 1.0
    assert rows["trial"]["per_hour"] >= 1.0
    assert rows["vlog"]["share"] == 0.0
    assert rows[EVERYBODY]["share"] == pytest.approx(1 / 3, abs=0.001)


def test_dubs_are_found_and_their_times_told() -> None:
    genuine = people()
    dubs = [clip(n, "vlog", STRANGE) for n in range(6)] + [clip(n, "studio") for n in range(6, 10)]
    rows = {row["people"]: row for row in times_to_findings(dubs, source_left_out(genuine), CONFIG)}
    assert 0 < rows["vlog"]["suspect_p50"] < rows["vlog"]["alert_p50"] <= 120
    assert rows["studio"]["alert_p50"] is None
    assert (rows["vlog"]["dubs"], rows[EVERYBODY]["n"]) == (6, 10)
    with pytest.raises(CorpusError, match="no dub"):
        times_to_findings([JudgedClip("s", "s", "vlog", ())], source_left_out(genuine), CONFIG)


def test_too_few_people_are_no_calibration() -> None:
    with pytest.raises(CorpusError, match="too few people"):
        source_left_out([clip(n, "vlog") for n in range(9)])


def test_areas_are_given_for_everybody_and_each_group() -> None:
    groups = {"a.mp4": "vlog", "b.mp4": "vlog", "c.mp4": "doubtful"}
    results = [
        Result(name, label, label, name[0], score, None)
        for name, own, wrong in (("a.mp4", 0.0, 1.0), ("b.mp4", 0.1, 0.9), ("c.mp4", 1.0, 0.0))
        for label, score in (("real", own), ("fake", wrong))
    ]
    rows = {row["people"]: row["2 s"] for row in separation({"2 s": results}, groups)}
    assert (rows["vlog"]["auc"], rows["doubtful"]["auc"], rows[EVERYBODY]["auc"]) == (
        1.0,
        0.0,
        pytest.approx(5 / 9, abs=1e-3),
    )
    assert (rows["vlog"]["n"], rows["vlog"]["windows"], rows["vlog"]["clips"]) == (2, 2, 2)
    assert rows["vlog"]["auc_low"] == 1.0
    assert rows["doubtful"]["auc_low"] is None


def test_doubtful_people_count_in_every_set_that_they_belong_to() -> None:
    named = sets_of(["vlog", "doubtful", "wild"])
    assert named[EVERYBODY] == {"vlog", "doubtful", "wild"}
    assert named["chosen with one, and the doubtful"] == {"doubtful"}
    assert {"chosen without a look at scores", "vlog", "wild"} <= set(named)
    assert "studio" not in named


def begun(one: JudgedClip, early: float) -> JudgedClip:
    """The same clip, fused: as a call that begins with it would be judged."""
    hops = [
        replace(hop, brief=replace(hop.brief, fused=True), early=replace(hop.early, value=early, fused=True))
        for hop in one.hops
    ]
    return replace(one, hops=tuple(hops))


def test_calls_begin_with_what_is_judged_before_their_past_is_known() -> None:
    clips = [begun(one, GENUINE) for one in people()]
    odd = begun(clip(999, "vlog"), STRANGE)
    calibration = calibration_of(clips)
    later, early = hop_p_values(odd, calibration), hop_p_values(odd, calibration, early=True)
    assert early.max() < later.min()
    (stream,) = people_of([odd], lambda _: calibration)
    assert stream.early[0].tolist() == early.tolist()
    assert stream.p_values.tolist() == later.tolist()
    long = begun(clip(999, "vlog", hops=60), STRANGE)
    assert scan_verdict(long, calibration, CONFIG).verdict == "alert"
    (row, *_) = times_to_findings([long], lambda _: calibration, CONFIG)
    assert row["alert_p50"] is not None


def test_people_are_calibrated_with_their_sound_skewed_too() -> None:
    clips = [begun(one, GENUINE) for one in people()]
    strange = begun(clip(999, "vlog", STRANGE), STRANGE).hops
    plain, forgiving = calibration_of(clips), calibration_of([replace(one, skewed=strange) for one in clips])
    assert plain.brief is not None
    assert forgiving.brief is not None
    assert forgiving.brief.p_value(STRANGE, 2.0) > 0.3 > plain.brief.p_value(STRANGE, 2.0)
    assert forgiving.p_value(STRANGE, 4.0) == plain.p_value(STRANGE, 4.0)
