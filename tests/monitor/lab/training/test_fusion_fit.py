"""The rule of fusion is fitted to own voices against others': on made-up people whose lips and voice are one or not."""

from __future__ import annotations

from collections import Counter
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from engines.training.clips import TrainingError
from monitor.detectors.synchrony.fusion import MEASURES, Moment
from monitor.lab.corpus.manifest import Row, features_name
from monitor.lab.training.fusion_fit import Sample, described, fit_fusion, moments_of, samples
from monitor.lab.training.synchrony_background import SKEWS_FRAMES, Encoded, dubbed, skew_of, skewed
from monitor.tap.media.digest import digest
from tests.monitor.lab.training.test_synchrony_background import features

PEOPLE = 12


def person(number: int, seconds: float = 8.0) -> Encoded:
    """Lips and voice that go together but for noise."""
    random, steps = np.random.default_rng(number), round(25 * seconds)
    lips = random.standard_normal((steps, 16))
    voice = lips + 0.8 * random.standard_normal((steps, 16))
    every = np.ones(steps, np.bool_)
    one, other = ((v / np.linalg.norm(v, axis=1, keepdims=True)).astype(np.float32) for v in (lips, voice))
    return one, every, other, every


@cache
def found() -> tuple[Sample, ...]:
    made: list[Sample] = []
    for number in range(PEOPLE):
        own, other = person(number), person(number + 100)
        kinds = {"own": own, "skewed": skewed(own, 7), "other": dubbed(own, other)}
        made += [Sample(kind, str(number), m) for kind, one in kinds.items() for m in moments_of(one)]
    return tuple(made)


def test_the_fitted_rule_tells_whose_voice_it_is_skewed_or_not() -> None:
    made = found()
    fusion = fit_fusion(made)
    odds = {kind: [fusion.log_odds(s.moment) for s in made if s.kind == kind] for kind in ("own", "skewed", "other")}
    assert np.median(odds["other"]) > 1.0
    assert np.median(odds["own"]) < np.median(odds["skewed"]) < -1.0
    assert fusion.slope > 0.0
    assert "log odds, median: own voice -" in described(fusion, made)
    assert all(name in described(fusion, made) for name in MEASURES)


def test_a_person_of_many_windows_weighs_no_more_than_another() -> None:
    made = found()
    often = [s for s in made if s.person == "0" for _ in range(30)]
    fusion, again = fit_fusion(made), fit_fusion([*(s for s in made if s.person != "0"), *often])
    assert again.weights == pytest.approx(fusion.weights, rel=0.02, abs=0.02)


def test_too_few_people_are_an_error_of_training() -> None:
    few = [s for s in found() if int(s.person) < 5]
    with pytest.raises(TrainingError, match="5 people are too few"):
        fit_fusion(few)


def test_sound_is_skewed_whole_and_what_comes_round_is_no_speech() -> None:
    lips, face, voice, speech = person(1)
    late = skewed((lips, face, voice, speech), 5)
    assert (late[2][5:] == voice[:-5]).all()
    assert not late[3][:5].any()
    assert late[3][5:].all()
    early = skewed((lips, face, voice, speech), -5)
    assert (early[2][:-5] == voice[5:]).all()
    assert not early[3][-5:].any()
    assert {skew_of(f"{n}.mp4") for n in range(200)} == set(SKEWS_FRAMES)


def test_each_clip_meets_its_own_voice_that_skewed_and_two_others(untrained_packs: Path, tmp_path: Path) -> None:
    rows = []
    for name, faces in (("ann", 1), ("bob", 1), ("cid", 1), ("dan", 1), ("crowd", 2)):
        clip = tmp_path / f"{name}.mp4"
        clip.write_text(name)
        features(6.0, len(name) + faces, faces).save(tmp_path / features_name(digest(clip)))
        rows.append(Row(clip, clip.name, "real", "real", name, "g", "a"))
    rows.append(Row(tmp_path / "gone.mp4", "gone.mp4", "real", "real", "gone", "g", "a"))
    done: list[int] = []
    given = list(samples(rows, [(untrained_packs, "a")], tmp_path, done.append))
    counts = Counter((s.person, s.kind) for s in given)
    assert {person for person, _ in counts} == {"ann", "bob", "cid", "dan"}
    assert all(isinstance(s.moment, Moment) for s in given)
    for name in ("ann", "bob", "cid", "dan"):
        # Two strangers meet the lips at twice the hops of the own voice; hops at the skewed end hold less speech.
        assert counts[name, "other"] > counts[name, "own"] >= counts[name, "skewed"] > 0
    assert sum(done) == len(rows)
