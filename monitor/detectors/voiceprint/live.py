"""The voice of one participant against the person they claim to be, hop by hop.

Speech is cut into pieces of 1.6 s as it comes and each is encoded once; what is judged are the pieces that lie wholly
within one window, so that two windows that do not overlap share no evidence. What is speech is known a second late, and
so the window is a second older than the others'. Where nobody is claimed, or nobody is enrolled so, nothing is encoded.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from engines.base import Engine
from monitor.detectors.base import Compilation, Hop
from monitor.detectors.parts import PartCache
from monitor.detectors.reference import TemplateError
from monitor.detectors.voiceprint.clip import score_clip
from monitor.detectors.voiceprint.detector import START_PIECES, Heard, VoiceprintDetector
from monitor.detectors.voiceprint.encoder import VoiceEncoder
from monitor.detectors.voiceprint.enrolling import EnrollingVoice
from monitor.detectors.voiceprint.info import INFO
from monitor.detectors.voiceprint.people import VoicePeople
from monitor.detectors.voiceprint.pieces import Piece, SpeechCutter
from monitor.detectors.voiceprint.reference import VoiceReference
from monitor.types import Reason, Score
from monitor.window.grid import GRID_HZ
from monitor.window.window import WindowBuffer

if TYPE_CHECKING:
    from monitor.voice.stream import VoiceChunk

# More than a window holds: whoever is late hears the newest.
MAX_WAITING = 8
# What keeps a voice from being judged: it did not come whole, or it is not clear whose it is.
OBSTACLES = frozenset(
    {
        Reason.NO_AUDIO,
        Reason.AUDIO_LOSS,
        Reason.OVERLOADED,
        Reason.SEVERAL_FACES,
        Reason.MEDIA_STALLED,
        Reason.UNSUPPORTED_CODEC,
        Reason.DECODER_FAILED,
    }
)


class LiveVoiceprint:
    """See `monitor.detectors.base.LiveDetector` and `monitor.detectors.base.Listening`."""

    observe = None

    def __init__(
        self,
        encode: VoiceEncoder | None,
        people: VoicePeople | None,
        window_seconds: float,
        compilation: Compilation,
    ) -> None:
        self._encode, self._compilation = encode, compilation
        self._compilation.prepare()
        self._detector = VoiceprintDetector(people)
        self._parts = PartCache(VoiceReference.from_bytes)
        self._steps = round(window_seconds * GRID_HZ)
        # Of the call's start, whatever comes after a pause: another timeline, so without its steps.
        self._start: tuple[Heard, ...] = ()
        self._begin()

    def _begin(self) -> None:
        self._cutter = SpeechCutter()
        self._waiting: deque[Piece] = deque(maxlen=MAX_WAITING)
        self._heard: list[Heard] = []
        self._scored_until = 0

    def restart(self, buffer: WindowBuffer) -> None:
        """Begin anew: what was said before a pause is of another window."""
        self._begin()

    def listen(self, chunk: VoiceChunk) -> None:
        """Take sound, which comes with what is known of the speech in it."""
        if chunk.restarted:
            # Another timeline: what was heard on the one before has no place on it.
            self._begin()
        self._waiting.extend(self._cutter.push(chunk))

    def score(self, hop: Hop) -> Score:
        """Score this hop."""
        reference = self._parts.read(hop.part)
        unable = self._detector.unable(reference, self._encode.key if self._encode else None)
        if unable is not None or reference is None or self._encode is None:
            self._waiting.clear()
            unreadable = reference is None and hop.part is not None
            return INFO.abstain(Reason.REFERENCE_OUTDATED if unreadable else unable or Reason.NOT_ENROLLED)
        if not self._compilation.ready:
            return INFO.abstain(Reason.WARMING_UP)
        if hop.settled:
            self._waiting.extend(self._cutter.finish())
        self._hear(self._encode)
        if hop.obstacle in OBSTACLES:
            return INFO.abstain(hop.obstacle)
        until = self._cutter.judged
        if until <= self._scored_until:
            return INFO.abstain(Reason.WARMING_UP)
        self._scored_until = until
        over = [piece for piece in self._heard if piece.first < until - self._steps]
        self._start = (*self._start, *over)[:START_PIECES]
        self._heard = [piece for piece in self._heard if piece.first >= until - self._steps]
        return self._detector.score(self._heard, reference, self._start)

    def _hear(self, encode: VoiceEncoder) -> None:
        """Encode what is new; where the engine has no time for it, it is lost."""
        waiting = list(self._waiting)
        self._waiting.clear()
        vectors = encode([piece.samples for piece in waiting])
        pairs = zip(waiting, vectors, strict=True)
        self._heard += [Heard(piece.first, piece.last, vector) for piece, vector in pairs]


@dataclass(frozen=True, slots=True, eq=False)
class LoadedVoiceprint:
    """The encoder of voices and what is known of voices in general; None where not installed."""

    encoder: VoiceEncoder | None
    people: VoicePeople | None
    info = INFO

    def live(self, window_seconds: float, compilation: Compilation) -> LiveVoiceprint:
        """Give what judges one participant."""
        return LiveVoiceprint(self.encoder, self.people, window_seconds, compilation)

    def of_clip(self, scores: Sequence[Score], hop_share: float) -> Score:
        """Make one score of a whole recording from those of its hops."""
        return score_clip(scores, self.people)

    def through(self, wrap: Callable[[Engine], Engine]) -> LoadedVoiceprint:
        """Give the same with the engine wrapped."""
        return replace(self, encoder=self.encoder.through(wrap)) if self.encoder else self

    def is_outdated(self, part: bytes) -> bool:
        """Whether a voice was enrolled by another encoder, or cannot be read."""
        try:
            return VoiceReference.from_bytes(part).key != (self.encoder.key if self.encoder else None)
        except TemplateError:
            return True

    def enrolling(self, one_person: bool) -> EnrollingVoice | None:
        """Give this detector's side of one enrolment; None without the encoder."""
        return EnrollingVoice(self.encoder, self.people) if self.encoder else None
