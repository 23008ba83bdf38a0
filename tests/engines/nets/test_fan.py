"""2D-FAN against the shapes and sizes of its paper; it is never trained here."""

from __future__ import annotations

import pytest

pytest.importorskip("torch", reason="the net needs torch: install the extra `train`")

import torch

from engines.nets.fan import FAN, Block, Hourglass, places
from tests.engines.towers import parameters


def test_four_hourglasses_have_the_parameters_of_the_paper() -> None:
    # The paper: 24 M with four and 6 M with one.
    assert round(parameters(FAN()) / 1e6) == 24
    assert round(parameters(FAN(1)) / 1e6) == 6


def test_an_hourglass_has_three_blocks_a_size_and_one_inside() -> None:
    block = 9 * (256 * 128 + 128 * 64 + 64 * 64) + 2 * (256 + 128 + 64)
    assert parameters(Block(256, 256)) == block
    assert parameters(Hourglass(4)) == 13 * block


@torch.inference_mode()
def test_maps_are_a_quarter_of_the_face() -> None:
    assert FAN(2).eval()(torch.rand(1, 3, 64, 64)).shape == (1, 68, 16, 16)


@torch.inference_mode()
def test_what_the_first_hourglass_saw_reaches_the_second() -> None:
    torch.manual_seed(1)
    net, face = FAN(2).eval(), torch.rand(1, 3, 64, 64)
    before = net(face)
    net.stacks[0].maps.weight.mul_(2.0)  # type: ignore[union-attr,operator]
    assert float((net(face) - before).abs().max()) > 1e-6


def test_a_place_is_the_highest_of_its_map_and_a_quarter_towards_the_slope() -> None:
    maps = torch.zeros(1, 3, 64, 64)
    maps[0, 0, 10, 20], maps[0, 0, 10, 21], maps[0, 0, 9, 20] = 5.0, 1.0, 1.0
    maps[0, 1, 0, 63], maps[0, 1, 1, 63] = 2.0, 1.0
    maps[0, 2, 30, 30] = 1.0
    found = places(maps)[0]
    assert found[0].tolist() == [(20 + 0.25 + 0.5) * 4, (10 - 0.25 + 0.5) * 4]
    # At the edge the map goes on as it ends there.
    assert found[1].tolist() == [(63 + 0.25 + 0.5) * 4, (0 - 0.25 + 0.5) * 4]
    assert found[2].tolist() == [30.5 * 4, 30.5 * 4]
