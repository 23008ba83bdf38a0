"""What the numbers of RTMS mean to whoever receives a stream: refused handshakes, why a stream has stopped. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

# RTMS_STATUS_CODE: those that somebody can do something about.
BAD_SIGNATURE, DUPLICATE_SIGNALLING, DUPLICATE_MEDIA = 3, 8, 16
REFUSALS: Mapping[int, str] = {
    2: "Zoom does not know this stream any more: it has ended, wait for the next webhook",
    BAD_SIGNATURE: "Zoom refuses the signature: correct client_id and client_secret, of the app whose webhook this is",
    7: "Zoom refuses the media asked for: give the app the scopes for the meeting's audio and video",
    DUPLICATE_SIGNALLING: "another receiver has this stream: run one, or one app for each",
    9: "Zoom gives no audio: give the app the scope meeting:read:meeting_audio",
    10: "Zoom gives no video: give the app the scope meeting:read:meeting_video",
    15: "another receiver has the media of this stream: run one, or one app for each",
    DUPLICATE_MEDIA: "another receiver has the media of this stream: run one, or one app for each",
    45: "Zoom has failed to open the stream: it is tried again",
}
_AUDIO_FIELDS = {19: "content_type", 20: "sample_rate", 21: "channel", 22: "codec", 23: "data_opt", 24: "send_rate"}
_VIDEO_FIELDS = {26: "content_type", 27: "codec", 28: "resolution", 29: "data_opt", 30: "fps"}
# An own connection that broke may be held there for a while: it is tried again, and so is what failed by itself.
RETRIED = frozenset({DUPLICATE_SIGNALLING, 15, DUPLICATE_MEDIA, 45})


def refusal(code: int) -> str:
    """Say in a line what a status code means and what to do."""
    for kind, fields in (("audio", _AUDIO_FIELDS), ("video", _VIDEO_FIELDS)):
        if code in fields:
            return f"Zoom refuses the {kind} parameter {fields[code]}: this version of Sidewitness is too old for it"
    return REFUSALS.get(code, f"Zoom refuses the stream (status {code}): see the app's page in the Marketplace")


@dataclass(frozen=True, slots=True)
class Stop:
    """Why a stream has stopped: a line, whether it is a failure, and whether what was kept of the call is deleted."""

    why: str
    failed: bool = False
    deletes: bool = False


REVOKED = 8
# RTMS_STOP_REASON.
STOPS: Mapping[int, Stop] = {
    1: Stop("the host has stopped the stream"),
    2: Stop("the user has stopped the stream"),
    3: Stop("the app's user has left the meeting"),
    4: Stop("the app's user was removed from the meeting"),
    5: Stop("the host has disabled the app"),
    6: Stop("the meeting has ended"),
    7: Stop("a participant has had the stream stopped"),
    REVOKED: Stop("the stream was revoked: what was kept of this call is deleted", deletes=True),
    9: Stop("the host has disabled every app of the meeting"),
    18: Stop("Zoom does not admit the app: install either its development or its production version", failed=True),
    19: Stop("Zoom waited for us in vain: see the log for why the connection broke", failed=True),
    20: Stop("the stream was closed by us"),
    23: Stop("an administrator has disabled the app: allow it in the account's settings", failed=True),
    24: Stop("Zoom heard no answer to its keep-alives: this machine or its network is too slow", failed=True),
}


def stop(reason: int) -> Stop:
    """Say why a stream has stopped."""
    return STOPS.get(reason, Stop(f"Zoom has ended the stream (stop reason {reason})", failed=reason >= 10))
