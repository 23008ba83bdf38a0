"""AV-HuBERT's modules against an independent forward, written out from the documented layer shapes."""

from __future__ import annotations

import pytest

pytest.importorskip("torch", reason="importing needs torch: install the extra `train`")

import math

import torch
from torch.nn import functional as F  # noqa: N812

from engines.convert.checkpoints import fill
from engines.nets.avhubert import AvHubertContext, AvHubertLips, AvHubertVoice, Modality, Sizes, sizes_of
from tests.engines.published import BASE, SMALL, Tensors, avhubert_state, layer_norm, linear, mouth_net


def under(tensors: Tensors, prefix: str) -> Tensors:
    return {name[len(prefix) :]: value for name, value in tensors.items() if name.startswith(prefix)}


def reference_context(frames: torch.Tensor, tensors: Tensors, modality: Modality, heads: int) -> torch.Tensor:
    """The transformer of a fine-tuned checkpoint over a whole window, unit vectors: no mask, no module."""
    width = frames.shape[2]
    audio, video = torch.zeros_like(frames), torch.zeros_like(frames)
    if modality == "lips":
        video = frames
    else:
        audio = frames
    x = linear(layer_norm(torch.cat([audio, video], 2), tensors, "layer_norm"), tensors, "post_extract_proj")
    v, g = tensors["encoder.pos_conv.0.weight_v"], tensors["encoder.pos_conv.0.weight_g"]
    weight = torch.empty_like(v)
    for tap in range(v.shape[2]):
        weight[:, :, tap] = v[:, :, tap] / v[:, :, tap].norm() * g[0, 0, tap]
    groups, kernel = width // v.shape[1], v.shape[2]
    y = F.conv1d(x.transpose(1, 2), weight, tensors["encoder.pos_conv.0.bias"], 1, kernel // 2, 1, groups)
    y = y[:, :, : x.shape[1]]
    x = x + (y * 0.5 * (1 + torch.erf(y / math.sqrt(2)))).transpose(1, 2)
    for number in range(len({name.split(".")[2] for name in tensors if name.startswith("encoder.layers.")})):
        at = f"encoder.layers.{number}"
        normed = layer_norm(x, tensors, f"{at}.self_attn_layer_norm")
        q, k, v = (linear(normed, tensors, f"{at}.self_attn.{p}_proj") for p in "qkv")
        size, heard = width // heads, []
        for head in range(heads):
            part = slice(head * size, (head + 1) * size)
            scores = q[..., part] * size**-0.5 @ k[..., part].transpose(1, 2)
            heard.append(scores.exp() / scores.exp().sum(2, keepdim=True) @ v[..., part])
        x = x + linear(torch.cat(heard, 2), tensors, f"{at}.self_attn.out_proj")
        y = linear(layer_norm(x, tensors, f"{at}.final_layer_norm"), tensors, f"{at}.fc1")
        x = x + linear(y * 0.5 * (1 + torch.erf(y / math.sqrt(2))), tensors, f"{at}.fc2")
    x = layer_norm(x, tensors, "encoder.layer_norm")
    return torch.nn.functional.normalize(x, dim=2)


@torch.no_grad()
@pytest.mark.parametrize("modality", ["lips", "voice"])
def test_the_context_is_the_documented_transformer(modality: Modality) -> None:
    tensors = avhubert_state(SMALL)
    context = AvHubertContext(SMALL, modality)
    fill(context, tensors, "a test")
    frames = torch.randn(2, 23, SMALL.width, generator=torch.Generator().manual_seed(1))
    want = reference_context(frames, tensors, modality, 2)
    assert float((context(frames, torch.ones(2, 23)) - want).abs().max()) < 1e-4


@torch.no_grad()
def test_frames_that_are_not_there_are_beyond_the_ends() -> None:
    tensors = avhubert_state(SMALL)
    context = AvHubertContext(SMALL, "lips")
    fill(context, tensors, "a test")
    frames, mask = torch.randn(1, 30, SMALL.width), torch.ones(1, 30)
    mask[:, :5] = mask[:, -7:] = 0
    inner = context(frames[:, 5:-7], mask[:, 5:-7])
    assert float((context(frames, mask)[:, 5:-7] - inner).abs().max()) < 1e-4
    assert torch.isfinite(context(frames, torch.zeros(1, 30))).all()


@torch.no_grad()
def test_the_front_ends_are_the_documented_ones() -> None:
    tensors = avhubert_state(SMALL)
    video, audio = under(tensors, "feature_extractor_video."), under(tensors, "feature_extractor_audio.")
    lips, voice = AvHubertLips(SMALL.width), AvHubertVoice(SMALL.width)
    fill(lips, video, "a test")
    fill(voice, audio, "a test")
    mouth, fbank = torch.rand(1, 9, 88, 88), torch.randn(1, 9, 104)
    standard = (mouth - 0.421) / 0.165
    want = linear(mouth_net(standard, video, "resnet.", "resnet.trunk."), video, "proj")
    assert float((lips(mouth) - want).abs().max()) < 1e-4
    assert float((voice(fbank) - linear(fbank, audio, "proj")).abs().max()) < 1e-4


@torch.no_grad()
def test_a_stream_of_mouths_is_the_clip() -> None:
    lips = AvHubertLips(SMALL.width)
    fill(lips, under(avhubert_state(SMALL), "feature_extractor_video."), "a test")
    mouth, state, found = torch.rand(1, 20, 88, 88), torch.zeros(1, lips.state_size), []
    for start in range(0, 20, 5):
        vectors, state = lips.step(mouth[:, start : start + 5], state)
        found.append(vectors)
    streamed, whole = torch.cat(found, 1), lips(mouth)
    assert float((streamed[:, lips.reach :] - whole[:, : -lips.reach]).abs().max()) < 1e-4


@torch.no_grad()
def test_the_base_geometry_is_read_off_the_published_shapes() -> None:
    context = AvHubertContext(BASE, "lips")
    shapes = {name: tuple(value.shape) for name, value in context.state_dict().items()}
    assert shapes["encoder.pos_conv.0.weight_v"] == (768, 48, 128)
    assert shapes["encoder.pos_conv.0.weight_g"] == (1, 1, 128)
    assert shapes["post_extract_proj.weight"] == (768, 1536)
    assert shapes["encoder.layers.11.fc1.weight"] == (3072, 768)
    assert sizes_of(context.state_dict()) == BASE
    assert BASE.heads == 12
    assert Sizes(1024, 24, 4096).heads == 16
    assert context(torch.randn(1, 30, 768), torch.ones(1, 30)).shape == (1, 30, 768)
    assert AvHubertLips(768).state_dict()["resnet.trunk.layer4.0.downsample.0.weight"].shape == (512, 256, 1, 1)
