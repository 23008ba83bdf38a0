"""From which picture on a stream can be decoded, and which of its pictures are damaged. Pure: a state machine.

After a loss the pictures wait for one that can be decoded by itself: a key frame, or, where an encoder refreshes the
picture bit by bit, a recovery point (H.264 sections D.1.8 and D.2.8), after which so many pictures are damaged yet.
Where none comes though it is asked for, pictures are decoded after some seconds all the same, with what is missing
concealed by the decoder, and all of them are damaged.
"""

from __future__ import annotations

from dataclasses import dataclass

from monitor.tap.media.headers import is_key, is_reference, recovery_frames
from monitor.tap.media.parameter_sets import ParameterSets

# A recovery that takes longer than this many pictures is none: a key frame is asked for meanwhile.
MAX_RECOVERY_FRAMES = 600


@dataclass(frozen=True, slots=True)
class Admitted:
    """A picture for the decoder, with the parameter sets that it needs; `damaged` where it will not show all."""

    data: bytes
    damaged: bool


class EntryPoint:
    """Says of each picture of one stream, in order, whether it may be decoded; times are seconds.

    `waiting` says that a key frame is needed and to be asked for.
    """

    def __init__(self, conceal_seconds: float) -> None:
        self.waiting = True
        self._conceal_seconds = conceal_seconds
        self._since: float | None = None
        # Reference pictures until the recovery point is reached, and whether the decoder has anything to go on from.
        self._recovering = 0
        self._begun = False
        self._sets = ParameterSets()
        self._introduced = False

    def lose(self, now: float) -> None:
        """Note that a picture before the next one is missing or was not decoded."""
        if not self.waiting:
            self._since = now
        self.waiting, self._recovering, self._introduced = True, 0, False

    def admit(self, codec: str, data: bytes, offered: ParameterSets, now: float) -> Admitted | None:
        """Take the next picture; None where it cannot be decoded.

        `offered` are the parameter sets of the stream's SDP: they count where the stream has none of the same number.
        """
        if codec == "H264":
            self._sets = self._sets.updated(data)
        if self.waiting:
            self._enter(codec, data)
        if not self.waiting:
            damaged = self._recovering > 0
            if damaged and is_reference(data):
                self._recovering -= 1
            return Admitted(self._introduce(codec, data, offered), damaged)
        self._since = now if self._since is None else self._since
        can_conceal = self._begun or bool(codec == "H264" and (self._sets.units or offered.units))
        if now - self._since < self._conceal_seconds or not can_conceal:
            return None
        return Admitted(self._introduce(codec, data, offered), True)

    def _enter(self, codec: str, data: bytes) -> None:
        """Go on where this picture can be decoded by itself."""
        frames = 0 if is_key(codec, data) else recovery_frames(data) if codec == "H264" else None
        if frames is not None and frames <= MAX_RECOVERY_FRAMES:
            self.waiting, self._since, self._recovering, self._begun = False, None, frames, True

    def _introduce(self, codec: str, data: bytes, offered: ParameterSets) -> bytes:
        """Put the parameter sets before the first picture that the decoder is given after a loss."""
        if self._introduced or codec != "H264":
            return data
        self._introduced = True
        return ParameterSets({**offered.units, **self._sets.units}).before(data)
