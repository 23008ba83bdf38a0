"""RetinaFace against the shapes and sizes of its papers; it is never trained here."""

from __future__ import annotations

import pytest

pytest.importorskip("torch", reason="the net needs torch: install the extra `train`")

import torch

from engines.nets.retinaface import CHANNELS, Context, Pyramid, ResNet50, RetinaFace, anchors, decode
from tests.engines.towers import parameters


def test_the_trunk_has_the_parameters_of_the_paper_less_its_classifier() -> None:
    # 25.6 M with 1000 classes of 2048 features and a bias.
    assert parameters(ResNet50()) == 25_557_032 - 2049 * 1000


def test_pyramid_and_context_have_those_of_their_filters() -> None:
    sides = (512 + 1024 + 2048) * CHANNELS + 3 * 2 * CHANNELS
    merges = 2 * (9 * CHANNELS * CHANNELS + 2 * CHANNELS)
    assert parameters(Pyramid()) == sides + merges
    quarter = CHANNELS // 4
    norms = 2 * (CHANNELS // 2 + 4 * quarter)
    assert parameters(Context()) == 9 * CHANNELS * (CHANNELS // 2 + quarter) + 27 * quarter * quarter + norms
    assert round(parameters(RetinaFace()) / 1e6, 1) == 27.3


@torch.inference_mode()
def test_every_anchor_is_answered() -> None:
    net = RetinaFace().eval()
    # Not multiples of the largest stride.
    faces, boxes, points = net(torch.randn(2, 3, 70, 100) * 50)
    count = 2 * (9 * 13 + 5 * 7 + 3 * 4)
    assert (faces.shape, boxes.shape, points.shape) == ((2, count), (2, count, 4), (2, count, 10))
    assert bool(((faces > 0) & (faces < 1)).all())
    assert anchors(70, 100).shape == (count, 3)


def test_anchors_lie_in_the_middle_of_their_places_in_the_order_of_the_answers() -> None:
    found = anchors(64, 96)
    assert found[0].tolist() == [4.0, 4.0, 16.0]
    assert found[1].tolist() == [4.0, 4.0, 32.0]
    assert found[2].tolist() == [12.0, 4.0, 16.0]
    assert found[-1].tolist() == [80.0, 48.0, 512.0]


def test_offsets_move_and_stretch_an_anchor() -> None:
    of = torch.tensor([[100.0, 50.0, 20.0]])
    assert decode(of, torch.zeros(1, 1, 4))[0, 0].tolist() == [90.0, 40.0, 110.0, 60.0]
    twice = 5 * torch.log(torch.tensor(2.0))
    moved = decode(of, torch.tensor([[[10.0, -5.0, float(twice), 0.0]]]))[0, 0]
    assert moved.tolist() == pytest.approx([100.0, 30.0, 140.0, 50.0], abs=1e-3)
