from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from monitor.detectors.persona.windows import WINDOW_STEPS
from monitor.lab.corpus.manifest import Row, group_by_subject
from monitor.lab.studies.persona.recordings import (
    ENROLLED_SECONDS,
    HOP_STEPS,
    Footage,
    Part,
    chosen_rows,
    load_footage,
    pieces,
    speech_of,
    trials,
)
from monitor.window.grid import GRID_HZ
from tests.monitor import movers
from tests.monitor.lab.studies.persona.crowd import clip


def test_what_is_probed_is_never_enrolled() -> None:
    for own in ([clip(0, 20.0)], [clip(0, 9.0, seed) for seed in range(5)]):
        found = trials("p00", own)
        assert [trial.number for trial in found] == [0, 1]
        for trial in found:
            assert trial.same_recording == (len(own) == 1)
            steps, probed = (
                {(part.footage.key, n) for part in parts for n in range(part.first, part.last)}
                for parts in (trial.enrolled, trial.probes)
            )
            assert not steps & probed
        assert found[0].enrolled == found[1].probes


def test_recordings_are_dealt_by_their_speech() -> None:
    own = [clip(0, seconds, seed) for seed, seconds in enumerate((4.0, 20.0, 8.0, 8.0))]
    first, second = trials("p00", own)
    assert [part.footage.key for part in first.enrolled] == ["real-0-1"]
    assert [part.footage.key for part in second.enrolled] == ["real-0-0", "real-0-2", "real-0-3"]


def test_who_says_little_is_not_enrolled_and_who_says_much_not_by_all_of_it() -> None:
    assert trials("p00", [clip(0, 7.0)]) == []
    assert trials("p00", [clip(0, 20.0), clip(0, 3.0, 1)]) == []
    assert trials("p00", [clip(0, 20.0, silent=11.0)]) == []
    long = trials("p00", [clip(0, 30.0, seed) for seed in range(10)])
    assert sum(part.speech for part in long[0].enrolled) == ENROLLED_SECONDS
    assert sum(part.speech for part in long[0].probes) == 150


def test_windows_are_told_from_the_neutral_of_their_part() -> None:
    part = Part(clip(0, 20.0), 250, 500)
    windows = part.windows(movers.basis(), HOP_STEPS)
    assert [window.start for window in windows] == [10.0 + n for n in range(8)]
    assert abs(float(np.median(np.concatenate([w.motion for w in windows])))) < 0.3
    assert part.speech == 10


def test_a_clip_shorter_than_a_window_is_padded_where_enough_is_in_it() -> None:
    short = Part.whole(clip(0, 2.0, silent=1.0))
    (window,) = short.windows(movers.basis(), HOP_STEPS)
    assert window.motion.shape == (WINDOW_STEPS, movers.WIDTH)
    assert window.mask.sum() == 50
    assert window.speech.sum() == 25
    assert not window.motion[50:].any()
    assert Part.whole(clip(0, 1.2)).windows(movers.basis(), HOP_STEPS) == []
    assert Part.whole(clip(0, 2.0, silent=1.8)).windows(movers.basis(), HOP_STEPS) == []
    assert Part(clip(0, 2.0), 0, 0).windows(movers.basis(), HOP_STEPS) == []


def test_pieces_hold_so_much_speech_and_do_not_overlap() -> None:
    parts = [Part.whole(clip(0, seconds, seed)) for seed, seconds in enumerate((12.0, 4.0, 3.0))]
    windows = [part.windows(movers.basis(), HOP_STEPS) for part in parts]
    found = pieces(windows, 5.0)
    assert [[(p, windows[p][n].start) for p, n in piece] for piece in found] == [
        [(0, 0.0), (0, 1.0), (0, 2.0)],
        [(0, 5.0), (0, 6.0), (0, 7.0)],
        [(1, 0.0), (1, 1.0), (2, 0.0)],
    ]
    assert pieces(windows, 30.0) == []
    assert pieces([], 1.0) == []
    # Silence fills no piece.
    quiet = [Part.whole(clip(0, 12.0, silent=6.0)).windows(movers.basis(), HOP_STEPS)]
    assert len(pieces(quiet, 5.0)) == 1


def test_people_by_name_and_clips_evenly_chosen() -> None:
    rows = [Row(Path(f"{n}"), f"{n:02}", "fake" if n > 8 else "real", "m", "ann") for n in range(11)]
    assert [row.name for row in chosen_rows(rows, 3)] == ["00", "04", "08", "09", "10"]
    own = group_by_subject([clip(1, 5.0), clip(0, 5.0), clip(0, 6.0, 1), clip(0, 9.0, label="fake")], "real")
    assert {name: len(each) for name, each in own.items()} == {"p00": 2, "p01": 1}
    assert speech_of(own["p00"]) == 11


def test_clips_without_a_speaking_face_are_told(tmp_path: Path) -> None:
    told: list[str | None] = []
    (tmp_path / "broken.mp4").write_bytes(b"no video")
    assert (
        load_footage([Row(tmp_path / "broken.mp4", "broken.mp4", "real", "real", "a")], tmp_path, 1, told.append) == []
    )
    assert told[0] is not None
    assert "broken.mp4" in told[0]


def test_the_bitrate_is_that_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(bytes(10_000))
    own = clip(0, 8.0)
    assert Footage(replace(own.row, path=tmp_path / "x"), own.motion, "x").bitrate == pytest.approx(10.0)
    assert len(own.motion) == 8 * GRID_HZ
