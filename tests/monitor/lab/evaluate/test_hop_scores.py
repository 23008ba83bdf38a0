"""Clips are judged hop by hop once, with their own voice or another's."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from engines.base import MODELS
from monitor.lab.corpus.manifest import Row
from monitor.lab.evaluate.hop_scores import HopJob, judge_hops

CLIPS = {"ann": "clips/real/LivePortrait__d20.mp4", "bob": "clips/real/deep_avsr__00024.mp4"}


@pytest.mark.data
def test_clips_are_judged_once_and_another_voice_scores_higher(
    data_dir: Path, features_cache: Path, tmp_path: Path
) -> None:
    ann, bob = (Row(data_dir / path, path, "real", "real", who, group="wild") for who, path in CLIPS.items())
    words = tmp_path / "words.mp4"
    words.write_text("these are words")
    jobs = [
        HopJob(ann, MODELS),
        HopJob(ann, MODELS, bob),
        HopJob(replace(ann, path=words, name="words.mp4"), MODELS),
    ]
    log = tmp_path / "hops.jsonl"
    ticks: list[str | None] = []
    own, dub, none = judge_hops(jobs, features_cache, log, 1, ticks.append)
    assert (own.clip, own.subject, own.group) == (CLIPS["ann"], "ann", "wild")
    assert len(own.hops) >= 3
    assert min(hop.whole for hop in dub.hops) > max(hop.whole for hop in own.hops)
    assert none.hops == ()
    assert len(ticks) == 3
    kept = log.read_bytes()
    assert kept.count(b"\n") == 3
    # What is kept is taken as it is, and a line that was cut off is made anew.
    log.write_bytes(kept[:-20])
    assert judge_hops(jobs, features_cache, log, 1, ticks.append) == [own, dub, none]
    assert log.read_bytes() == kept
    assert len(ticks) == 6
