"""What a subscriber sees of the participants."""

from __future__ import annotations

from typing import Any

from monitor.lab.bench.observations import Observer, SpanMessages


def state(who: str, time: str, score: float | None, verdict: str = "inconclusive") -> dict[str, Any]:
    scores = {"synchrony": {"score": score, "p_value": None, "reason": None}}
    return {
        "type": "state",
        "participant": who,
        "time": time,
        "verdict": verdict,
        "reason": "not_enrolled",
        "scores": scores,
        "quality": {} if score is None else {"fps": 29.5},
    }


def test_the_first_words_count_from_each_participants_media() -> None:
    witness = Observer()
    noon = "1970-01-01T00:00:10.000Z"
    witness.observe({"type": "hello", "seq": 3}, 0.5, 0.0)
    witness.observe(state("a", noon, None), 0.9, 10.25)
    witness.media = {"a": 1.0, "b": 2.0, "silent": 2.0}
    witness.observe(state("a", noon, None), 1.5, 10.25)
    witness.observe(state("a", noon, -0.3), 4.0, 10.5)
    witness.observe(state("b", noon, None), 2.25, 10.5)
    assert witness.first(witness.states) == [0.5, 0.25]
    assert witness.first(witness.scored) == [3.0]
    told = witness.messages()
    assert told.delays_seconds == [0.25, 0.25, 0.5, 0.5]
    assert told.verdict_counts == {
        "a": {"inconclusive/not_enrolled": 3},
        "b": {"inconclusive/not_enrolled": 1},
    }
    assert told.verdicts == {"inconclusive/not_enrolled": 4}
    assert told.hops == 4
    assert told.scored == {"synchrony": 1}
    assert told.frame_rates == [29.5]
    witness.begin_span()
    assert witness.messages() == SpanMessages()
    assert len(witness.states["a"]) == 3
    assert told.hops == 4
    witness.forget()
    assert not witness.states
    assert not witness.media


def test_how_much_of_what_is_said_is_one_word() -> None:
    told = SpanMessages({"p1": {"suspect": 1, "inconclusive/overloaded": 3}})
    assert told.share("p1", "inconclusive/overloaded") == 0.75
    assert told.share("p1", "alert") == told.share("p2", "alert") == 0.0


def test_the_size_of_states_is_told_as_a_mean_of_the_span() -> None:
    witness, noon = Observer(), "1970-01-01T00:00:10.000Z"
    witness.observe({"type": "hello", "seq": 3}, 0.5, 0.0, 9000)
    witness.observe(state("a", noon, None), 0.9, 10.25, 1000)
    witness.observe(state("b", noon, None), 0.9, 10.25, 3000)
    assert witness.messages().state_bytes == 2000.0
    witness.begin_span()
    assert witness.messages().state_bytes is None
