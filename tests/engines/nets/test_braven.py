"""BRAVEn's modules against an independent forward, written out from the published layout."""

from __future__ import annotations

import pytest

pytest.importorskip("torch", reason="importing needs torch: install the extra `train`")

import math

import torch
from torch.nn import functional as F  # noqa: N812

from engines.convert.checkpoints import fill
from engines.nets.braven import BravenContext, BravenLips, BravenVoice, Sizes, sizes_of
from tests.engines.published import (
    SMALL_BRAVEN,
    Tensors,
    batch_norm,
    braven_state,
    layer_norm,
    linear,
    mouth_net,
    resnet18,
)


def encoder(lips: bool) -> Tensors:
    tensors = braven_state(SMALL_BRAVEN, lips)
    return {name.removeprefix("encoder."): value for name, value in tensors.items() if name.startswith("encoder.")}


def place(distance: int, width: int) -> torch.Tensor:
    """Sine and cosine of one distance, in turns."""
    row = torch.zeros(width)
    for pair in range(width // 2):
        angle = distance / 10000 ** (2 * pair / width)
        row[2 * pair], row[2 * pair + 1] = math.sin(angle), math.cos(angle)
    return row


def reference_context(frames: torch.Tensor, tensors: Tensors, heads: int) -> torch.Tensor:
    """The transformer over a whole window of one clip, unit vectors: attention entry by entry."""
    time, width = frames.shape[0], tensors["embed.0.weight"].shape[0]
    size = width // heads
    x = linear(frames, tensors, "embed.0") * width**0.5
    for number in range(len({name.split(".")[1] for name in tensors if name.startswith("encoders.")})):
        at = f"encoders.{number}"
        normed = layer_norm(x, tensors, f"{at}.norm_mha", 1e-12)
        q, k, v = (linear(normed, tensors, f"{at}.self_attn.linear_{p}") for p in "qkv")
        u, w = tensors[f"{at}.self_attn.pos_bias_u"], tensors[f"{at}.self_attn.pos_bias_v"]
        heard = torch.zeros(time, width)
        for head in range(heads):
            part = slice(head * size, (head + 1) * size)
            scores = torch.zeros(time, time)
            for i in range(time):
                for j in range(time):
                    p = linear(place(i - j, width), tensors, f"{at}.self_attn.linear_pos")[part]
                    scores[i, j] = (q[i, part] + u[head]) @ k[j, part] + (q[i, part] + w[head]) @ p
            heard[:, part] = torch.softmax(scores / size**0.5, 1) @ v[:, part]
        x = x + tensors[f"{at}.gamma_mha"] * linear(heard, tensors, f"{at}.self_attn.linear_out")
        level = batch_norm(x.T[None], tensors, f"{at}.norm_ff")[0].T
        inner = linear(level, tensors, f"{at}.feed_forward.w_1").clamp(min=0)
        x = x + tensors[f"{at}.gamma_ff"] * linear(inner, tensors, f"{at}.feed_forward.w_2")
    x = layer_norm(x, tensors, "after_norm", 1e-12)
    return torch.nn.functional.normalize(x, dim=1)


@torch.no_grad()
def test_the_context_is_the_published_transformer() -> None:
    tensors = encoder(lips=True)
    context = BravenContext(sizes_of(tensors))
    fill(context, tensors, "a test")
    frames = torch.randn(11, 512, generator=torch.Generator().manual_seed(1))
    got = context(frames[None], torch.ones(1, 11))[0]
    assert float((got - reference_context(frames, tensors, 4)).abs().max()) < 1e-4


@torch.no_grad()
def test_nobody_attends_to_frames_that_are_not_there() -> None:
    tensors = encoder(lips=False)
    context = BravenContext(sizes_of(tensors))
    fill(context, tensors, "a test")
    frames, mask = torch.randn(1, 12, 512), torch.ones(1, 12)
    mask[:, 8:] = 0
    assert float((context(frames, mask)[:, :8] - context(frames[:, :8], mask[:, :8])).abs().max()) < 1e-4


@torch.no_grad()
def test_the_lips_front_end_is_the_published_one() -> None:
    tensors, lips = encoder(lips=True), BravenLips()
    fill(lips, tensors, "a test")
    mouth = torch.rand(1, 6, 88, 88)
    want = mouth_net((mouth - 0.421) / 0.165, tensors, "frontend.", "frontend.trunk.")
    assert float((lips(mouth) - want).abs().max()) < 1e-4


@torch.no_grad()
def test_the_voice_front_end_is_the_published_one_streamed_too() -> None:
    tensors, voice = encoder(lips=False), BravenVoice()
    fill(voice, tensors, "a test")
    wave = 0.1 * torch.randn(1, 12, 640)
    x = F.conv1d(wave.reshape(1, 1, -1), tensors["frontend.trunk.conv1.weight"], None, 4, 38)
    x = batch_norm(x, tensors, "frontend.trunk.bn1")
    x = resnet18(x * torch.sigmoid(x), tensors, "frontend.trunk.", flat=True)
    want = x.reshape(1, 512, 12, 20).mean(3).transpose(1, 2)
    assert float((voice(wave) - want).abs().max()) < 1e-4
    state, found = torch.zeros(1, voice.state_size), []
    for start in range(0, 12, 4):
        vectors, state = voice.step(wave[:, start : start + 4], state)
        found.append(vectors)
    streamed = torch.cat(found, 1)
    assert float((streamed[:, 2:] - want[:, 1:-1]).abs().max()) < 1e-4


def test_the_published_geometries_are_read_off_the_tensors() -> None:
    base = Sizes(512, 12, 8, 2048)
    assert sizes_of(BravenContext(base).state_dict()) == base
    plain = Sizes(64, 1, 2, 128, batch_norm=False, scaled=False)
    assert sizes_of(BravenContext(plain).state_dict()) == plain
