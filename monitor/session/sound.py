"""Sound of one participant, encoded into voice vectors of the window."""

from __future__ import annotations

from monitor.session.models import Models
from monitor.types import AudioBlock
from monitor.voice.stream import VoiceStream
from monitor.window.stream_encoder import StreamEncoder
from monitor.window.window import WindowBuffer


class SoundTrack:
    """Makes audio blocks voice vectors in the window."""

    def __init__(self, models: Models) -> None:
        self._stream = VoiceStream(models.input_spec.sound)
        self._encode = StreamEncoder(models.voice)

    def push(self, block: AudioBlock, window: WindowBuffer) -> None:
        """Encode one block; a pause before it is silence that was heard."""
        if block.pause:
            window.push_silence(block.stamp.media - block.pause, block.stamp.media)
        chunk = self._stream.push(block)
        if chunk is None:
            return
        for done in self._encode.push(chunk.first, dict.fromkeys(self._encode.names, chunk.mel), chunk.speech):
            window.push_voice(done.first, done.vectors, done.flags)
