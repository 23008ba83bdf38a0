"""Faces through time: one track for each visible face, found by the detector and then followed by its own landmarks.

At most `MAX_TRACKS` faces are followed, small ones beside a large one at a lower rate. The detector runs only while
nobody is followed, and briefly twice a second to notice others. By its `Cadence` a picture may wait for the next one
and lie between the landmarks of both: its mouth is cut all the same.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from engines.base import Engine
from monitor.face.cadence import EVERY, Cadence, mixture
from monitor.face.crops import Region, cut, cut_rgb, sharpness
from monitor.face.detect import Detection, FaceDetector, RescanPlan, SearchPlan, is_same_face
from monitor.face.geometry import Pose, bounding_box, fit_pose, mouth_centre, overlap, rigid_points, speech_shape
from monitor.face.landmarks import FaceLandmarks, region_of
from monitor.face.quality import FaceQuality
from monitor.face.registration import SIDE, shift_between
from monitor.face.smoothing import OneEuro
from monitor.types import ByteArray, FloatArray, Stamp, VideoFrame

MAX_TRACKS = 3
# Sides of the crops in pixels, and of what they show: in eye distances, and in sides of the landmarks' box.
MOUTH_SIZE = 36
FACE_SIZE = 224
MOUTH_SIDE = 1.0
FACE_ENLARGE = 1.3
FACE_INTERVAL_SECONDS = 0.5
# Turn about the whole picture is searched for others, and a piece of it for small ones beside a large face.
RESCAN_INTERVAL_SECONDS = 0.5
# A face much smaller than the largest is followed at a lower rate: enough to see whether it speaks.
SMALL_FACE_SHARE = 0.6
SMALL_FACE_INTERVAL_SECONDS = 0.11
TILES_PER_FRAME = 6
MIN_TRACK_PRESENCE = 0.5
# A face that seems to have gone further within a tenth of a second, in sides of its region, is another picture.
MAX_SHIFT = 1 / 6


def face_region(box: FloatArray, enlarge: float = FACE_ENLARGE) -> Region:
    """Return the square round a face's box (x0, y0, x1, y1), `enlarge` times its longer side."""
    x0, y0, x1, y1 = (float(n) for n in box)
    return Region((x0 + x1) / 2, (y0 + y1) / 2, enlarge * max(x1 - x0, y1 - y0))


def mouth_region(pose: Pose) -> Region:
    """Return the square of the mouth's crop under a head's pose."""
    centre = mouth_centre(pose)
    return Region(float(centre[0]), float(centre[1]), MOUTH_SIDE * pose.scale, pose.roll)


def _moved(region: Region, before: ByteArray, frame: VideoFrame) -> Region:
    """Return where a face lies that lay in a region before, and looked like `before` there.

    Landmarks depend a little on where they are looked for: of a face that has moved on meanwhile they tremble.
    """
    right, down = shift_between(before, cut(frame.y, region, SIDE))
    if math.hypot(right, down) > MAX_SHIFT * SIDE:
        return region
    x, y = region.to_picture(np.array([[0.5 + right / SIDE, 0.5 + down / SIDE]], np.float32))[0].tolist()
    return replace(region, x=x, y=y)


@dataclass(frozen=True, slots=True, eq=False)
class FaceView:
    """One face in one frame.

    `landmarks` (468, 3) pixels; `shape` (168,) lips and jaw with head pose removed, in eye distances; `mouth` (36, 36)
    uint8 luma; `face` (224, 224, 3) uint8 RGB about twice a second, else None.
    """

    track: int
    stamp: Stamp
    landmarks: FloatArray
    pose: Pose
    shape: FloatArray
    mouth: ByteArray
    quality: FaceQuality
    face: ByteArray | None

    @property
    def box(self) -> FloatArray:
        """(x0, y0, x1, y1) in pixels."""
        return bounding_box(self.landmarks)


@dataclass(frozen=True, slots=True, eq=False)
class Followed:
    """A frame with the views of the faces in it, the largest first."""

    frame: VideoFrame
    views: list[FaceView]


@dataclass(frozen=True, slots=True, eq=False)
class _Known:
    """What the newest landmarks of a face were, what its mouth looked like in its `region`, and the whole of it."""

    media: float
    landmarks: FloatArray
    presence: float
    region: Region
    mouth: ByteArray
    face: ByteArray


@dataclass(slots=True)
class _Track:
    number: int
    region: Region
    smooth: OneEuro = field(default_factory=OneEuro)
    box: FloatArray = field(default_factory=lambda: np.zeros(4, np.float32))
    face_due: float = -np.inf
    misses: int = 0
    seen: float = -np.inf
    known: _Known | None = None

    @property
    def height(self) -> float:
        return float(self.box[3] - self.box[1])


class FaceTracker:
    """Tracks the faces of one participant, whose frames are fed in order; cuts face crops unless `faces` is false."""

    def __init__(self, detector: Engine, landmarks: Engine, faces: bool = True, cadence: Cadence = EVERY) -> None:
        self._detect = FaceDetector(detector)
        self._landmarks = FaceLandmarks(landmarks)
        self._faces = faces
        self.cadence = cadence
        self._tracks: list[_Track] = []
        self._next_number = 1
        self._size = (0, 0)
        self._plan = SearchPlan(*self._size)
        self._rescans = RescanPlan(*self._size)
        self._rescan_due = -np.inf
        self._waiting: list[VideoFrame] = []
        self._newest = self._looked = -np.inf

    def __call__(self, frame: VideoFrame) -> list[FaceView]:
        """Return the views of the faces in this frame, the largest first, after all that waited."""
        return self._look([*self._let_go(), frame])[-1].views

    def push(self, frame: VideoFrame) -> list[Followed]:
        """Take a frame; return it and those that waited for it, in order, or nothing where it waits itself."""
        step, self._newest = frame.stamp.media - self._newest, frame.stamp.media
        if self._may_wait(frame, step):
            self._waiting.append(frame)
            return []
        return self._look([*self._let_go(), frame])

    def settle(self) -> list[Followed]:
        """Return what waits, in order: nothing comes after it for now."""
        return self._look(self._let_go()) if self._waiting else []

    @property
    def waits_since(self) -> float | None:
        """When the frame that waits longest arrived; None where none does."""
        return self._waiting[0].stamp.arrival if self._waiting else None

    def _let_go(self) -> list[VideoFrame]:
        waiting, self._waiting = self._waiting, []
        return waiting

    def _may_wait(self, frame: VideoFrame, step: float) -> bool:
        now = frame.stamp.media
        if frame.damaged or not self.cadence.may_wait(now - self._looked, step):
            return False
        if (frame.width, frame.height) != self._size:
            return False
        if now >= self._rescan_due and len(self._tracks) < MAX_TRACKS:
            return False
        is_followed = all(track.known is not None and not track.misses for track in self._tracks)
        return bool(self._tracks) and is_followed and not any(self._wants_crop(track, now) for track in self._tracks)

    def _wants_crop(self, track: _Track, now: float) -> bool:
        return self._faces and now >= track.face_due

    def _look(self, frames: list[VideoFrame]) -> list[Followed]:
        """Follow every face through frames of which all but the last have waited."""
        frame = frames[-1]
        if (frame.width, frame.height) != self._size:
            if len(frames) > 1:
                return [*self._look(frames[:-1]), *self._look(frames[-1:])]
            self._resize(frame.width, frame.height)
        now, looked = frame.stamp.media, self._looked
        self._looked = now
        if not self._tracks:
            self._search(frame, TILES_PER_FRAME)
            self._rescan_due = now + RESCAN_INTERVAL_SECONDS
        elif now >= self._rescan_due and len(self._tracks) < MAX_TRACKS:
            self._rescan_due = now + RESCAN_INTERVAL_SECONDS
            self._admit(self._detect(frame, self._rescans.next(max(track.height for track in self._tracks))))
        due = [track for track in self._tracks if self._is_due(track, now)]
        followed: list[Followed] = [Followed(each, []) for each in frames]
        for track in due:
            for number, view in self._follow(track, frames, looked):
                followed[number].views.append(view)
        return [Followed(each.frame, self._sorted(each.views)) for each in followed]

    def _sorted(self, views: list[FaceView]) -> list[FaceView]:
        return sorted(self._without_duplicates(views), key=lambda view: -view.quality.size)

    def _is_due(self, track: _Track, now: float) -> bool:
        largest = max(other.height for other in self._tracks)
        return track.height > SMALL_FACE_SHARE * largest or now - track.seen >= SMALL_FACE_INTERVAL_SECONDS

    def _resize(self, width: int, height: int) -> None:
        # Calls change their resolution with the network: the same picture in another size keeps its faces.
        scale_x, scale_y = width / max(self._size[0], 1), height / max(self._size[1], 1)
        if abs(scale_x / scale_y - 1) > 0.02:
            self._tracks.clear()
        for track in self._tracks:
            old = track.region
            track.region = Region(old.x * scale_x, old.y * scale_y, old.side * scale_y, old.angle)
            track.box = track.box * np.float32(scale_y)
            track.smooth, track.known = OneEuro(), None
        self._size = (width, height)
        self._plan = SearchPlan(width, height)
        self._rescans = RescanPlan(width, height)

    def _search(self, frame: VideoFrame, budget: int) -> None:
        for _ in range(budget):
            detections = self._detect(frame, next(self._plan))
            if detections:
                self._admit(detections)
                self._plan = SearchPlan(*self._size)
                return

    def _admit(self, detections: list[Detection]) -> None:
        for detection in detections:
            if len(self._tracks) >= MAX_TRACKS:
                return
            if not any(is_same_face(detection.box, track.box) for track in self._tracks):
                self._tracks.append(_Track(self._next_number, detection.region, box=detection.box))
                self._next_number += 1

    def _follow(self, track: _Track, frames: list[VideoFrame], looked: float) -> Iterator[tuple[int, FaceView]]:
        """Follow one face through frames, and give its views by the number of the frame.

        `looked` is the media time of the last landmarks: of a small face that had none then, nothing is seen in the
        frames that waited.
        """
        *between, frame = frames
        known = track.known
        if between and known is not None:
            track.region = _moved(track.region, known.face, frame)
        landmarks, presence = self._landmarks(frame, track.region)
        if between and known is not None and known.media == looked:
            is_lost = presence < MIN_TRACK_PRESENCE or frame.damaged
            for number, each in enumerate(between):
                mixed = None if is_lost else self._mix(track.known or known, each, frame, landmarks, presence)
                view = (
                    self._see(track, each) if mixed is None else self._view(track, each, *mixed, bounding_box(mixed[0]))
                )
                if view is not None:
                    yield number, view
            if is_lost:
                # It may have moved too far for one step.
                landmarks, presence = self._landmarks(frame, track.region)
        if (view := self._take(track, frame, landmarks, presence)) is not None:
            yield len(between), view

    def _mix(
        self, known: _Known, frame: VideoFrame, newest: VideoFrame, landmarks: FloatArray, presence: float
    ) -> tuple[FloatArray, float] | None:
        """Give a frame landmarks and presence between those known and the newest; None if it shows something else."""
        span = newest.stamp.media - known.media
        if not self.cadence.may_mix(span):
            return None
        weight = (frame.stamp.media - known.media) / span
        look, after = (cut(each.y, known.region, MOUTH_SIZE).astype(np.float32) for each in (frame, newest))
        if not self.cadence.is_between(look, known.mouth.astype(np.float32), after, weight):
            return None
        return mixture(known.landmarks, landmarks, weight), min(known.presence, presence)

    def _see(self, track: _Track, frame: VideoFrame) -> FaceView | None:
        return self._take(track, frame, *self._landmarks(frame, track.region))

    def _take(self, track: _Track, frame: VideoFrame, landmarks: FloatArray, presence: float) -> FaceView | None:
        """Take landmarks that were found in a frame; a face that is missed twice is lost."""
        track.seen = frame.stamp.media
        if presence < MIN_TRACK_PRESENCE:
            track.misses += 1
            if track.misses > 1 and track in self._tracks:
                self._tracks.remove(track)
            return None
        track.misses = 0
        track.box = bounding_box(landmarks)
        track.region = region_of(landmarks, track.box)
        view = self._view(track, frame, landmarks, presence, track.box)
        face = cut(frame.y, track.region, SIDE)
        known = _Known(frame.stamp.media, landmarks, presence, mouth_region(view.pose), view.mouth, face)
        # What a picture shows after a loss says nothing of the next.
        track.known = None if frame.damaged else known
        return view

    def _view(
        self, track: _Track, frame: VideoFrame, landmarks: FloatArray, presence: float, box: FloatArray
    ) -> FaceView:
        now = frame.stamp.media
        size = float(box[3] - box[1])
        pose = fit_pose(track.smooth(rigid_points(landmarks), now, max(size, 1.0)))
        yaw, pitch, roll = pose.angles
        mouth = cut(frame.y, mouth_region(pose), MOUTH_SIZE)
        face = None
        if self._wants_crop(track, now):
            track.face_due = now + FACE_INTERVAL_SECONDS
            face = cut_rgb(frame, face_region(box), FACE_SIZE)
        quality = FaceQuality(size, sharpness(mouth), yaw, pitch, roll, presence)
        return FaceView(track.number, frame.stamp, landmarks, pose, speech_shape(landmarks, pose), mouth, quality, face)

    def _without_duplicates(self, views: list[FaceView]) -> list[FaceView]:
        distinct: list[FaceView] = []
        for view in sorted(views, key=lambda v: v.track):
            if any(overlap(view.box, other.box) > 0.5 for other in distinct):
                # Two tracks slid onto one face: the older one keeps it.
                self._tracks = [track for track in self._tracks if track.number != view.track]
            else:
                distinct.append(view)
        return distinct
