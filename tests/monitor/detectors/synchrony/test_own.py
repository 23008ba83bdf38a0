"""A claimed person is judged by their own agreement, as far as enrolment showed it, and anybody else by people."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from monitor.decision.calibration import Calibration, Table
from monitor.detectors.base import Hop, Material
from monitor.detectors.reference import TemplateError, pack_arrays
from monitor.detectors.synchrony.enrolling import (
    PLENTY_WINDOWS,
    EnrollingSynchrony,
    SpeechCollector,
    Taken,
    mean_of,
)
from monitor.detectors.synchrony.entry import DETECTOR
from monitor.detectors.synchrony.familiar import FamiliarSpeech
from monitor.detectors.synchrony.fingerprint import Fingerprint, fingerprint
from monitor.detectors.synchrony.judge import judged
from monitor.detectors.synchrony.live import LiveSynchrony, LoadedSynchrony
from monitor.detectors.synchrony.own import (
    MIN_PEOPLE,
    MIN_WINDOWS,
    RECORDED,
    SESSION_SHARE,
    OwnAgreement,
    Rung,
    Standing,
    own_agreement,
    people_in,
    people_known,
    sealed_part,
)
from monitor.detectors.synchrony.own_windows import MAX_RUNG_WINDOWS, MAX_WINDOWS, AgreementCollector
from monitor.types import BriefScore, ClockState, FloatArray, Score, Stamp
from monitor.window.window import WindowBuffer
from tests.monitor.detectors.synchrony.test_detector import same, unit, window

LEVEL, BETWEEN, WITHIN = 0.4, 0.09, 0.055
SESSION = BETWEEN * SESSION_SHARE**0.5
PERSON = BETWEEN * (1 - SESSION_SHARE) ** 0.5
ENCODERS = "lips and voice"
WIDTH, KEY = 16, "encoder"
TABLE = FamiliarSpeech(
    np.zeros(2 * WIDTH, np.float32), np.eye(2 * WIDTH, 2, dtype=np.float32), np.ones(2, np.float32), 1.0, 1e9, KEY
)
MATERIAL = Material((), (), (), (), np.zeros(0, np.int64), (), lambda: iter(()))
Doubles = NDArray[np.float64]


def of(vectors: FloatArray) -> Fingerprint:
    return fingerprint(vectors, np.ones(len(vectors), np.bool_), mean_of(TABLE), KEY)


def people(count: int, seed: int) -> Table:
    """Genuine people in the calibration: a recording each, of 21 windows that overlap."""
    rng = np.random.default_rng(seed)
    level = rng.normal(LEVEL, BETWEEN, (count, 1))
    steps = np.cumsum(np.pad(rng.standard_normal((count, 30)), ((0, 0), (1, 0))), axis=1)
    windows = level + WITHIN * (steps[:, 10:] - steps[:, :-10]) / 10**0.5
    return Table(4.0, -windows.ravel(), np.repeat(np.arange(count), 21))


CALIBRATION = Calibration((people(60, 1),))


def enrolled(level: float, windows: int = 12, spread: float = WITHIN, encoders: str = ENCODERS) -> OwnAgreement:
    return OwnAgreement(encoders, (Rung(RECORDED, level, spread, windows),))


def part(own: OwnAgreement | None) -> bytes:
    return sealed_part(of(unit(1, 400, WIDTH)), own)


def score_of(agreement: float, own: OwnAgreement | None, once: bool = False) -> float:
    standing = None if own is None else own.standing(CALIBRATION)
    score = judged(Score("synchrony", -agreement), 4.0, CALIBRATION, standing, once)
    assert score.p_value is not None
    return score.p_value


def test_brief_windows_are_judged_by_the_same_standing() -> None:
    table = replace(CALIBRATION.tables[-1], seconds=1.2, share=0.15)
    both, own = Calibration(CALIBRATION.tables, Calibration((table,))), enrolled(0.28)
    score = Score("synchrony", -0.2, brief=BriefScore(-0.2, seconds=2.0))
    by_people, by_own = (judged(score, 4.0, both, standing) for standing in (None, own.standing(both)))
    assert by_people.brief == both.apply(score, 4.0).brief
    assert by_own.brief is not None
    assert by_people.brief is not None
    assert (by_own.brief.p_value or 0.0) > (by_people.brief.p_value or 1.0)
    silent = replace(score, brief=BriefScore())
    assert judged(silent, 4.0, both, own.standing(both)).brief == BriefScore()
    assert judged(score, 4.0, CALIBRATION, own.standing(both)).brief is None
    assert people_known(table, 0.5, 1.0).share == 0.15


def test_variances_of_people_are_read_off_a_calibration() -> None:
    found = people_in(people(250, 2))
    assert found.level == pytest.approx(LEVEL, abs=0.015)
    assert found.between**0.5 == pytest.approx(BETWEEN, rel=0.12)
    assert found.within**0.5 == pytest.approx(WITHIN, rel=0.1)
    alone = people_in(Table(4.0, -np.linspace(0.3, 0.5, 30), np.arange(30)))
    assert alone.within == 0.0
    assert alone.between == pytest.approx(np.linspace(0.3, 0.5, 30).var(ddof=1))


def drawn(windows: int, count: int, calls: int, rng: np.random.Generator) -> list[tuple[OwnAgreement, Doubles]]:
    """People of the model: what enrolment saw of each on one day, and windows of a call on another."""
    found = []
    for mu in rng.normal(LEVEL, PERSON, count):
        seen = rng.normal(mu + rng.normal(0, SESSION), WITHIN, windows)
        own = own_agreement([{RECORDED: float(value)} for value in seen], ENCODERS)
        assert own is not None
        found.append((own, rng.normal(mu + rng.normal(0, SESSION), WITHIN, calls)))
    return found


@pytest.mark.parametrize("windows", [MIN_WINDOWS, 12, 60])
def test_p_values_of_genuine_people_are_honest_for_few_windows_and_for_many(windows: int) -> None:
    rng, once, least = np.random.default_rng(windows), [], []
    for seed in range(4):
        calibration = Calibration((people(60, 10 + seed),))
        table = calibration.table(4.0)
        for own, call in drawn(windows, 120, 10, rng):
            standing = own.standing(calibration)
            assert standing is not None
            once.append([standing.p_value(-agreement, table, once=True) for agreement in call])
            least.append([standing.p_value(-agreement, table) for agreement in call])
    for u in (0.02, 0.05, 0.1, 0.3):
        shares = (np.array(once) <= u).mean(axis=1)
        assert shares.mean() <= u + 3 * shares.std() / len(shares) ** 0.5
        # Added up over a stream, they hold for the least favourable tenth of people together.
        tenth = np.sort((np.array(least) <= u).mean(axis=1))[-len(least) // 10 :]
        assert tenth.mean() <= u + 3 * tenth.std() / len(tenth) ** 0.5


def test_enrolment_takes_away_what_people_differ_in() -> None:
    rng = np.random.default_rng(3)
    wrong = rng.normal(0.2, 0.06, 300)
    means = []
    for windows in (0, MIN_WINDOWS, 60):
        people_enrolled = [own if windows else None for own, _ in drawn(max(windows, 1), 100, 1, rng)]
        means.append(np.mean([score_of(x, own) for x, own in zip(wrong, people_enrolled * 3, strict=True)]))
    assert means[0] > means[1] > means[2]
    # Who hardly agrees by nature is not accused for it, and who always agrees is not forged at the level of others.
    assert score_of(0.25, enrolled(0.28)) > 1.3 * score_of(0.25, None)
    assert score_of(0.35, enrolled(0.6)) < score_of(0.35, None) / 2


@settings(deadline=None, max_examples=60)
@given(
    st.floats(-0.5, 1.0),
    st.floats(0.0, 0.5),
    st.integers(MIN_WINDOWS, 200),
    st.floats(-0.2, 1.0),
    st.floats(0.0, 0.3),
    st.booleans(),
)
def test_less_agreement_is_never_less_suspicious(
    level: float, spread: float, windows: int, agreement: float, less: float, once: bool
) -> None:
    own = enrolled(level, windows, spread)
    p_value = score_of(agreement, own, once)
    assert 1 / 61 <= p_value <= 1.0
    assert score_of(agreement - less, own, once) <= p_value
    # A poorer line, or a person who varies more, forgives at least as much below the person's level.
    poorer = replace(own, rungs=(*own.rungs, Rung("poor line", level - less, spread, 5)))
    assert score_of(agreement, poorer, once) >= p_value


@given(st.floats(-1.0, 1.0), st.booleans())
def test_who_showed_nothing_is_judged_exactly_like_anybody(agreement: float, once: bool) -> None:
    table = CALIBRATION.table(4.0)
    nothing = Standing(0.0, 1.0, 1.0, 0, RECORDED).p_value(-agreement, table, once)
    assert nothing == CALIBRATION.p_value(-agreement, 4.0, once)
    assert score_of(agreement, enrolled(0.9, MIN_WINDOWS - 1), once) == CALIBRATION.p_value(-agreement, 4.0, once)


def test_too_little_known_of_people_tells_nothing_of_a_person() -> None:
    own = enrolled(0.5)
    assert own.standing(Calibration((people(MIN_PEOPLE - 1, 1),))) is None
    assert own.standing(Calibration((replace(people(50, 1), seconds=7.0),))) is None
    assert own.standing(Calibration(())) is None
    alike = Table(4.0, np.full(60, -0.4), np.repeat(np.arange(20), 3))
    standing = own.standing(Calibration((alike,)))
    # Where people do not differ, nothing is learnt of a person.
    assert standing is not None
    assert (standing.deviation, standing.unknown) == (0.0, 1.0)
    assert standing.p_value(-0.3, alike) == alike.p_values(np.array(-0.3))
    once_each = Table(4.0, -np.linspace(0.3, 0.5, 30), np.arange(30))
    alone = own.standing(Calibration((once_each,)))
    assert alone is not None
    assert (alone.swing, alone.unknown < 1.0) == (1.0, True)


def test_people_are_taken_as_known_as_the_person_is() -> None:
    table = people(250, 3)
    general, known = people_in(table), people_in(people_known(table, 0.5, 1.0))
    assert known.level == pytest.approx(general.level)
    assert known.within == pytest.approx(general.within)
    assert known.between**0.5 == pytest.approx(0.5 * general.between**0.5, rel=0.05)
    assert people_in(people_known(table, 1.0, 2.0)).within == pytest.approx(4 * general.within)
    assert np.allclose(people_known(table, 1.0, 1.0).scores, table.scores)


def test_windows_of_a_rung_move_all_windows() -> None:
    rows: list[Mapping[str, float]] = [{RECORDED: 0.5, "poor line": 0.4}, {RECORDED: 0.3}]
    own = own_agreement(rows, ENCODERS)
    assert own is not None
    assert [(rung.name, rung.windows) for rung in own.rungs] == [(RECORDED, 2), ("poor line", 1)]
    assert [rung.level for rung in own.rungs] == pytest.approx([0.4, 0.3])
    assert [rung.spread for rung in own.rungs] == pytest.approx([0.02**0.5, 0.0])
    assert own_agreement([], ENCODERS) is None
    bad = replace(enrolled(0.5), rungs=(*enrolled(0.5).rungs, Rung("poor line", 0.4, 0.05, 5)))
    standing, recorded = bad.standing(CALIBRATION), enrolled(0.5).standing(CALIBRATION)
    assert standing is not None
    assert recorded is not None
    assert standing.rung == "poor line"
    assert standing.deviation == pytest.approx(recorded.deviation - 0.1)


def test_it_is_kept_beside_the_fingerprint_and_older_parts_have_none() -> None:
    own = own_agreement([{RECORDED: 0.5, "poor line": 0.4}] * 5, ENCODERS)
    assert OwnAgreement.from_bytes(part(own)) == own
    assert Fingerprint.from_bytes(part(own)).difference(of(unit(1, 400, WIDTH)[:125])) == 0.0
    assert OwnAgreement.from_bytes(part(None)) is None
    assert OwnAgreement.from_bytes(of(unit(1, 400, WIDTH)).to_bytes()) is None
    broken = {"own_encoders": np.array("x"), "own_rungs": np.array(["a"]), "own_numbers": np.full((1, 3), np.nan)}
    vague = broken | {"own_numbers": np.array([[np.nan, 0.1, 5.0]])}
    for data in (b"nothing", *map(pack_arrays, (broken, vague, {"own_numbers": np.zeros((0, 3))}))):
        with pytest.raises(TemplateError, match="enrol the person again"):
            OwnAgreement.from_bytes(data)
    assert DETECTOR.describe(part(own)) == {"agreement_windows": 5}
    assert DETECTOR.describe(part(None)) == {"agreement_windows": 0}


def test_a_part_of_other_encoders_is_outdated_and_one_without_agreement_is_not() -> None:
    loaded = LoadedSynchrony(CALIBRATION, TABLE, ENCODERS)
    assert [loaded.is_outdated(part(own)) for own in (enrolled(0.5), None)] == [False, False]
    assert loaded.is_outdated(part(enrolled(0.5, encoders="others")))


def of_hop(data: bytes | None, encoders: str | None = ENCODERS) -> Score:
    live = LoadedSynchrony(CALIBRATION, TABLE, encoders).live(5.0, None)  # type: ignore[arg-type]
    live.restart(WindowBuffer())
    return live.score(Hop(window(unit(1), unit(2)), part=data, enrolled=data is not None))


def test_the_evidence_says_by_whose_agreement_a_window_was_judged() -> None:
    low, people_say = of_hop(part(enrolled(0.28))), of_hop(None)
    assert people_say.evidence["judged_by"] == "people"
    assert low.evidence["judged_by"] == "own"
    assert low.evidence["own"]["windows"] == 12
    assert low.value == people_say.value
    assert (low.p_value or 0.0) > (people_say.p_value or 1.0)
    assert low.evidence["own"]["p_value_among_people"] == pytest.approx(people_say.p_value, abs=1e-4)
    assert json.loads(json.dumps(dict(low.evidence))) == dict(low.evidence)
    for data in (part(None), b"unreadable", part(enrolled(0.28, encoders="others")), part(enrolled(0.28, 2))):
        other = of_hop(data)
        assert (other.evidence["judged_by"], other.p_value) == ("people", people_say.p_value)
    assert of_hop(part(enrolled(0.28)), encoders=None).evidence["judged_by"] == "people"


def test_a_replaced_reference_is_used_at_the_next_hop() -> None:
    live = LiveSynchrony(CALIBRATION, TABLE, ENCODERS)
    live.restart(WindowBuffer())
    hops = [Hop(replace(same(), end=9.0 + n), part=data) for n, data in enumerate((part(enrolled(0.3)), None))]
    assert [live.score(hop).evidence["judged_by"] for hop in hops] == ["own", "people"]


def test_a_recording_is_judged_as_a_whole_by_whom_its_hops_were_judged_by() -> None:
    whole = Calibration((*CALIBRATION.tables, replace(people(60, 4), seconds=7.0)))
    loaded = LoadedSynchrony(whole, TABLE, ENCODERS)
    clips = {}
    for name, data in (("own", part(enrolled(0.28))), ("people", None)):
        live = loaded.live(5.0, None)  # type: ignore[arg-type]
        hops = [replace(window(unit(n), unit(n + 50)), end=9.0 + n) for n in range(3)]
        clips[name] = loaded.of_clip([live.score(Hop(hop, part=data)) for hop in hops], 0.1)
    assert [clips[name].evidence["judged_by"] for name in clips] == ["own", "people"]
    assert clips["own"].value == clips["people"].value
    assert (clips["own"].p_value or 0.0) > (clips["people"].p_value or 1.0)


def buffer_of(seconds: float, seed: int = 1, lag: int = 0) -> tuple[WindowBuffer, list[int]]:
    """A window of a call as it fills, and the first frame of each hop."""
    stamp, made = Stamp(0.0, 0.0, 0.0, ClockState.MAPPED, 0.0), WindowBuffer()
    made.mark("video", stamp)
    made.mark("audio", stamp)
    return made, list(range(0, round(seconds * 25), 12))


def collected(seconds: float, rungs: bool = True, speaks: bool = True) -> list[Mapping[str, float]]:
    """What is taken of a clip in which lips and voice are one, and of a rung on which lips are noisier."""
    collector, (buffer, hops) = SpeechCollector(TABLE, 600.0), buffer_of(seconds)
    collector.restart(buffer)
    rung = buffer.beside()
    if rungs:
        collector.climb({"poor line": rung})
    vectors, noise = unit(1, hops[-1] + 12, WIDTH), unit(2, hops[-1] + 12, WIDTH)
    poorer = (vectors + noise) / np.linalg.norm(vectors + noise, axis=1, keepdims=True)
    for first in hops:
        span = slice(first, first + 12)
        buffer.push_lips(first, vectors[span], np.ones(12, np.bool_))
        rung.push_lips(first, poorer[span], np.ones(12, np.bool_))
        buffer.push_voice(first, vectors[span], np.full(12, speaks))
        collector.hop()
    assert collector.climbing is (len(collector.finish().windows) < MAX_RUNG_WINDOWS)
    return list(collector.finish().windows)


def test_enrolment_takes_windows_that_share_no_speech_and_a_part_of_them_on_the_rungs() -> None:
    rows = collected(61.0)
    assert len(rows) == 11
    assert [row[RECORDED] for row in rows] == pytest.approx([1.0] * 11, abs=1e-4)
    assert [("poor line" in row) for row in rows] == [True] * MAX_RUNG_WINDOWS + [False] * 5
    assert all(0.5 < row["poor line"] < 0.9 for row in rows[:MAX_RUNG_WINDOWS])
    assert all("poor line" not in row for row in collected(20.0, rungs=False))
    assert collected(20.0, speaks=False) == []


def test_a_window_that_cannot_be_scored_is_not_taken_and_a_long_clip_is_enough() -> None:
    unusual = replace(TABLE, limit=0.0)
    collector, (buffer, hops) = AgreementCollector(unusual), buffer_of(12.0)
    collector.restart(buffer)
    for first in hops:
        buffer.push_lips(first, unit(first, 12, WIDTH), np.ones(12, np.bool_))
        buffer.push_voice(first, unit(first, 12, WIDTH), np.ones(12, np.bool_))
        collector.hop()
    assert collector.finish() == []
    collector._windows = [{RECORDED: 0.5}] * MAX_WINDOWS
    collector.restart(buffer)
    collector.hop()
    assert len(collector.finish()) == MAX_WINDOWS


@pytest.mark.parametrize(
    ("windows", "words"), [(2, "are judged by people in general"), (5, "lean on people"), (PLENTY_WINDOWS, "")]
)
def test_what_would_help_is_told(windows: int, words: str) -> None:
    taken = Taken(of(unit(1, 400, WIDTH)), [{RECORDED: 0.5}] * windows)
    learnt = EnrollingSynchrony(TABLE, ENCODERS).learn(replace(MATERIAL, taken=[taken, None]), "", lambda _share: None)
    assert learnt.quality == {"agreement_windows": windows}
    assert [words in line for line in learnt.advice] == ([True] if words else [])
    assert learnt.data is not None
    own = OwnAgreement.from_bytes(learnt.data)
    assert own is not None
    assert (own.windows, own.encoders) == (windows, ENCODERS)
    unnamed = EnrollingSynchrony(TABLE).learn(replace(MATERIAL, taken=[taken]), "", lambda _share: None)
    assert unnamed.data is not None
    assert OwnAgreement.from_bytes(unnamed.data) is None
