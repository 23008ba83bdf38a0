"""Enrolment counts speech, and takes no music for it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engines.base import Engine
from monitor.identity.enrolment.clip_reader import Voice
from monitor.lab.distortions.room_sounds import levelled, mixed, room_sound
from monitor.session.models import load_presence
from monitor.tap.replay import read_clip
from monitor.types import SAMPLE_RATE_HZ, AudioBlock, FloatArray
from monitor.voice.stream import VoiceStream
from tests.monitor.frames import block

BLOCK = 1600


def counted(sound: FloatArray, presence: Engine | None) -> float:
    voice = Voice(VoiceStream(presence=presence))
    for at in range(0, len(sound), BLOCK):
        voice.hear(block(sound[at : at + BLOCK], at / SAMPLE_RATE_HZ))
    return voice.seconds


@pytest.mark.parametrize("kind", ["music", "typing", "fan"])
def test_music_and_noise_are_no_speech(kind: str) -> None:
    sound = room_sound(kind, 10.0)
    assert counted(sound, load_presence()) == 0.0
    assert counted(sound, None) == 0.0


def test_nothing_is_no_speech() -> None:
    assert Voice().seconds == 0.0


@pytest.mark.data
def test_speech_counts_with_music_under_it_and_music_alone_does_not(data_dir: Path) -> None:
    presence = load_presence()
    if presence is None:
        pytest.skip("the pack speech_presence was not built: make speech")
    clip = data_dir / "clips" / "real" / "MimicTalk__Trump_10s.mp4"
    speech = levelled(np.concatenate([item.samples for item in read_clip(clip) if isinstance(item, AudioBlock)]))
    music = room_sound("music", 20.0)
    alone = counted(speech, presence)
    assert alone > 7.0
    both = counted(np.concatenate([mixed(speech, music, 5.0), music]), presence)
    # A second after the last word still counts as speech.
    assert alone - 1.0 < both < alone + 2.0
