"""Raw detector outputs become faces in the picture, and a search leaves no place out."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest

from engines.base import Engine
from monitor.face.crops import Region
from monitor.face.detect import (
    DETECTED_SHARE,
    INPUT_PX,
    SECOND_FACE_SHARE,
    Detection,
    FaceDetector,
    RescanPlan,
    SearchPlan,
    anchors,
    decode,
    is_same_face,
    squares,
    suppress,
)
from monitor.types import FloatArray
from tests.monitor.frames import frame


def outputs() -> tuple[FloatArray, FloatArray]:
    return np.zeros((896, 16), np.float32), np.full((896, 1), -100, np.float32)


def test_anchors_are_cell_centres_of_two_grids() -> None:
    detections = anchors()
    assert detections.shape == (896, 2)
    assert detections[0] == pytest.approx([0.5 / 16, 0.5 / 16])
    assert detections[2] == pytest.approx([1.5 / 16, 0.5 / 16])
    assert detections[-1] == pytest.approx([7.5 / 8, 7.5 / 8])


def test_a_detection_lands_where_its_region_lies() -> None:
    boxes, logits = outputs()
    at = int(np.argmin(np.abs(anchors() - 0.53).sum(1)))
    boxes[at, 2:4] = INPUT_PX / 4
    boxes[at, 4:8] = [-INPUT_PX / 16, 0, INPUT_PX / 16, 0]
    logits[at] = 4
    region = Region(400, 300, 200)
    (face,) = decode(boxes, logits, region)
    centre = region.to_picture(anchors()[at][None])[0]
    assert face.score == pytest.approx(1 / (1 + np.exp(-4)))
    assert face.box == pytest.approx([*(centre - 25), *(centre + 25)])
    assert face.keypoints[:2] == pytest.approx(centre + np.array([[-12.5, 0], [12.5, 0]]))
    assert (face.region.x, face.region.y) == pytest.approx(tuple(centre))
    assert face.region.side == pytest.approx(75)
    assert face.region.angle == pytest.approx(0)


def test_level_eyes_are_what_a_tilted_face_is_turned_to() -> None:
    points = np.zeros((6, 2), np.float32)
    points[1] = [10, 10]
    assert Detection(np.array([0, 0, 20, 30], np.float32), points, 0.9).region.angle == pytest.approx(np.pi / 4)


def test_nothing_above_the_threshold_is_no_face() -> None:
    boxes, logits = outputs()
    assert decode(boxes, logits, Region(0, 0, 1)) == []


def face(x: float, score: float) -> Detection:
    return Detection(np.array([x, 0, x + 10, 10], np.float32), np.zeros((6, 2), np.float32), score)


def test_of_overlapping_faces_the_surest_stays() -> None:
    selected = suppress([face(1, 0.6), face(0, 0.9), face(40, 0.7)])
    assert [candidate.score for candidate in selected] == [0.9, 0.7]


@pytest.mark.parametrize(
    ("width", "height", "side"), [(1280, 720, 720), (1280, 720, 240), (320, 240, 500), (91, 300, 91)]
)
def test_squares_leave_no_place_out(width: int, height: int, side: int) -> None:
    seen = np.zeros((height, width), np.bool_)
    for region in squares(width, height, side):
        x, y, half = int(region.x), int(region.y), side // 2 + 1
        seen[max(y - half, 0) : y + half, max(x - half, 0) : x + half] = True
    assert seen.all()


def test_the_middle_is_searched_first() -> None:
    detections = squares(1280, 720, 240)
    assert abs(detections[0].x - 640) <= 120
    assert abs(detections[0].y - 360) <= 120


def test_a_search_starts_whole_gets_finer_and_never_ends() -> None:
    plan = list(islice(SearchPlan(1280, 720), 200))
    assert plan[0] == Region(640, 360, 1280)
    again = plan.index(plan[0], 1)
    assert [region.side for region in plan[:again]] == sorted((region.side for region in plan[:again]), reverse=True)
    assert {region.side for region in plan} == {1280, 720, 360, 240}
    assert iter(SearchPlan(4, 4)) is not None


def test_a_small_picture_is_not_cut_finer_than_the_detector_sees() -> None:
    assert {region.side for region in islice(SearchPlan(320, 240), 50)} == {320, 240}
    assert {region.side for region in islice(SearchPlan(100, 60), 50)} == {100, 60}


@pytest.mark.parametrize("height", [60.0, 200.0, 400.0, 900.0])
def test_beside_a_face_the_whole_picture_and_pieces_take_turns(height: float) -> None:
    plan = RescanPlan(1280, 720)
    regions = [plan.next(height) for _ in range(600)]
    assert set(regions[::2]) == {Region(640, 360, 1280)}
    sides = {region.side for region in regions[1::2]}
    # A face of a quarter of this one's height is large enough in a piece to be seen, where a piece can be so large.
    assert len(sides) == 1
    assert INPUT_PX <= min(sides) <= 720
    assert max(sides) <= max(SECOND_FACE_SHARE * height * DETECTED_SHARE + 1, INPUT_PX)
    seen = np.zeros((720, 1280), np.bool_)
    for region in regions[1::2]:
        x, y, half = int(region.x), int(region.y), int(region.side) // 2 + 1
        seen[max(y - half, 0) : y + half, max(x - half, 0) : x + half] = True
    assert seen.all()


@pytest.mark.parametrize(
    ("other", "same"),
    [((0, 0, 100, 100), True), ((40, 40, 60, 60), True), ((-300, -300, 400, 400), True), ((80, 80, 200, 200), False)],
)
def test_a_part_of_a_face_is_no_other_face(other: tuple[int, int, int, int], same: bool) -> None:
    box, found = np.array([0, 0, 100, 100], np.float32), np.array(other, np.float32)
    assert is_same_face(box, found) == is_same_face(found, box) == same


def test_noise_holds_no_face(detector: Engine) -> None:
    noise = np.random.default_rng(0).integers(16, 236, (240, 320)).astype(np.uint8)
    assert FaceDetector(detector)(frame(noise), Region(160, 120, 320)) == []
