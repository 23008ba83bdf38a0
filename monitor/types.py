"""The values that travel between the stages: frozen, media with the time at which the sender captured them.

The stages of `monitor.session.session` exchange these and nothing else, so each can be tested, replayed and benchmarked
alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]
ByteArray = NDArray[np.uint8]
BoolArray = NDArray[np.bool_]

TrackKind = Literal["audio", "video"]
_WORD = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")

# Of every `AudioBlock`; decoders resample to it and the voice's front ends take it.
SAMPLE_RATE_HZ = 16_000
MAX_NOTE_LENGTH = 1000


class ClockState(StrEnum):
    """Whether a track's capture time is known, or only estimated from its arrival."""

    MAPPED = "mapped"
    UNKNOWN = "unknown"


class Verdict(StrEnum):
    """The verdict on a participant; `INCONCLUSIVE` always comes with a `Reason`."""

    BONA_FIDE = "bona_fide"
    SUSPECT = "suspect"
    ALERT = "alert"
    INCONCLUSIVE = "inconclusive"


class Reason(StrEnum):
    """Why nothing could be said, or what a suspicion rests on.

    The list is open: a detector or a plug-in from elsewhere brings reasons of its own, and a journal may hold those of
    one that is no longer installed. `Reason("word")` gives a reason for any lower-case word with underscores.
    """

    NO_VIDEO = "no_video"
    NO_AUDIO = "no_audio"
    NO_FACE = "no_face"
    SEVERAL_FACES = "several_faces"
    SEVERAL_VOICES = "several_voices"
    PICTURE_FROZEN = "picture_frozen"
    STILL_MOUTH = "still_mouth"
    SILENCE = "silence"
    NO_SPEECH = "no_speech"
    UNUSUAL_SOUND = "unusual_sound"
    TOO_LITTLE_SPEECH = "too_little_speech"
    REJOINING = "rejoining"
    LOW_QUALITY = "low_quality"
    LOW_FRAME_RATE = "low_frame_rate"
    WARMING_UP = "warming_up"
    NOT_ENROLLED = "not_enrolled"
    NOT_CALIBRATED = "not_calibrated"
    CLOCK_UNKNOWN = "clock_unknown"
    OVERLOADED = "overloaded"
    UNSUPPORTED_CODEC = "unsupported_codec"
    FRAME_TOO_LARGE = "frame_too_large"
    MEDIA_STALLED = "media_stalled"
    DECODER_FAILED = "decoder_failed"
    KEYFRAME_MISSING = "keyframe_missing"
    PICTURE_DAMAGED = "picture_damaged"
    AUDIO_LOSS = "audio_loss"
    LIPS_DISAGREE_WITH_VOICE = "lips_disagree_with_voice"
    IDENTITY_MISMATCH = "identity_mismatch"
    FACE_CHANGES_UNNATURALLY = "face_changes_unnaturally"
    MOVES_UNLIKE_ENROLLED = "moves_unlike_enrolled"
    VOICE_MISMATCH = "voice_mismatch"
    REFERENCE_OUTDATED = "reference_outdated"
    REPLAYED_RECORDING = "replayed_recording"
    # Why a participant whom the platform lists is not watched; `UNSUPPORTED_CODEC` may be why, too.
    NOT_WATCHED = "not_watched"
    END_TO_END_ENCRYPTED = "end_to_end_encrypted"
    CAMERA_OFF = "camera_off"
    MUTED = "muted"
    PAUSED_BY_USER = "paused_by_user"
    SCREEN_SHARE_ONLY = "screen_share_only"
    PHONE_AUDIO_ONLY = "phone_audio_only"
    WAITING_FOR_PUBLISHER = "waiting_for_publisher"
    SOURCE_LOST = "source_lost"
    HOST_LOST = "host_lost"
    HOST_DRAINED = "host_drained"

    @classmethod
    def _missing_(cls, value: object) -> Reason | None:
        if not isinstance(value, str) or not _WORD.fullmatch(value):
            return None
        reason = str.__new__(cls, value)
        reason._name_, reason._value_ = value.upper(), value
        # Known from now on, so that equal words are one object, as enumerations promise. Kept out of iteration.
        return cls._value2member_map_.setdefault(value, reason)  # type: ignore[return-value]


@dataclass(frozen=True, slots=True)
class Stamp:
    """When something was captured; all times in seconds.

    `media` is seconds on the track's own continuous timeline (unwrapped RTP time or file pts; never steps back,
    survives SSRC switches). `capture` is seconds on the sender's clock, shared by the tracks of one participant.
    `uncertainty` is the half-width in seconds of the interval that holds the true capture time. `arrival` is this
    process's monotonic clock (virtual in a replay). `delay` is by how many seconds media of this capture time arrive
    later at the least, but for a constant that is the same for all tracks; 0.0 where it is not known.
    """

    media: float
    capture: float
    uncertainty: float
    state: ClockState
    arrival: float
    delay: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class VideoFrame:
    """One decoded picture: planar 4:2:0, uint8, limited range unless `full_range`.

    Shapes (H, W) and (H/2, W/2) twice. A `damaged` picture does not show all that the sender shows, since pictures
    before it were lost: it is no evidence.
    """

    stamp: Stamp
    y: ByteArray
    u: ByteArray
    v: ByteArray
    full_range: bool = False
    damaged: bool = False

    @property
    def width(self) -> int:
        """Width in pixels."""
        return int(self.y.shape[1])

    @property
    def height(self) -> int:
        """Height in pixels."""
        return int(self.y.shape[0])


@dataclass(frozen=True, slots=True, eq=False)
class AudioBlock:
    """Mono audio at 16 kHz, float32 in [-1, 1], shape (N,); the stamp is that of the first sample.

    `pause` is for how many seconds the sender is known to have sent nothing before it because there was nothing to
    hear (discontinuous transmission): silence, and not a loss.
    """

    stamp: Stamp
    samples: FloatArray
    pause: float = 0.0


@dataclass(frozen=True, slots=True)
class TrackFault:
    """A fault of a track, whose stream goes on. `detail` is one plain sentence without names or SDP.

    It is told when it begins and holds until the track comes again, or until another one is told. `OVERLOADED` and
    `AUDIO_LOSS`, which media may come beside, are told again and again while they last.
    """

    track: TrackKind
    reason: Reason
    detail: str
    arrival: float


MediaItem = VideoFrame | AudioBlock | TrackFault


class Aspect(StrEnum):
    """What of somebody a detector looks at; they are shown side by side."""

    FACE = "face"
    VOICE = "voice"
    MOVEMENT = "movement"
    LIPS = "lips"


@dataclass(frozen=True, slots=True)
class BriefScore:
    """One detector's word on the newest part of a window: a value and its p-value, None where there is too little.

    In a `fused` value other measures are joined with what the whole window's score measures; `slope` is by how much it
    rises when that rises by one.
    """

    value: float | None = None
    p_value: float | None = None
    seconds: float = 0.0
    fused: bool = False
    slope: float = 1.0


@dataclass(frozen=True, slots=True)
class Score:
    """One detector's word on one window: a value (higher is more suspicious) or a reason why there is none.

    `one_sided` detectors can raise suspicion and never clear it: a low value is not evidence of a genuine person.
    `p_value` is filled by calibration; evidence holds only JSON values. `cause` is what a suspicion of this score rests
    on. While a detector that `withholds` finds somebody unusual, no other detector clears them. What `needs_identity`
    compares with the claimed identity and says nothing of any other. What a detector with `brief` windows says of them
    is added up in place of its whole windows. `aspect` is what of the participant it looks at, and `changed` whether
    that is another than at the start of this call, None where it is not known.
    """

    detector: str
    value: float | None
    reason: Reason | None = None
    p_value: float | None = None
    one_sided: bool = False
    evidence: Mapping[str, Any] = field(default_factory=dict)
    cause: Reason | None = None
    withholds: bool = False
    needs_identity: bool = False
    brief: BriefScore | None = None
    aspect: Aspect | None = None
    changed: bool | None = None


class Claim(StrEnum):
    """By what a participant is taken to claim an identity: said so, or by a rule, the surest first."""

    STATED = "stated"
    PLATFORM_ID = "platform_id"
    VERIFIED_EMAIL = "verified_email"
    ACCOUNT = "account"
    DISPLAY_NAME = "display_name"


@dataclass(frozen=True, slots=True)
class Profile:
    """What a platform says of who a participant is. Nothing of it is shown by `repr`, so that none of it is logged.

    `display_name` is what others in the call read, and is chosen by whoever bears it. `platform_id` and `account` are
    the platform's own; an e-mail address counts only where the platform has verified it. `plugin` is the way in, which
    the sidecar sets.
    """

    display_name: str | None = field(default=None, repr=False)
    platform_id: str | None = field(default=None, repr=False)
    verified_email: str | None = field(default=None, repr=False)
    account: str | None = field(default=None, repr=False)
    plugin: str | None = None


@dataclass(frozen=True, slots=True)
class ParticipantKey:
    """A participant of a call and the identity that they claim, if any; `claim` is by what, and names nobody else."""

    call: str
    participant: str
    identity: str | None = None
    claim: Claim | None = field(default=None, compare=False)


class ActionKind(StrEnum):
    """What can be done in a platform's call on behalf of whoever decided it."""

    MUTE = "mute"
    REMOVE = "remove"
    SAY = "say"
    END_CALL = "end_call"


@dataclass(frozen=True, slots=True)
class Action:
    """Something to be done in a call: to a participant, or, by `SAY` and `END_CALL`, to the room that they are in.

    `text` is what `SAY` tells everybody there, of at most `MAX_NOTE_LENGTH` characters; no other action has one.
    """

    kind: ActionKind
    text: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        """Hold the text to what a note may be; raises `ValueError`."""
        if bool(self.text.strip()) is not (self.kind is ActionKind.SAY) or len(self.text) > MAX_NOTE_LENGTH:
            raise ValueError(f"a note has 1 to {MAX_NOTE_LENGTH} characters, and only {ActionKind.SAY} takes one")


def rfc3339(time: datetime) -> str:
    """Render a time in RFC 3339, UTC with milliseconds, for example `2026-03-01T12:00:00.250Z`."""
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def parse_rfc3339(text: str) -> datetime:
    """Parse the time that `rfc3339` wrote; aware, in UTC."""
    return datetime.fromisoformat(text)
