"""Faces through time: one track for each visible face, found by the detector and then followed by its own landmarks.

At most `MAX_TRACKS` faces are followed, small ones beside a large one at a lower rate. The detector runs only while
nobody is followed, and briefly twice a second to notice others.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from engines.base import Engine
from monitor.face.crops import Region, cut, cut_rgb, sharpness
from monitor.face.detect import Detection, FaceDetector, RescanPlan, SearchPlan, is_same_face
from monitor.face.geometry import Pose, bounding_box, fit_pose, mouth_centre, overlap, rigid_points, speech_shape
from monitor.face.landmarks import FaceLandmarks, region_of
from monitor.face.quality import FaceQuality
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


def face_region(box: FloatArray, enlarge: float = FACE_ENLARGE) -> Region:
    """Return the square round a face's box (x0, y0, x1, y1), `enlarge` times its longer side."""
    x0, y0, x1, y1 = (float(n) for n in box)
    return Region((x0 + x1) / 2, (y0 + y1) / 2, enlarge * max(x1 - x0, y1 - y0))


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


@dataclass(slots=True)
class _Track:
    number: int
    region: Region
    smooth: OneEuro = field(default_factory=OneEuro)
    box: FloatArray = field(default_factory=lambda: np.zeros(4, np.float32))
    face_due: float = -np.inf
    misses: int = 0
    seen: float = -np.inf

    @property
    def height(self) -> float:
        return float(self.box[3] - self.box[1])


class FaceTracker:
    """Tracks the faces of one participant, whose frames are fed in order; cuts face crops unless `faces` is false."""

    def __init__(self, detector: Engine, landmarks: Engine, faces: bool = True) -> None:
        self._detect = FaceDetector(detector)
        self._landmarks = FaceLandmarks(landmarks)
        self._faces = faces
        self._tracks: list[_Track] = []
        self._next_number = 1
        self._size = (0, 0)
        self._plan = SearchPlan(*self._size)
        self._rescans = RescanPlan(*self._size)
        self._rescan_due = -np.inf

    def __call__(self, frame: VideoFrame) -> list[FaceView]:
        """Return the views of the faces in this frame, the largest first."""
        if (frame.width, frame.height) != self._size:
            self._resize(frame.width, frame.height)
        now = frame.stamp.media
        if not self._tracks:
            self._search(frame, TILES_PER_FRAME)
            self._rescan_due = now + RESCAN_INTERVAL_SECONDS
        elif now >= self._rescan_due and len(self._tracks) < MAX_TRACKS:
            self._rescan_due = now + RESCAN_INTERVAL_SECONDS
            self._admit(self._detect(frame, self._rescans.next(max(track.height for track in self._tracks))))
        due = [track for track in self._tracks if self._is_due(track, now)]
        views = [view for track in due if (view := self._follow(track, frame)) is not None]
        views = self._without_duplicates(views)
        return sorted(views, key=lambda view: -view.quality.size)

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
            track.smooth = OneEuro()
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

    def _follow(self, track: _Track, frame: VideoFrame) -> FaceView | None:
        track.seen = frame.stamp.media
        landmarks, presence = self._landmarks(frame, track.region)
        if presence < MIN_TRACK_PRESENCE:
            track.misses += 1
            if track.misses > 1:
                self._tracks.remove(track)
            return None
        track.misses = 0
        track.region, track.box = region_of(landmarks), bounding_box(landmarks)
        return self._view(track, frame, landmarks, presence)

    def _view(self, track: _Track, frame: VideoFrame, landmarks: FloatArray, presence: float) -> FaceView:
        now = frame.stamp.media
        size = float(track.box[3] - track.box[1])
        pose = fit_pose(track.smooth(rigid_points(landmarks), now, max(size, 1.0)))
        yaw, pitch, roll = pose.angles
        centre = mouth_centre(pose)
        mouth = cut(
            frame.y, Region(float(centre[0]), float(centre[1]), MOUTH_SIDE * pose.scale, np.radians(roll)), MOUTH_SIZE
        )
        face = None
        if self._faces and now >= track.face_due:
            track.face_due = now + FACE_INTERVAL_SECONDS
            face = cut_rgb(frame, face_region(track.box), FACE_SIZE)
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
