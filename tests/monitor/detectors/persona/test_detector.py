"""What the persona detector says of measured windows, what it is compared with, and what survives the vault."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from monitor.detectors.persona.companion import MotionReference, Whitening
from monitor.detectors.persona.detector import (
    COMPANION,
    DISTANCE,
    Measured,
    PersonaDetector,
    PersonaError,
    PersonaPeople,
    PersonaReference,
    means,
    usual_distance,
)
from monitor.types import Reason

KEY = "persona-motion"


def people(count: int = 40, companion: bool = True, seed: int = 3, scale: float = 1.0) -> PersonaPeople:
    """As many genuine people, ten pieces each of at least 1.5 s of speech and four of 5 s."""
    random = np.random.default_rng(seed)
    seconds = np.tile(np.repeat([1.5, 5.0], [10, 4]), count)
    scores = scale * random.standard_normal((len(seconds), 2)) * np.where(seconds == 1.5, 1.0, 0.5)[:, None]
    if not companion:
        scores[:, COMPANION] = np.nan
    return PersonaPeople(KEY, -0.1, 0.05, 0.02, scores, seconds, np.repeat(np.arange(count), 14))


def reference(companion: bool = True) -> PersonaReference:
    """A person whose own distances lie about -0.1."""
    random = np.random.default_rng(1)
    motion = None
    if companion:
        embeddings = random.standard_normal((6, 4)).astype(np.float32)
        motion = MotionReference("m", embeddings, Whitening(np.zeros(4), np.eye(4)), np.zeros(6), 0.3, 0.1)
    tokens = random.standard_normal((2, 3)).astype(np.float32)
    return PersonaReference(KEY, tokens, np.full(6, -0.1), np.repeat([0, 1], 3), -0.1, 0.05, motion)


def measured(count: int, distance: float = 0.0, companion: float = 0.0, start: float = 0.0) -> Measured:
    """Windows half a second apart, all alike."""
    return Measured(start + np.arange(count) / 2, np.tile([distance, companion], (count, 1)))


def test_a_person_like_themselves_is_usual_and_another_is_not() -> None:
    detector = PersonaDetector(people())
    same = detector.score(measured(35), 20.0, 4.0, reference(), KEY)
    other = detector.score(measured(35, 4.0, 3.5), 20.0, 4.0, reference(), KEY)
    assert (same.detector, same.one_sided, same.reason, same.cause) == (
        "persona", True, None, Reason.MOVES_UNLIKE_ENROLLED,
    )  # fmt: skip
    assert (other.value or 0) > 1.5 > 0.5 > (same.value or 0)
    assert other.p_value == pytest.approx(1 / 41)
    assert (same.p_value or 0) > 0.3


def test_both_parts_are_told_apart() -> None:
    score = PersonaDetector(people()).score(measured(35, 4.0, -0.5), 20.0, 4.0, reference(), KEY)
    distance, companion = score.evidence["distance"], score.evidence["companion"]
    assert distance == {"value": 4.0, "p_value": pytest.approx(1 / 41, abs=1e-4), "recent": 4.0}
    assert companion["value"] == -0.5
    assert companion["p_value"] > 0.5
    assert (score.evidence["speech_seconds"], score.evidence["windows"]) == (4.0, 35)


def test_only_the_last_seconds_count_and_what_was_before_is_shown() -> None:
    earlier, now = measured(20, 6.0, 6.0), measured(5, 0.0, 0.0, start=10.0)
    score = PersonaDetector(people()).score(Measured.join([earlier, now]), 15.0, 4.0, reference(), KEY)
    assert score.value == 0.0
    assert score.evidence["distance"]["recent"] == pytest.approx(6.0 * 20 / 25)
    timeline = score.evidence["timeline"]
    assert [timeline[0]["at"], timeline[-1]["at"]] == [1.5, 13.5]
    assert timeline[0]["value"] > 1 > timeline[-1]["value"] == 0.0


def test_windows_that_do_not_overlap_share_no_evidence() -> None:
    detector, long = PersonaDetector(people()), measured(60, 1.0, 1.0)
    own = {round(float(at), 3) for at in long.since(10.0 - detector.judged_seconds).start if at + 3 <= 10.0}
    later = {round(float(at), 3) for at in long.since(15.0 - detector.judged_seconds).start}
    assert own
    assert not own & later


def test_more_speech_is_compared_with_more_speech() -> None:
    detector = PersonaDetector(people())
    short, long = (detector.score(measured(5, 1.2, 1.2), 5.0, s, reference(), KEY, once=True) for s in (4.0, 5.0))
    assert (long.p_value or 1) < (short.p_value or 0)
    assert detector.people is not None
    assert detector.people.min_seconds(np.array([0.0, 0.0])) == 1.5


def test_a_measure_that_is_missing_is_left_out() -> None:
    without = PersonaDetector(people(companion=False))
    score = without.score(measured(5, 3.0, np.nan), 5.0, 4.0, reference(companion=False), KEY)
    assert score.p_value == pytest.approx(1 / 41, abs=0.02)
    assert score.evidence["companion"] == {"value": None, "p_value": None, "recent": None}
    # Nobody's companion is known: there is nothing to compare the two with.
    unknown = without.score(measured(5, 3.0, 3.0), 5.0, 4.0, reference(), KEY)
    assert (unknown.value is not None, unknown.p_value, unknown.reason) == (True, None, Reason.NOT_CALIBRATED)


@pytest.mark.parametrize(
    ("known", "enrolled", "key", "speech", "count", "reason"),
    [
        (people(), None, KEY, 4.0, 5, Reason.NOT_ENROLLED),
        (None, reference(), KEY, 4.0, 5, Reason.NOT_CALIBRATED),
        (people(), reference(), "other", 4.0, 5, Reason.NOT_CALIBRATED),
        (people(), replace(reference(), key="old"), KEY, 4.0, 5, Reason.REFERENCE_OUTDATED),
        (people(), reference(), KEY, 1.4, 5, Reason.TOO_LITTLE_SPEECH),
        (people(), reference(), KEY, 4.0, 0, Reason.LOW_QUALITY),
    ],
)
def test_it_says_why_it_abstains(
    known: PersonaPeople | None, enrolled: PersonaReference | None, key: str, speech: float, count: int, reason: Reason
) -> None:
    score = PersonaDetector(known).score(measured(count), 5.0, speech, enrolled, key)
    assert (score.value, score.p_value, score.reason, score.one_sided) == (None, None, reason, True)


def test_nobody_to_compare_with_tells_nothing() -> None:
    nobody = PersonaDetector(None)
    assert nobody.timeline(measured(3)) == []
    assert nobody.word(np.zeros(2), np.zeros(2), [], 5.0).reason is Reason.NOT_CALIBRATED
    few = PersonaDetector(people(count=4))
    score = few.score(measured(5), 5.0, 4.0, reference(), KEY)
    assert (score.p_value, score.reason) == (None, Reason.NOT_CALIBRATED)
    assert people().p_value(np.array([np.nan, np.nan]), 5.0) is None
    assert people().p_value(np.zeros(2), 1.0) is None
    assert people().min_seconds(np.array([np.nan, np.nan])) == 0.0


def test_weights_say_what_counts() -> None:
    both = people()
    only = replace(both, weights=np.array([1.0, 0.0]))
    assert only.value(np.array([2.0, 9.0])) == pytest.approx(2.0 / both.usual[DISTANCE])
    assert np.isnan(only.value(np.array([np.nan, 9.0])))
    assert only.p_value(np.array([np.nan, 9.0]), 5.0) is None
    assert both.value(np.array([2.0, 9.0])) > only.value(np.array([2.0, 9.0]))
    assert both.people == 40


def test_lengths_of_few_people_are_answered_by_shorter_ones() -> None:
    some = people()
    few = some.person < 3
    thin = replace(some, scores=some.scores[few | (some.seconds < 5)], seconds=some.seconds[few | (some.seconds < 5)],
                   person=some.person[few | (some.seconds < 5)])  # fmt: skip
    assert thin.p_value(np.zeros(2), 5.0) == thin.p_value(np.zeros(2), 1.5)


def test_people_and_references_survive_storing() -> None:
    known = people()
    again = PersonaPeople.from_bytes(known.to_bytes())
    assert again.p_value(np.array([1.0, 1.0]), 4.0) == known.p_value(np.array([1.0, 1.0]), 4.0)
    assert (again.location, again.scale, again.single) == (-0.1, 0.05, 0.02)
    for companion in (True, False):
        enrolled = reference(companion)
        held = PersonaReference.from_arrays(enrolled.arrays())
        assert np.array_equal(held.tokens, enrolled.tokens)
        assert (held.motion is not None) == companion
        assert held.standardise(np.array([-0.05])) == pytest.approx([1.0])


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(PersonaError, match=r"cannot be read .*: make it again"):
        PersonaPeople.from_bytes(b"nothing")
    with pytest.raises(PersonaError, match="make it again"):
        PersonaPeople.from_bytes(replace(people(), scale=0.0).to_bytes())
    for change in ({"own_distances": np.zeros(5)}, {"scale": 0.0}, {"tokens": np.full((2, 3), np.nan, np.float32)}):
        with pytest.raises(PersonaError, match="enrol again"):
            PersonaReference.from_arrays(replace(reference(), **change).arrays())
    with pytest.raises(KeyError):
        PersonaReference.from_arrays({})


def test_people_without_scores_bring_nothing_to_size() -> None:
    nobody = PersonaPeople(KEY, 0.0, 1.0, 0.0, np.zeros((0, 2)), np.zeros(0), np.zeros(0, np.int64))
    assert nobody.usual.tolist() == [1.0, 1.0]
    assert nobody.p_value(np.zeros(2), 5.0) is None


def test_own_distances_are_drawn_to_those_of_people() -> None:
    some, clip = people(), np.repeat([0, 1], 50)
    own = np.where(clip == 0, -0.3, -0.2) + 0.01 * np.random.default_rng(0).standard_normal(100)
    location, scale = usual_distance(own, clip, some)
    assert location == pytest.approx((2 * -0.25 + 3 * -0.1) / 5, abs=0.01)
    assert 0.05 < scale < 0.2
    # The only recording of a person says less: others of it lie farther.
    alone, _ = usual_distance(own, np.zeros(100, np.int64), some)
    assert alone == pytest.approx((-0.25 + some.single + 3 * -0.1) / 4, abs=0.01)
    assert usual_distance(np.full(3, np.nan), np.zeros(3, np.int64), some) == pytest.approx((-0.1, 0.05))


def test_means_of_what_is_known() -> None:
    assert means(np.array([[1.0, np.nan], [3.0, np.nan]])).tolist()[0] == 2.0
    assert np.isnan(means(np.zeros((0, 2)))).all()
    assert len(Measured.join([])) == 0
