"""A recording followed from end to end: the face that is seen longest, the voice, and how many faces there are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

from monitor.face.track import FaceTracker, FaceView, Followed
from monitor.types import AudioBlock, MediaItem, VideoFrame
from monitor.voice.stream import VoiceChunk, VoiceStream

T = TypeVar("T")
# A face counts as one of several where it is followed in this share of the frames.
SEVERAL_FACES_SHARE = 0.2


@dataclass(frozen=True, slots=True)
class MainFace(Generic[T]):
    """Views of the main face, each with what was made of it; chunks of the voice; `size` is the median, in pixels."""

    views: list[tuple[FaceView, T]]
    chunks: list[VoiceChunk]
    size: float
    faces: int


def follow_main_face(
    items: Iterable[MediaItem], tracker: FaceTracker, voice: VoiceStream, crop: Callable[[VideoFrame, FaceView], T]
) -> MainFace[T]:
    """Follow every face of a recording, and its voice; `crop` is called for every view when its frame is there."""
    views: list[tuple[FaceView, T]] = []
    chunks: list[VoiceChunk] = []
    face_counts: Counter[int] = Counter()

    def take(seen: Iterable[Followed]) -> None:
        for followed in seen:
            views.extend((view, crop(followed.frame, view)) for view in followed.views)
            face_counts[len(followed.views)] += 1

    for item in items:
        if isinstance(item, VideoFrame):
            take(tracker.push(item))
        elif isinstance(item, AudioBlock) and (chunk := voice.push(item)) is not None:
            chunks.append(chunk)
    take(tracker.settle())
    track = main_track([view for view, _ in views])
    main_views = [(view, cropped) for view, cropped in views if view.track == track]
    size = float(np.median([view.quality.size for view, _ in main_views])) if main_views else 0.0
    return MainFace(main_views, chunks, size, faces_at_once(face_counts))


def faces_at_once(face_counts: Counter[int]) -> int:
    """Compute how many faces were followed at once in at least a fifth of the frames, counted by their faces."""
    enough = SEVERAL_FACES_SHARE * face_counts.total()
    return max(
        (count for count in face_counts if sum(face_counts[c] for c in face_counts if c >= count) >= enough), default=0
    )


def main_track(views: list[FaceView]) -> int:
    """Pick the track with the most face over time, 0 when there is none."""
    weight: Counter[int] = Counter()
    for view in views:
        weight[view.track] += int(view.quality.size)
    return weight.most_common(1)[0][0] if weight else 0
