"""Makers left out: one whose trace the others share is found, one of its own kind is not, and lines stay innocent."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("sklearn", reason="it fits models: install the extra `train`")

from monitor.lab.commands.train_synthetic_voice import lines_for, simple
from monitor.lab.corpus.voice_windows import BANDS, GENUINE, WINDOW_FRAMES, SpeechWindow
from monitor.lab.distortions.voice_lines import CONFOUNDS
from monitor.lab.studies.synthetic_voice import (
    CEPSTRUM,
    Confound,
    LeftOut,
    cepstral_statistics,
    confounds,
    fold_of,
    is_evidence,
    kind_left_out,
    left_out,
    makers_of,
)

Doubles = NDArray[np.float64]


def window(maker: str, person: str, clip: str, smooth: float, line: str = "drawn 0") -> SpeechWindow:
    """Bands that change from one frame to the next, less where a machine made them."""
    random = np.random.default_rng(zlib.crc32(f"{maker} {person} {clip} {line}".encode()))
    bands = random.normal(0, 1 - smooth, (WINDOW_FRAMES, BANDS)) + random.normal(0, 1, BANDS)
    return SpeechWindow(bands.astype(np.float16), maker, person, clip, line)


def corpus(alike: bool = True) -> list[SpeechWindow]:
    people = [f"p{n}" for n in range(20)]
    found = [window(GENUINE, person, person, 0.0) for person in people]
    found += [window("vocoder", person, person, 0.5) for person in people]
    found += [window("synth", "v", f"synth {n}", 0.4) for n in range(8)]
    found += [window("odd", "v", f"odd {n}", 0.4 if alike else -0.5) for n in range(8)]
    found += [window(GENUINE, person, person, 0.0, line.name) for person in people[:8] for line in CONFOUNDS]
    return found


def test_a_maker_that_leaves_the_traces_of_others_is_told() -> None:
    found = left_out(corpus(), "odd", simple, rounds=50)
    assert found.auc > 0.95
    assert found.low <= found.auc <= found.high
    assert (found.windows, found.people, found.genuine) == (8, 1, 20)
    vocoded = left_out(corpus(), "vocoder", simple, rounds=50)
    assert (vocoded.auc > 0.95, vocoded.people) == (True, 20)


def test_a_maker_of_its_own_kind_is_not() -> None:
    assert left_out(corpus(alike=False), "odd", simple, rounds=20).low < 0.5


def test_nobody_is_scored_by_what_learnt_from_them_or_from_the_maker() -> None:
    windows = corpus()
    seen: list[set[bytes]] = []
    asked: list[set[bytes]] = []

    def fit(bands: NDArray[Any], maker: NDArray[np.int64]) -> Callable[[NDArray[Any]], Doubles]:
        seen.append({one.tobytes() for one in bands})
        asked.append(set())
        mine = asked[-1]

        def score(found: NDArray[Any]) -> Doubles:
            mine.update(one.tobytes() for one in found)
            return np.zeros(len(found))

        return score

    left_out(windows, "vocoder", fit, rounds=1)
    confounds(windows, fit)
    assert len(seen) == 4
    assert all(not known & scored for known, scored in zip(seen, asked, strict=True))
    theirs = {one.bands.tobytes() for one in windows if one.maker == "vocoder"}
    assert not theirs & (seen[0] | seen[1])


def test_who_learnt_from_whom_is_left_out_together() -> None:
    windows = [
        *corpus(),
        *(window("kokoro", "v", f"kokoro {n}", 0.4) for n in range(3)),
        *(window("hibari", "v", f"hibari {n}", 0.4) for n in range(3)),
    ]
    makers: list[int] = []

    def fit(bands: NDArray[Any], maker: NDArray[np.int64]) -> Callable[[NDArray[Any]], Doubles]:
        makers.append(len(np.unique(maker)))
        return lambda found: np.zeros(len(found))

    left_out(windows, "hibari", fit, rounds=1)
    left_out(windows, "synth", fit, rounds=1)
    assert makers == [4, 4, 5, 5]
    assert makers_of(windows) == ["hibari", "kokoro", "odd", "synth", "vocoder"]


def test_people_who_sound_like_machines_by_how_they_were_recorded_are_found() -> None:
    """Their kind of recording changes as little from frame to frame as speech of machines does."""
    smooth = frozenset(f"studio {n}" for n in range(6))
    windows = [*corpus(), *(window(GENUINE, person, person, 0.4) for person in sorted(smooth))]
    found = kind_left_out(windows, "studio", smooth, simple, rounds=50)
    assert (found.maker, found.people, found.windows, found.genuine) == ("studio", 6, 6, 20)
    assert found.low > 0.9
    some = frozenset(f"p{n}" for n in range(8))
    usual = kind_left_out(corpus(), "phone", some, simple, rounds=50)
    assert usual.low < 0.5 < usual.high
    good = LeftOut("odd", 0.9, 0.8, 1.0, 8, 1, 20)
    assert is_evidence([good], [], [usual])
    assert not is_evidence([good], [], [found])
    assert np.isnan(kind_left_out(corpus(), "nobody", frozenset(), simple, rounds=1).auc)


def test_who_is_left_out_with_their_kind_teaches_nothing() -> None:
    windows, some = corpus(), frozenset(f"p{n}" for n in range(8))
    theirs = {one.bands.tobytes() for one in windows if one.person in some}
    known: set[bytes] = set()

    def fit(bands: NDArray[Any], maker: NDArray[np.int64]) -> Callable[[NDArray[Any]], Doubles]:
        known.update(one.tobytes() for one in bands)
        return lambda found: np.zeros(len(found))

    kind_left_out(windows, "phone", some, fit, rounds=1)
    assert known
    assert not known & theirs


def test_lines_that_change_nothing_find_as_many_as_are_allowed() -> None:
    found = confounds(corpus(), simple)
    assert [line.line for line in found] == [line.name for line in CONFOUNDS]
    assert np.mean([line.suspicious for line in found]) < 0.3
    assert found[0].auc == 0.5


def test_a_line_that_smooths_is_found() -> None:
    windows = [*corpus()]
    windows = [one for one in windows if one.line != CONFOUNDS[1].name]
    windows += [window(GENUINE, f"p{n}", f"p{n}", 0.5, CONFOUNDS[1].name) for n in range(8)]
    line = next(line for line in confounds(windows, simple) if line.line == CONFOUNDS[1].name)
    assert line.suspicious > 0.9
    assert not is_evidence([], [line])


def test_evidence_is_what_holds_for_every_maker_and_every_line() -> None:
    good, touching = LeftOut("a", 0.9, 0.8, 1.0, 9, 1, 9), LeftOut("b", 0.6, 0.5, 0.7, 9, 1, 9)
    line = Confound("plain", 0.5, 0.05, 0.01, 0.2, 20)
    assert is_evidence([good], [line])
    assert not is_evidence([good, touching], [line])
    said = "\n".join(lines_for("simple", [good, touching], [line]))
    assert "AUC 0.600 [0.500-0.700]" in said
    assert "says nothing" in said


def test_statistics_know_no_level_and_no_microphone() -> None:
    bands = np.random.default_rng(0).normal(0, 1, (2, 50, BANDS))
    found = cepstral_statistics(bands)
    assert found.shape == (2, 3 * CEPSTRUM)
    louder = bands + np.linspace(0, 9, BANDS)
    assert np.allclose(found, cepstral_statistics(louder), atol=1e-6)


def test_people_are_in_two_halves() -> None:
    assert {fold_of(f"p{n}") for n in range(20)} == {0, 1}
