import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.detectors.synchrony.detector import SynchronyDetector
from monitor.detectors.synchrony.offset import Track, offset_curve, offset_prices
from monitor.types import BoolArray, ClockState, FloatArray, Reason
from monitor.window.doubts import REASONS, Doubt
from monitor.window.window import Window


def unit(seed: int, count: int = 125, width: int = 16) -> FloatArray:
    vectors = np.random.default_rng(seed).standard_normal((count, width)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors


def window(lips: FloatArray, voice: FloatArray) -> Window:
    yes = np.ones(len(lips), np.bool_)
    return Window(9.0, 25, lips, yes, voice, yes, yes, ClockState.MAPPED, 0.02, yes, np.zeros(len(lips), np.uint8), 9.0)


def same(seed: int = 0, offset: int = 0, count: int = 125) -> Window:
    vectors = unit(seed, count)
    return window(vectors, np.roll(vectors, offset, axis=0))


def first(count: int) -> BoolArray:
    return np.arange(125) < count


def test_it_is_a_one_sided_detector() -> None:
    detector = SynchronyDetector()
    assert (detector.name, detector.one_sided) == ("synchrony", True)
    assert detector.score(same()).one_sided
    assert detector.score(replace(same(), speech=first(0))).one_sided


def test_agreeing_streams_score_low_and_others_high() -> None:
    detector = SynchronyDetector()
    agree, other = detector.score(same()), detector.score(window(unit(1), unit(2)))
    assert agree.value == pytest.approx(-1.0, abs=1e-5)
    assert other.value is not None
    assert other.value > -0.3
    assert other.reason is None


@given(st.integers(-15, 15), st.integers(0, 5))
def test_a_constant_offset_is_found_and_forgiven(offset: int, seed: int) -> None:
    whole = same(seed, offset, 400)
    score = SynchronyDetector().score(recalled(whole.lips, whole.voice))
    assert score.value == pytest.approx(-1.0, abs=1e-5)
    assert score.evidence["best_offset_ms"] == 40 * offset
    assert score.evidence["offset_price"] == 0.0


@given(st.integers(-15, 15), st.integers(0, 5))
def test_a_far_offset_costs_a_little_until_it_is_known(offset: int, seed: int) -> None:
    """Five seconds hold seven clear segments of the ten that are asked for."""
    score = SynchronyDetector().score(same(seed, offset))
    price = 0.3 * 0.015 * max(abs(offset) - 2, 0)
    assert score.value == pytest.approx(price - 1.0, abs=1e-5)
    assert score.evidence["offset_price"] == pytest.approx(price, abs=1e-4)
    assert score.evidence["best_offset_ms"] == 40 * offset


def test_a_voice_that_fits_far_away_by_luck_is_not_believed() -> None:
    """Another's voice with one second of fit at 400 ms, which half of the needed segments show."""
    lips, voice = unit(1), unit(2)
    voice[60:85] = lips[50:75]
    lucky = window(lips, voice)
    free = offset_curve(lucky)
    score = SynchronyDetector().score(lucky)
    assert free.offset == 10
    assert score.value is not None
    assert score.value >= -free.agreement + 0.5 * 8 * 0.015 - 1e-6


def test_an_offset_beyond_the_search_is_a_disagreement() -> None:
    score = SynchronyDetector().score(same(0, 25))
    assert score.value is not None
    assert score.value > -0.3


def test_evidence_is_the_offset_curve_as_json() -> None:
    evidence = SynchronyDetector().score(same(0, 3)).evidence
    assert json.loads(json.dumps(dict(evidence))) == dict(evidence)
    assert evidence["offsets_ms"] == list(range(-600, 601, 40))
    assert len(evidence["agreement"]) == 31
    assert evidence["agreement"][18] == pytest.approx(1.0, abs=1e-4)
    assert evidence["agreement_max"] == pytest.approx(evidence["agreement"][18] - evidence["offset_price"], abs=1e-4)
    assert evidence["speech_seconds"] == 5.0


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, 6))
def test_the_curve_is_the_mean_over_valid_speech_frames(seed: int, max_offset: int) -> None:
    rng = np.random.default_rng(seed)
    masks = rng.random((3, 40)) < 0.7
    given_ = replace(
        window(unit(seed, 40), unit(seed + 1, 40)),
        lips_mask=masks[0],
        voice_mask=masks[1],
        speech=masks[2],
        pictures=masks[0],
    )
    curve = offset_curve(given_, max_offset)
    for k in range(-max_offset, max_offset + 1):
        dots = [
            float(given_.lips[t] @ given_.voice[t + k])
            for t in range(40)
            if 0 <= t + k < 40 and masks[0, t] and masks[1, t + k] and masks[2, t + k]
        ]
        assert curve.counts[k + max_offset] == len(dots)
        assert curve.means[k + max_offset] == pytest.approx(np.mean(dots) if dots else 0.0, abs=1e-5)


@given(st.integers(0, 2**32 - 1))
def test_what_is_masked_does_not_matter(seed: int) -> None:
    rng = np.random.default_rng(seed)
    mask = rng.random(125) < 0.8
    clean = replace(same(), lips_mask=mask)
    noisy = replace(clean, lips=np.where(mask[:, None], clean.lips, np.float32(9.0)))
    assert SynchronyDetector().score(noisy) == SynchronyDetector().score(clean)


def test_offsets_with_few_frames_are_left_out() -> None:
    """Speech at both ends of a gap: at most offsets a handful of frames meet, and their noise must not win."""
    lips_mask = first(60)
    speech = first(60)
    given_ = replace(window(unit(1), unit(2)), lips_mask=lips_mask, speech=speech)
    curve = offset_curve(given_, 40)
    score = SynchronyDetector(max_offset=40).score(given_)
    assert score.evidence["agreement"][0] is None
    assert score.evidence["agreement"][40] is not None
    assert curve.counts[0] == 20
    prices = offset_prices(Track(()), 0.02, 25, 40)
    assert score.value == pytest.approx(-(curve.means - prices)[curve.counts >= 30].max())


def doubtful(frames: int, doubt: Doubt, speech: int = 125) -> Window:
    """A window whose first frames are set aside, as the buffer gives it."""
    aside = first(frames)
    whole = same()
    return replace(
        whole,
        lips=np.where(aside[:, None], np.float32(0), whole.lips),
        lips_mask=~aside,
        doubts=np.where(aside, doubt, 0).astype(np.uint8),
        speech=first(speech),
    )


@pytest.mark.parametrize(("doubt", "reason"), REASONS.items())
def test_what_set_the_speech_aside_is_the_reason(doubt: Doubt, reason: Reason) -> None:
    score = SynchronyDetector().score(doubtful(100, doubt))
    assert (score.value, score.reason, score.one_sided) == (None, reason, True)


def test_a_few_frames_set_aside_leave_the_rest_to_be_judged() -> None:
    score = SynchronyDetector().score(doubtful(60, Doubt.STILL_MOUTH))
    assert score.value == pytest.approx(-1.0, abs=1e-5)
    assert score.evidence["speech_seconds"] == 2.6


@pytest.mark.parametrize(("doubt", "judged"), [(Doubt.STILL_MOUTH, False), (Doubt.PICTURE_FROZEN, True)])
def test_speech_that_mostly_met_a_still_mouth_leaves_no_good_rest(doubt: Doubt, judged: bool) -> None:
    score = SynchronyDetector().score(doubtful(70, doubt))
    assert (score.value is not None, score.reason) == (judged, None if judged else Reason.STILL_MOUTH)


def test_a_still_mouth_without_speech_is_silence() -> None:
    assert SynchronyDetector().score(doubtful(125, Doubt.STILL_MOUTH, speech=20)).reason is Reason.SILENCE


def test_a_window_that_has_not_filled_says_so_first() -> None:
    young = replace(doubtful(125, Doubt.STILL_MOUTH), age=3.0)
    assert SynchronyDetector().score(young).reason is Reason.WARMING_UP
    assert SynchronyDetector().score(young, settled=True).reason is Reason.STILL_MOUTH


def recalled(lips: FloatArray, voice: FloatArray) -> Window:
    """The last 5 s, all of it in memory."""
    whole = window(lips, voice)
    return replace(whole.last(125), memory=whole)


@settings(deadline=None)
@given(st.integers(-10, 10), st.integers(0, 5))
def test_a_constant_skew_of_400_ms_changes_nothing(skew: int, seed: int) -> None:
    lips = unit(seed, 400)
    straight, skewed = (SynchronyDetector().score(recalled(lips, np.roll(lips, k, axis=0))) for k in (0, skew))
    assert skewed.value == pytest.approx(straight.value, abs=1e-4)
    assert skewed.evidence["best_offset_ms"] == 40 * skew
    assert skewed.evidence["accumulated"]["wander_ms"] == 0


def test_the_window_is_scored_at_the_offset_of_the_past() -> None:
    """After 11 s at one offset the voice jumps by 200 ms: free to choose, the window would fit as well as before."""
    lips = unit(0, 400)
    jumped = recalled(lips, np.concatenate([lips[:275], np.roll(lips, 5, axis=0)[275:]]))
    free, held = SynchronyDetector().score(replace(jumped, memory=None)), SynchronyDetector().score(jumped)
    assert free.value == pytest.approx(-1.0, abs=0.05)
    assert held.value is not None
    assert held.value > -0.3


@pytest.mark.parametrize("every", [50, 100])
def test_an_offset_that_wanders_is_paid_for(every: int) -> None:
    lips = unit(0, 400)
    places = np.random.default_rng(1).integers(-8, 9, 400 // every)
    voice = np.concatenate([np.roll(lips, k, axis=0)[n * every : (n + 1) * every] for n, k in enumerate(places)])
    steady, wandering = (
        SynchronyDetector().score(recalled(lips, lips)),
        SynchronyDetector().score(recalled(lips, voice)),
    )
    assert wandering.evidence["accumulated"]["wander_ms"] > 80
    assert steady.value is not None
    assert wandering.value is not None
    assert wandering.value > steady.value + 0.4
    assert wandering.evidence["accumulated"]["agreement"] < steady.evidence["accumulated"]["agreement"] - 0.4


def test_the_price_of_wandering_is_in_the_score() -> None:
    lips = unit(0, 400)
    places = np.random.default_rng(1).integers(-8, 9, 8)
    voice = np.concatenate([np.roll(lips, k, axis=0)[n * 50 : (n + 1) * 50] for n, k in enumerate(places)])
    score = SynchronyDetector().score(recalled(lips, voice))
    wander_frames = score.evidence["accumulated"]["wander_ms"] / 40
    assert score.value is not None
    # A frame beyond the one that genuine clips show costs a fifth of the agreement.
    assert score.value + score.evidence["agreement_max"] == pytest.approx(0.2 * (wander_frames - 1.0), abs=0.001)
    assert score.value + score.evidence["agreement_max"] > 0.1


def test_a_window_that_memory_says_nothing_about_is_searched_freely() -> None:
    lips = unit(0, 400)
    voice = np.roll(lips, 12, axis=0)
    quiet = np.arange(400) < 300
    past = replace(window(lips, voice), lips_mask=quiet)
    score = SynchronyDetector().score(replace(window(lips, voice).last(125), memory=past))
    assert score.value == pytest.approx(-1.0, abs=0.05)


def test_the_end_of_a_short_recording_names_what_was_missing() -> None:
    faceless = replace(same(), lips_mask=first(0), age=3.0)
    assert SynchronyDetector().score(faceless).reason is Reason.WARMING_UP
    assert SynchronyDetector().score(faceless, settled=True).reason is Reason.NO_FACE
    brief = replace(same(), lips_mask=first(25), voice_mask=first(25), speech=first(25), age=1.0)
    assert SynchronyDetector().score(brief, settled=True).reason is Reason.WARMING_UP


def test_enough_speech_at_the_start_is_scored_before_the_window_is_full() -> None:
    assert SynchronyDetector().score(replace(same(), speech=first(50), age=2.0)).value is not None
    assert SynchronyDetector().score(replace(same(), speech=first(49), age=2.0)).reason is Reason.WARMING_UP
    assert SynchronyDetector(min_speech_seconds=4.0).score(replace(same(), speech=first(99))).value is None


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"pictures": first(20), "lips_mask": first(20)}, Reason.NO_VIDEO),
        ({"voice_mask": first(20), "speech": first(20)}, Reason.NO_AUDIO),
        ({"lips_mask": first(20)}, Reason.NO_FACE),
        ({"lips_mask": first(20), "speech": first(0)}, Reason.NO_FACE),
        ({"speech": first(49)}, Reason.SILENCE),
        ({"speech": first(49), "sound": first(49)}, Reason.SILENCE),
        ({"speech": first(49), "sound": first(50)}, Reason.NO_SPEECH),
        ({"speech": first(0), "sound": first(125)}, Reason.NO_SPEECH),
        ({"lips_mask": first(20), "speech": first(0), "sound": first(125)}, Reason.NO_FACE),
        ({"lips_mask": first(60), "speech": ~first(60)}, Reason.LOW_QUALITY),
        ({"pictures": first(20), "lips_mask": first(20), "age": 4.9}, Reason.WARMING_UP),
    ],
)
def test_it_abstains_with_the_reason(changes: dict[str, BoolArray], reason: Reason) -> None:
    score = SynchronyDetector().score(replace(same(), **changes))  # type: ignore[arg-type]
    assert (score.value, score.reason, score.p_value) == (None, reason, None)
    assert score.evidence["speech_seconds"] < 2.0


@pytest.mark.parametrize(("uncertainty", "reason"), [(0.5, None), (0.7, Reason.CLOCK_UNKNOWN)])
def test_an_unknown_clock_matters_only_beyond_the_offsets(uncertainty: float, reason: Reason | None) -> None:
    guessed = replace(same(), clock=ClockState.UNKNOWN, uncertainty=uncertainty)
    assert SynchronyDetector().score(guessed).reason is reason
    assert SynchronyDetector().score(replace(guessed, clock=ClockState.MAPPED)).reason is None
