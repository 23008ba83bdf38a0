"""Where somebody speaks: WebRTC's detector on 10 ms frames, with a hangover that bridges the gaps inside words."""

from __future__ import annotations

import numpy as np
import webrtcvad

from monitor.types import SAMPLE_RATE_HZ, BoolArray, FloatArray

FRAME = 160
MODE = 2
HANGOVER = 12
QUIET = 3e-4


class VoiceActivity:
    """Streaming: one flag for each 10 ms."""

    def __init__(self, mode: int = MODE) -> None:
        self._vad = webrtcvad.Vad(mode)
        self._tail: FloatArray = np.zeros(0, np.float32)
        self._hang = 0

    def __call__(self, samples: FloatArray) -> BoolArray:
        """Give flags of the whole 10 ms frames that the new samples complete, (n,)."""
        joined = np.concatenate([self._tail, samples])
        count = len(joined) // FRAME
        self._tail = joined[count * FRAME :]
        pcm = (np.clip(joined, -1, 1) * 32767).astype("<i2")
        flags = np.zeros(count, np.bool_)
        for i in range(count):
            piece = slice(i * FRAME, (i + 1) * FRAME)
            # Digital silence upsets the detector's adaptive noise floor; a few microvolts are no speech.
            loud = float(np.abs(joined[piece]).max()) > QUIET
            if loud and self._vad.is_speech(pcm[piece].tobytes(), SAMPLE_RATE_HZ):
                self._hang = HANGOVER
            flags[i] = self._hang > 0
            self._hang = max(self._hang - 1, 0)
        return flags
