"""Whether somebody is heard to speak: the second, independent condition beside WebRTC's detector.

WebRTC's detector weighs the energy of bands and takes typing, music and a fan for speech. Here a small network hears
speech where its pack was built at installation (`speech_presence`); where it was not, `RhythmPresence` does.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from engines.base import Engine
from monitor.types import BoolArray, FloatArray
from monitor.voice.rhythm import RhythmPresence

# A frame of the network counts as speech from this probability on, as its makers advise.
PROBABILITY = 0.5
# Frames (32 ms) without sound that are held back and made up for when sound comes again; older ones are left out. The
# network's memory is never emptied: after a pause it would take a creaking door for speech.
WAITING_FRAMES = 31


class SpeechPresence(Protocol):
    """Hears one stream; the same however the stream is cut."""

    def __call__(self, samples: FloatArray, sound: BoolArray) -> BoolArray:
        """Say in which grid steps somebody is heard to speak: samples (n, 640) and `sound` (n,) to flags (n,).

        Never true where `sound` is false.
        """
        ...


def speech_presence(model: Engine | None) -> SpeechPresence:
    """Make what hears one stream, by the pack `speech_presence` where there is one."""
    return RhythmPresence() if model is None else ModelPresence(model)


class ModelPresence:
    """A network with a memory, asked only about steps in which there is sound.

    Its frames are 512 samples long and each is judged with the step in which it ends.
    """

    def __init__(self, model: Engine) -> None:
        self._model = model
        about = model.manifest.preprocessing
        self._frame, self._context = int(about["frame_samples"]), int(about["context_samples"])
        (size,) = next(spec.shape for spec in model.manifest.inputs if spec.name == "state")
        # What the network will be given: the newest frames that it has not seen, with the context before them.
        self._waiting: FloatArray = np.zeros(self._context, np.float32)
        self._state: FloatArray = np.zeros((1, size), np.float32)

    def __call__(self, samples: FloatArray, sound: BoolArray) -> BoolArray:
        """See `SpeechPresence`."""
        heard = np.zeros(len(sound), np.bool_)
        edges = np.flatnonzero(np.diff(sound.astype(np.int8))) + 1
        for steps in np.split(np.arange(len(sound)), edges):
            if sound[steps].any():
                heard[steps] = self._ask(samples[steps])
            else:
                self._skip(samples[steps])
        return heard

    def _skip(self, samples: FloatArray) -> None:
        joined = np.concatenate([self._waiting, samples.reshape(-1)])
        too_many = (len(joined) - self._context) // self._frame - WAITING_FRAMES
        self._waiting = joined[max(too_many, 0) * self._frame :]

    def _ask(self, samples: FloatArray) -> BoolArray:
        joined = np.concatenate([self._waiting, samples.reshape(-1)])
        count, before = (len(joined) - self._context) // self._frame, len(self._waiting) - self._context
        self._waiting = joined[count * self._frame :]
        starts = np.arange(count) * self._frame
        frames = joined[starts[:, None] + np.arange(self._context + self._frame)]
        out = self._model.run({"frames": frames[None], "state": self._state})
        self._state = out["state_out"]
        ends = starts + self._frame - before
        heard = np.zeros(len(samples), np.bool_)
        speaking = (out["presence"][0, :, 0] >= PROBABILITY) & (ends > 0)
        heard[(ends[speaking] - 1) // samples.shape[1]] = True
        return heard
