"""Voice activity: WebRTC's detector on 10 ms frames, with a hangover that bridges the gaps inside words."""

from __future__ import annotations

import numpy as np
import webrtcvad

from monitor.types import SAMPLE_RATE_HZ, BoolArray, FloatArray

FRAME_SAMPLES = 160
# Aggressiveness, 0 to 3.
VAD_MODE = 2
HANGOVER_FRAMES = 12
MIN_AMPLITUDE = 3e-4


class VoiceActivity:
    """Streaming voice activity: one flag for each 10 ms; `mode` is WebRTC's aggressiveness, 0 to 3."""

    def __init__(self, mode: int = VAD_MODE) -> None:
        self._vad = webrtcvad.Vad(mode)
        self._remainder: FloatArray = np.zeros(0, np.float32)
        self._hangover = 0

    def __call__(self, samples: FloatArray) -> BoolArray:
        """Return flags (n,) of the 10 ms frames that the new samples (16 kHz, in [-1, 1]) complete."""
        joined = np.concatenate([self._remainder, samples])
        count = len(joined) // FRAME_SAMPLES
        self._remainder = joined[count * FRAME_SAMPLES :]
        pcm = (np.clip(joined, -1, 1) * 32767).astype("<i2")
        flags = np.zeros(count, np.bool_)
        for i in range(count):
            span = slice(i * FRAME_SAMPLES, (i + 1) * FRAME_SAMPLES)
            # Digital silence upsets the detector's adaptive noise floor; anything so faint is no speech.
            is_loud = float(np.abs(joined[span]).max()) > MIN_AMPLITUDE
            if is_loud and self._vad.is_speech(pcm[span].tobytes(), SAMPLE_RATE_HZ):
                self._hangover = HANGOVER_FRAMES
            flags[i] = self._hangover > 0
            self._hangover = max(self._hangover - 1, 0)
        return flags
