"""Is the sound of a call one of the recordings that the claimed person was enrolled with? Pure."""

from __future__ import annotations

from dataclasses import replace

from monitor.detectors.parts import PartCache
from monitor.detectors.synchrony.enrolling import mean_of
from monitor.detectors.synchrony.familiar import FamiliarSpeech
from monitor.detectors.synchrony.fingerprint import MAX_DIFFERENCE, Fingerprint, fingerprint
from monitor.types import Reason, Score
from monitor.window.window import Window

# A recording goes on, so it need not be looked for at every hop.
CHECK_HOPS = 4
# What such a window is worth as evidence. In 20 s of recordings false alarms are rarer than one in a thousand windows;
# in ten minutes of them there are thirty times as many places to be alike by chance.
REPLAY_P_VALUE = 0.01


class ReplayWatch:
    """Compares what is heard with the fingerprint of the claimed identity, every two seconds."""

    def __init__(self, familiar: FamiliarSpeech | None) -> None:
        self._familiar = familiar
        self._recordings = PartCache(Fingerprint.from_bytes)
        self._hops = 0
        self._difference = 1.0

    def mark(self, score: Score, window: Window, part: bytes | None) -> Score:
        """Give the score of a window as one of a recording played again, where it is one."""
        recordings = self._recordings.read(part)
        familiar = self._familiar
        if familiar is None or recordings is None or recordings.encoder != familiar.encoder:
            return score
        if self._hops % CHECK_HOPS == 0:
            speaks = window.voice_mask & window.speech
            heard = fingerprint(window.voice, speaks, mean_of(familiar), familiar.encoder)
            self._difference = recordings.difference(heard)
        self._hops += 1
        if self._difference > MAX_DIFFERENCE or score.p_value is None:
            return score
        evidence = {**score.evidence, "replayed": {"bits_differ": round(self._difference, 3)}}
        p_value = min(score.p_value, REPLAY_P_VALUE)
        return replace(score, p_value=p_value, cause=Reason.REPLAYED_RECORDING, withholds=True, evidence=evidence)
