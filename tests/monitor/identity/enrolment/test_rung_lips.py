"""Lips on the rungs of call conditions: the real codecs, beside the clip's own voice, at the same moments."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from monitor.detectors.synchrony.live import LoadedSynchrony
from monitor.detectors.synchrony.own import RECORDED, own_agreement
from monitor.identity.enrolment import enrol as enrolling
from monitor.identity.enrolment.condition_ladder import RUNGS
from monitor.identity.enrolment.enrol import enrol
from monitor.identity.enrolment.rung_lips import RungCollector, on_rungs
from monitor.session.clip import ClipJudge
from monitor.session.models import Models
from monitor.tap.media.source import SourceError
from monitor.tap.replay import read_clip
from monitor.types import TrackFault
from tests.monitor.frames import frame

SECONDS = 7.0
NAMES = [step.name for step in RUNGS[1:]]


def collector(models: Models) -> Any:
    """What the installed packs collect of a clip."""
    learner = models.of(LoadedSynchrony).enrolling(one_person=True)
    assert learner is not None
    return learner.collect(60.0)


@pytest.mark.data
def test_a_clip_is_shown_on_every_rung_beside_its_own_voice(models: Models, data_dir: Path) -> None:
    shown = on_rungs(collector(models), models)
    assert isinstance(shown, RungCollector)
    judge = ClipJudge(models, collectors=[shown])
    for item in read_clip(data_dir / "clips/real/EDTalk__pose_source2.mp4"):
        if not isinstance(item, TrackFault) and item.stamp.media > SECONDS:
            break
        judge.push(item)
    windows = shown.finish().windows
    assert len(windows) == 1
    assert list(windows[0]) == [RECORDED, *NAMES]
    changes = [windows[0][name] - windows[0][RECORDED] for name in NAMES]
    assert all(0.0 < abs(change) < 0.15 for change in changes)
    own = own_agreement(windows, "encoders")
    assert own is not None
    assert [rung.name for rung in own.rungs] == [RECORDED, *NAMES]
    for line in shown._lines:
        # A face that is gone leaves no lips that count, on any rung.
        assert line._sample is not None
        assert line._sample.usable
        line.push(frame(np.zeros((64, 64), np.uint8), SECONDS + 1.0), None)
        assert not line._sample.usable


def test_who_does_not_look_at_rungs_is_left_alone(models: Models) -> None:
    assert on_rungs(None, models) is None
    other = replace(models, input_spec=replace(models.input_spec, pictures="mouth88"))
    same = collector(models)
    assert on_rungs(same, other) is same


@pytest.mark.data
def test_enrolment_shows_lips_on_the_rungs(
    models: Models, speaker: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[Any] = []

    def read(*arguments: Any) -> None:
        taken.append(arguments[5]["synchrony"])
        raise SourceError("nothing is read here: it is not needed")

    monkeypatch.setattr(enrolling, "read_recording", read)
    with pytest.raises(SourceError, match="nothing is read"):
        enrol(speaker[:1], models)
    assert [type(one) for one in taken] == [RungCollector]
