"""Checkpoints shaped like the published ones, with random weights, and what tests need to read them independently."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from engines.nets import avhubert, braven

Tensors = dict[str, Tensor]
SMALL = avhubert.Sizes(128, 2, 256, 16, 4)
BASE = avhubert.Sizes(768, 12, 3072)
SMALL_BRAVEN = braven.Sizes(64, 2, 4, 128)


def random_state(module: nn.Module, seed: int) -> Tensors:
    """A state dict of lively numbers: batch statistics and scales too, or nothing would test that they are used."""
    random = torch.Generator().manual_seed(seed)
    out = {}
    for name, value in module.state_dict().items():
        noise = torch.randn(value.shape, generator=random)
        if name.endswith("num_batches_tracked"):
            out[name] = value
        elif name.endswith("running_var"):
            out[name] = 0.5 + noise.abs()
        elif value.ndim < 2:
            out[name] = (1 if name.endswith("weight") else 0) + 0.2 * noise
        else:
            out[name] = noise / value[0].numel() ** 0.5
    return out


def avhubert_state(sizes: avhubert.Sizes, prefix: str = "", seed: int = 0) -> Tensors:
    """A state dict as AV-HuBERT publishes it, with the tensors that are dropped."""
    parts = (
        ("feature_extractor_video.", avhubert.AvHubertLips(sizes.width)),
        ("feature_extractor_audio.", avhubert.AvHubertVoice(sizes.width)),
        ("", avhubert.AvHubertContext(sizes, "lips")),
    )
    tensors = {
        f"{prefix}{part}{name}": value
        for number, (part, module) in enumerate(parts)
        for name, value in random_state(module, seed + number).items()
    }
    return tensors | {f"{prefix}mask_emb": torch.zeros(sizes.width), f"{prefix}final_proj.weight": torch.zeros(4, 4)}


def braven_state(sizes: braven.Sizes, lips: bool, seed: int = 0) -> Tensors:
    """A state dict as BRAVEn publishes it, with a decoder that is dropped."""
    front = braven.BravenLips() if lips else braven.BravenVoice()
    tensors = random_state(front, seed) | random_state(braven.BravenContext(sizes), seed + 1)
    return {f"encoder.{name}": value for name, value in tensors.items()} | {"ctc.ctc_lo.weight": torch.zeros(2, 2)}


def batch_norm(x: Tensor, tensors: Tensors, name: str, eps: float = 1e-5) -> Tensor:
    """Batch normalisation with the kept statistics, over axis 1, written out."""
    shape = (1, -1, *([1] * (x.ndim - 2)))
    mean, var = tensors[f"{name}.running_mean"].reshape(shape), tensors[f"{name}.running_var"].reshape(shape)
    scaled = (x - mean) / (var + eps).sqrt()
    return scaled * tensors[f"{name}.weight"].reshape(shape) + tensors[f"{name}.bias"].reshape(shape)


def layer_norm(x: Tensor, tensors: Tensors, name: str, eps: float = 1e-5) -> Tensor:
    """Layer normalisation over the last axis, written out."""
    centred = x - x.mean(-1, keepdim=True)
    scaled = centred / (centred.pow(2).mean(-1, keepdim=True) + eps).sqrt()
    return scaled * tensors[f"{name}.weight"] + tensors[f"{name}.bias"]


def linear(x: Tensor, tensors: Tensors, name: str) -> Tensor:
    """A linear map, written out."""
    bias = tensors.get(f"{name}.bias")
    return x @ tensors[f"{name}.weight"].T + (0 if bias is None else bias)


def resnet18(x: Tensor, tensors: Tensors, name: str, flat: bool = False) -> Tensor:
    """The eight blocks, by `functional`: PReLU where the state dict has slopes, else x * sigmoid(x)."""
    conv = F.conv1d if flat else F.conv2d

    def act(x: Tensor, key: str) -> Tensor:
        slopes = tensors.get(f"{key}.weight")
        return x * torch.sigmoid(x) if slopes is None else F.prelu(x, slopes)

    for layer in (1, 2, 3, 4):
        for block in (0, 1):
            at = f"{name}layer{layer}.{block}"
            stride = 2 if layer > 1 and block == 0 else 1
            y = act(
                batch_norm(conv(x, tensors[f"{at}.conv1.weight"], None, stride, 1), tensors, f"{at}.bn1"), f"{at}.relu1"
            )
            y = batch_norm(conv(y, tensors[f"{at}.conv2.weight"], None, 1, 1), tensors, f"{at}.bn2")
            if f"{at}.downsample.0.weight" in tensors:
                x = batch_norm(
                    conv(x, tensors[f"{at}.downsample.0.weight"], None, stride), tensors, f"{at}.downsample.1"
                )
            x = act(x + y, f"{at}.relu2")
    return x


def mouth_net(mouth: Tensor, tensors: Tensors, name: str, trunk: str) -> Tensor:
    """Standardised mouths (B, T, 88, 88) to (B, T, 512), by `functional`."""
    x = F.conv3d(mouth[:, None], tensors[f"{name}frontend3D.0.weight"], None, (1, 2, 2), (2, 3, 3))
    x = batch_norm(x, tensors, f"{name}frontend3D.1")
    slopes = tensors.get(f"{name}frontend3D.2.weight")
    x = x * torch.sigmoid(x) if slopes is None else F.prelu(x, slopes)
    x = F.max_pool3d(x, (1, 3, 3), (1, 2, 2), (0, 1, 1))
    frames = [resnet18(x[:, :, t], tensors, trunk).mean((2, 3)) for t in range(x.shape[2])]
    return torch.stack(frames, 1)
