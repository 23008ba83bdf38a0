"""Claims decided on from what was said at each hop: who is told, when, by which detectors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from monitor.lab.corpus.manifest import CorpusError, Row
from monitor.lab.corpus.stitched_calls import moment
from monitor.lab.evaluate.claimed import decided, judged_claims, sayings, subsets, summarise
from monitor.lab.evaluate.claimed_calls import (
    JudgedCall,
    Kind,
    Part,
    Person,
    _calls,
    _divided,
    _hops,
    _kept,
    matched_people,
    strung_parts,
)
from monitor.lab.suite.tables import claims as claims_table
from monitor.types import SAMPLE_RATE_HZ, Aspect, AudioBlock, BriefScore, ClockState, Reason, Score, Stamp


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
    # Of a call of three seconds the last is said again.
    brief = call("genuine", 0.5, 0.5, 3.0)
    assert [time for time, _ in sayings(brief, 5.0)] == [n / 2 for n in range(1, 11)]
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
    assert (person["people"], person["across"], person["by_own_agreement"]) == (1, 1, 0)
    # One person: every draw holds the same two calls.
    assert person["all"]["auc"] == [1.0, 1.0, 1.0]
    assert dub["pairwise"]["auc"][0] == found["genuine"]["pairwise"]["auc"][0] == 0.5
    found_by_face = decided(calls[1], 60.0, frozenset({"pairwise"}))
    assert found_by_face.time is not None
    assert found_by_face.suspected == {Reason.IDENTITY_MISMATCH}
    assert found_by_face.peak == math.inf
    assert decided(calls[0], 60.0).peak < 1.0
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
    forgery = ("Swap", Part(row("forgery")))
    ann, bob = (Person(name, (), Part(row(name)), True, (forgery,)) for name in ("ann", "bob"))
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
    silent = Score("voiceprint", None, Reason.SILENCE, evidence={"judged_by": "own"})
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


def test_people_of_matched_pairs_are_divided_however_short_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.lab.evaluate.claimed_calls.probe_clip", lambda _: SimpleNamespace(seconds=4.0))
    forged = [replace(row(f"f{n}"), label="fake", method="Sync") for n in range(8)]
    lost = replace(row("lost"), label="fake", subject="nobody")
    several, only = [row(f"g{n}") for n in range(4)], [replace(row("one"), subject="h2")]
    panel = replace(row("panel"), label="fake", method="Panel", subject="h2")
    first, second = matched_people([*several, *forged, *only, panel, lost])
    assert [part.row.name for part in first.enrolled] == ["g0", "g2"]
    assert first.judged.described == ["g1", 0.0, None, ["g3", 0.0, None]]
    assert first.across
    # Three of four seconds are ten and more; what is left belongs to the call before.
    assert [part.seconds for _, part in first.forged] == [12.0, 20.0]
    assert [method for method, _ in first.forged] == ["Sync", "Sync"]
    assert (second.enrolled[0].end, second.judged.start, second.forged[0][1].start) == (1.6, 1.6, 1.6)
    assert not second.across
    assert len(strung_parts([row("a")], 0.0)) == 1


def test_strung_parts_follow_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    def block(at: float) -> AudioBlock:
        return AudioBlock(Stamp(at, at, 0.0, ClockState.MAPPED, at), np.zeros(SAMPLE_RATE_HZ, np.float32))

    monkeypatch.setattr("monitor.lab.evaluate.claimed_calls.read_clip", lambda _: map(block, (0.0, 1.0, 2.0)))
    part = Part(row("a"), 1.0, None, (Part(row("b"), 2.0),))
    assert [moment(item) for item in part.items()] == [0.0, 1.0, 2.0]
    assert [moment(item) for item in replace(part, then=()).items()] == [0.0, 1.0]


def test_both_collections_and_matched_pairs_are_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    genuine, swapped = call("genuine", 0.5, 0.5), call("forged", 0.0118, 0.5, method="Swap")

    def judged(people: Sequence[Person], models: object, log: Path, tick: object, kinds: object = None) -> object:
        return [genuine, call("another person", 0.0118, 0.0164)] if kinds is None else [genuine, swapped]

    monkeypatch.setattr("monitor.lab.evaluate.claimed.judge_people", judged)
    monkeypatch.setattr("monitor.lab.evaluate.claimed.people_of", lambda rows: [Person("h1", (), Part(rows[0]), True)])
    manifest = tmp_path / "clips.csv"
    manifest.write_text("path,label,method,subject\na.mp4,real,real,h1\n")
    no_models: Any = None
    found = judged_claims([manifest], [], no_models, tmp_path / "log.jsonl")
    assert found["left_out"] == 0
    lines = claims_table(found)
    assert lines[0].startswith("| calls | n | all | pairwise | voiceprint | all but pairwise |")
    assert lines[2].startswith("| genuine, 10 min | 1 | 0 % [0-79] |")
    assert "| another person, 1 min | 1 | 100 % [21-100], " in lines[3]
    assert "1 people, of 1 another recording was judged; lips of 0 by their own agreement" in lines[5]
    assert lines[-1].startswith("| Swap | 1 / 1 | 1.00 [1.00-1.00] |")
    monkeypatch.setattr("monitor.lab.evaluate.claimed.judge_people", lambda *_: [])
    with pytest.raises(CorpusError, match="16 s"):
        judged_claims([manifest], [], no_models, tmp_path / "log.jsonl")
