"""Claims decided on from what was said at each hop: who is told, when, by which detectors."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from monitor.lab.corpus.manifest import Row
from monitor.lab.evaluate.claimed import decided, sayings, subsets, summarise
from monitor.lab.evaluate.claimed_calls import JudgedCall, Kind, Part, Person, _calls, _divided, _hops, _kept
from monitor.types import Aspect, BriefScore, Reason, Score


def compared(name: str, aspect: Aspect, p: float, cause: Reason) -> Score:
    return Score(name, 1.0, None, p, True, cause=cause, needs_identity=True, aspect=aspect)


def call(kind: Kind, face: float, voice: float, seconds: float = 12.0, method: str = "") -> JudgedCall:
    hops = [
        (
            hop / 2,
            (
                compared("pairwise", Aspect.FACE, face, Reason.IDENTITY_MISMATCH),
                compared("voiceprint", Aspect.VOICE, voice, Reason.VOICE_MISMATCH),
            ),
        )
        for hop in range(1, round(2 * seconds))
    ]
    return JudgedCall("h1", kind, method, True, tuple(hops))


def test_filled_windows_are_said_again() -> None:
    times = [time for time, _ in sayings(call("genuine", 0.5, 0.5), 30.0)]
    assert times[-1] == 30.0
    assert times == [n / 2 for n in range(1, 61)]
    short = JudgedCall("h1", "genuine", "", True, ((0.5, ()),))
    assert [time for time, _ in sayings(short, 30.0)] == [0.5]


def test_who_is_told_and_what_each_detector_adds() -> None:
    calls = [
        call("genuine", 0.5, 0.5),
        call("another person", 0.0118, 0.0164),
        call("another's voice", 0.5, 0.0164),
        call("forged", 0.0118, 0.5, method="Swap"),
    ]
    found = summarise(calls)
    assert set(found) == {"genuine", "another person", "another's voice", "forged", "forged: Swap"}
    assert found["genuine"]["all"]["alerted"] == 0
    assert found["genuine"]["seconds"] == 600.0
    person = found["another person"]
    assert person["all"]["p50"] < person["voiceprint"]["p50"]
    assert person["all but voiceprint"] == person["pairwise"]
    dub = found["another's voice"]
    assert (dub["all"]["alerted"], dub["pairwise"]["alerted"]) == (1, 0)
    assert dub["all"]["suspected_for_voice"] == 1
    assert dub["all"]["interval"][0] > 0.2
    assert (person["people"], person["across"]) == (1, 1)
    time, suspected = decided(calls[1], 60.0, frozenset({"pairwise"}))
    assert time is not None
    assert suspected == {Reason.IDENTITY_MISMATCH}
    assert list(subsets(["a", "b"])) == ["all", "a", "b", "all but a", "all but b"]


def row(name: str) -> Row:
    return Row(Path(name), name, "real", "real", "h1")


def test_people_are_divided_into_what_enrols_them_and_what_is_judged() -> None:
    several = _divided([(30.0, row("long")), (12.0, row("short")), (3.0, row("tiny"))])
    assert several is not None
    enrolled, judged, across = several
    assert [part.row.name for part in enrolled] == ["long", "tiny"]
    assert (judged.row.name, across) == ("short", True)
    alone = _divided([(40.0, row("only"))])
    assert alone is not None
    (first,), rest, across = alone
    assert (first.end, rest.start, across) == (20.0, 20.0, False)
    assert _divided([(12.0, row("only"))]) is None


def test_the_calls_under_a_name() -> None:
    ann, bob = (Person(name, (), Part(row(name)), True, (row("forgery"),)) for name in ("ann", "bob"))
    kinds = [(kind, [part.row.name for part in media]) for kind, _, media in _calls(ann, bob)]
    assert kinds == [
        ("genuine", ["ann"]),
        ("another person", ["bob"]),
        ("another's voice", ["ann", "bob"]),
        ("another's face", ["bob", "ann"]),
        ("forged", ["forgery"]),
    ]


@pytest.mark.parametrize("brief", [None, BriefScore(0.1, 0.2, 2.0), BriefScore()])
def test_what_is_kept_of_a_score_is_what_the_decision_reads(brief: BriefScore | None) -> None:
    score = Score(
        "voiceprint",
        1.5,
        None,
        0.02,
        True,
        cause=Reason.VOICE_MISMATCH,
        withholds=True,
        needs_identity=True,
        brief=brief,
        aspect=Aspect.VOICE,
        changed=True,
    )
    silent = Score("voiceprint", None, Reason.SILENCE)
    kept = [[0.5, [_kept(score), _kept(silent)]]]
    assert _hops({"hops": kept}) == ((0.5, (score, silent)),)


def test_a_part_is_as_long_as_its_clip_or_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.lab.evaluate.claimed_calls.probe_clip", lambda _: SimpleNamespace(seconds=20.0))
    assert [
        Part(row("a"), start, end).seconds for start, end in ((0.0, None), (8.0, None), (8.0, 15.0), (8.0, 99.0))
    ] == [
        20.0,
        12.0,
        7.0,
        12.0,
    ]
