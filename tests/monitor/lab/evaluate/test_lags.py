"""The study of lags, on made-up people."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from monitor.decision.lag import Lag
from monitor.lab.evaluate.lags import MeasuredClip, lag_in, measured_clip, summarise
from monitor.window.grid import GRID_HZ
from tests.monitor.lab.evaluate.test_first_minute import clip

LAG_FRAMES = 3


def people(count: int, source: str, seconds: float, margin: float = 0.012) -> list[MeasuredClip]:
    lag = Lag(seconds, margin)
    return [
        MeasuredClip(f"{source} {n}", source, lag, (lag, replace(lag, seconds=seconds + 0.1))) for n in range(count)
    ]


def test_a_lag_is_measured_as_a_call_would_know_it() -> None:
    made = clip(1)
    long = replace(
        made,
        lips=np.tile(made.lips, (4, 1)),
        face=np.tile(made.face, 4),
        voice=np.roll(np.tile(made.lips, (4, 1)), LAG_FRAMES, axis=0),
        speech=np.tile(made.speech, 4),
    )
    found = measured_clip(long, "phones")
    assert found.lag is not None
    assert found.lag.seconds == pytest.approx(LAG_FRAMES / GRID_HZ)
    assert None not in found.halves
    assert lag_in(long, 0, 4 * GRID_HZ) is None
    assert measured_clip(clip(2, agrees=False), "phones").lag is None


def test_who_is_told_of_beside_others() -> None:
    clips = [*people(8, "phones", 0.02), *people(7, "webcams", 0.3), MeasuredClip("silent", "phones", None)]
    found = summarise([*clips, clips[0]])
    assert (found["clips"], found["with_lag"], found["people"]) == (17, 16, 15)
    assert found["by_source"]["source 1"] == {"people": 8, "ms": dict.fromkeys(found["ms"], 20.0)}
    assert found["repeats"]["ms"]["0.5"] == 100.0
    assert found["repeats"]["beyond_margins"][0] == 1.0
    told = {(one["of"], one["others"], one["delay_ms"]): one for one in found["told"]}
    assert told["the same source", 2, 0]["share"][0] == 0.0
    assert told["the same source", 2, 120]["share"][0] == 0.0
    assert told["the same source", 2, 160]["share"] == [1.0, 1.0, 1.0]
    # Of webcams beside phones only.
    assert 0.0 < told["all", 2, 0]["share"][0] < 0.2
    assert told["all", 2, 0]["people_ever"] == 7


def test_by_how_far_they_must_lie_from_others() -> None:
    near, far = people(6, "phones", 0.02), people(1, "phones", 0.13)
    levels = {one["beyond_ms"]: one for one in summarise([*near, replace(far[0], subject="far")])["genuine_told"][:5]}
    assert [levels[ms]["people_ever"] for ms in (60, 80, 100, 120, 160)] == [1, 1, 0, 0, 0]


def test_without_anybody_there_is_nothing_to_say() -> None:
    found = summarise([MeasuredClip("silent", "phones", None)])
    assert found["ms"] == {}
    assert found["told"][0] == {
        "others": 2,
        "of": "the same source",
        "delay_ms": 0,
        "people": 0,
        "share": [None, None, None],
        "people_ever": 0,
    }
