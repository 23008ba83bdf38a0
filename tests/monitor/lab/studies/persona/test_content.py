"""The identity distance does not mind what is said: on the shipped pack, and one speaker of many sentences."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engines.base import MODELS
from monitor.detectors.persona.engines import PersonaEngines
from monitor.detectors.persona.entry import PERSONA, load_persona
from monitor.detectors.persona.personalise import PersonaliseConfig, personalise
from monitor.detectors.persona.windows import WINDOW_STEPS, MotionWindow, windows_of
from monitor.lab.corpus.manifest import Row
from monitor.lab.corpus.motion_features import ClipMotion, load_motions

REFERENCES, PROBES = 10, 6


def windows(clips: list[ClipMotion | str], engines: PersonaEngines) -> list[MotionWindow]:
    """The one window of each sentence that counts."""
    found: list[MotionWindow] = []
    for clip in clips:
        assert isinstance(clip, ClipMotion)
        found += windows_of(clip.motion(engines.basis), clip.valid, clip.voice, clip.speech, WINDOW_STEPS)
    return found


@pytest.mark.long
@pytest.mark.data
def test_other_words_of_the_same_person_do_not_raise_the_distance(data_dir: Path, tmp_path: Path) -> None:
    if not (MODELS / PERSONA / "manifest.json").exists():
        pytest.skip("no persona pack: run `sidewitness train persona`")
    engines = load_persona()
    assert engines is not None
    assert engines.fit is not None
    with (data_dir / "clips.csv").open(newline="") as file:
        names = [row["path"] for row in csv.DictReader(file) if row["subject"] == "GRID_s1"]
    # Sentences of GRID: "bin blue at f two now". The person is known by blue alone; green is never said.
    blue, green = ([name for name in names if name.split("__")[1].startswith(start)] for start in ("bb", "bg"))
    chosen = [*blue[::2][:REFERENCES], *blue[1::2][:PROBES], *green[:PROBES]]
    rows = [Row(data_dir / name, name, "real", "real", "s1") for name in chosen]
    clips = [clip for _, clip in load_motions(rows, tmp_path, 2, lambda _: None)]
    parts = (clips[:REFERENCES], clips[REFERENCES:-PROBES], clips[-PROBES:])
    learnt, same, other = (windows(part, engines) for part in parts)
    config = PersonaliseConfig(steps=40)
    made = personalise(engines.fit(), learnt, engines.tokens.start, engines.plan, config, lambda _: None)
    # Another sentence's voice with this sentence's face is nobody's, but not less like this person than like anybody.
    swapped = [replace(one, voice=two.voice) for one, two in zip(other, other[1:] + other[:1], strict=True)]
    gaps = [engines.distances(some, made.tokens).gap for some in (same, other, swapped)]
    assert min(map(len, gaps)) >= PROBES // 2
    usual = float(np.std(np.concatenate(gaps)))
    assert gaps[1].mean() - gaps[0].mean() < usual
    assert gaps[2].mean() - gaps[1].mean() < usual
