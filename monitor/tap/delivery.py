"""Why nothing of a track is decoded, by what its packets do: always the cause, never what follows from it. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from monitor.types import Reason, TrackKind

# Of the time after which a track has stalled; while packets come, what is wrong with them is known sooner.
_CAUSE_SHARE = 0.5
# Fewer may be stray.
MIN_UNKNOWN_PACKETS = 5


@dataclass(frozen=True, slots=True)
class Delivery:
    """What one track does, in seconds: `heard_age` since the last packet, `decoded_age` since media were decoded.

    `unknown_age` is since the last packet of a codec that was not agreed on, of which `unknown_packets` came.
    `decoder_fault` is what the decoder said of the newest frames, `needs_key` that pictures wait for a key frame, and
    `is_silent` that the sender of sound says that it sends none.
    """

    decoded_age: float
    heard_age: float
    unknown_age: float
    unknown_packets: int = 0
    decoder_fault: Reason | None = None
    needs_key: bool = False
    is_silent: bool = False

    def cause(self, stall_seconds: float) -> Reason | None:
        """Say why nothing is decoded; None where something is, or where it is too early to say."""
        if self.decoded_age < _CAUSE_SHARE * stall_seconds:
            return None
        if self.heard_age < stall_seconds:
            if self.unknown_packets >= MIN_UNKNOWN_PACKETS and self.unknown_age < stall_seconds:
                return Reason.UNSUPPORTED_CODEC
            if self.decoder_fault is not None:
                return self.decoder_fault
            if self.needs_key:
                return Reason.KEYFRAME_MISSING
        if self.is_silent:
            return Reason.SILENCE
        return Reason.MEDIA_STALLED if self.decoded_age >= stall_seconds else None


def describe(kind: TrackKind, cause: Reason, stall_seconds: float) -> str:
    """Say in a sentence what a cause means for a track."""
    details = {
        Reason.UNSUPPORTED_CODEC: f"the {kind} comes in a codec that was not agreed on",
        Reason.KEYFRAME_MISSING: f"the {kind} has no key frame to begin with",
        Reason.SILENCE: f"the sender reports that it sends no {kind}",
        Reason.MEDIA_STALLED: f"no {kind} has come for {stall_seconds:g} seconds",
    }
    return details.get(cause, f"the {kind} cannot be decoded: {cause.value}")
