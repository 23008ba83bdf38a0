"""Sound of one participant, encoded into voice vectors of the window."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from engines.base import Engine
from monitor.session.input_spec import DEFAULT_SOUND
from monitor.types import AudioBlock
from monitor.voice.stream import VoiceChunk, VoiceStream
from monitor.window.stream_encoder import StreamEncoder
from monitor.window.window import WindowBuffer


class SoundTrack:
    """Makes audio blocks voice vectors in the window.

    `sound` is what the encoder `voice` takes (`monitor.session.input_spec`), `presence` what hears whether somebody
    speaks (`monitor.voice.presence`); `listeners` hear the sound itself. `beside_motion` is an encoder of the same
    sound for whoever compares movement, where that is another one. Up to `join_seconds` of sound wait to be taken
    together.
    """

    def __init__(
        self,
        voice: Engine,
        sound: str = DEFAULT_SOUND,
        presence: Engine | None = None,
        listeners: Sequence[Callable[[VoiceChunk], None]] = (),
        beside_motion: Engine | None = None,
        join_seconds: float = 0.0,
    ) -> None:
        self._stream, self._listeners = VoiceStream(sound, presence, join_seconds), listeners
        self._encode = StreamEncoder(voice)
        self._beside_motion = None if beside_motion is None else StreamEncoder(beside_motion)

    def push(self, block: AudioBlock, window: WindowBuffer) -> None:
        """Encode a block, or let it wait for more; a pause before it is silence that was heard."""
        if block.pause:
            self.settle(window)
            window.push_silence(block.stamp.media - block.pause, block.stamp.media)
        for chunk in self._stream.take(block):
            self._take(chunk, window)

    def settle(self, window: WindowBuffer) -> None:
        """Let nothing wait any longer."""
        for chunk in self._stream.settle():
            self._take(chunk, window)

    def _take(self, chunk: VoiceChunk, window: WindowBuffer) -> None:
        for listen in self._listeners:
            listen(chunk)
        flags = np.stack([chunk.heard, chunk.sound], axis=1)
        for done in self._encode.push(chunk.first, dict.fromkeys(self._encode.names, chunk.mel), flags):
            window.push_voice(done.first, done.vectors, *done.flags.T)
        if self._beside_motion is not None:
            steps = dict.fromkeys(self._beside_motion.names, chunk.mel)
            for done in self._beside_motion.push(chunk.first, steps, flags):
                window.push_beside_motion(done.first, done.vectors)
