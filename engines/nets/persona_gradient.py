"""The gradient of the persona model with respect to its adapter tokens, written out, so that it can be exported.

Personalising runs where torch does not, so the backward pass has to be part of an ONNX graph. Tracing autograd
gives one too, but its graph holds the batch size in hundreds of shapes and takes minutes to be made free of it; these
few rules take seconds. Weights are constant: only what leads back to the tokens is here. Tested against autograd.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from engines.nets.persona import Block, Reconstruction, schedule, window_loss

_EPSILON = 1e-5


@dataclass(frozen=True, slots=True)
class _Normed:
    """A normalised input n of scale (1 + c) and shift, with what its gradient needs."""

    value: Tensor
    inverse: Tensor
    scale: Tensor

    def back(self, changed: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """From the gradient of n (1 + c) + s: those of the input, of c and of s, the latter two summed over places."""
        given = changed * (1 + self.scale)
        inward = given - given.mean(2, keepdim=True) - self.value * (given * self.value).mean(2, keepdim=True)
        return inward * self.inverse, (changed * self.value).sum(1), changed.sum(1)


def _norm(x: Tensor, shift: Tensor, scale: Tensor) -> tuple[Tensor, _Normed]:
    centred = x - x.mean(2, keepdim=True)
    inverse = torch.rsqrt(centred.square().mean(2, keepdim=True) + _EPSILON)
    value = centred * inverse
    return value * (1 + scale) + shift, _Normed(value, inverse, scale)


def _gelu_slope(x: Tensor) -> Tensor:
    inner = math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)
    bend = torch.tanh(inner)
    slope = math.sqrt(2 / math.pi) * (1 + 3 * 0.044715 * x.square())
    return 0.5 * (1 + bend) + 0.5 * x * (1 - bend.square()) * slope


def weight_of(layer: nn.Module) -> Tensor:
    """Give the weight of a linear layer; raises `TypeError` for anything else."""
    if not isinstance(layer, nn.Linear):
        raise TypeError(type(layer).__name__)
    return layer.weight


@dataclass(frozen=True, slots=True)
class _Passed:
    """What one block leaves for its way back."""

    block: Block
    parts: tuple[Tensor, ...]
    first: _Normed
    second: _Normed
    query: Tensor
    keys: Tensor
    values: Tensor
    share: Tensor
    attended: Tensor
    inner: Tensor
    mixed: Tensor

    @classmethod
    def through(
        cls, block: Block, x: Tensor, condition: Tensor, tokens: Tensor, bias: Tensor
    ) -> tuple[Tensor, _Passed]:
        """Pass x on as the block does."""
        parts = block.modulation(condition)[:, None, :].chunk(6, 2)
        seen, first = _norm(x, parts[0], parts[1])
        query, key, value = (block.split(part) for part in block.own(seen).chunk(3, 2))
        asked, given = (block.split(part) for part in block.person(tokens).chunk(2, 2))
        keys, values = torch.cat([key, asked], 2), torch.cat([value, given], 2)
        blocked = nn.functional.pad(bias, (0, tokens.shape[1]))
        share = torch.softmax(query @ keys.transpose(2, 3) / math.sqrt(query.shape[3]) + blocked, 3)
        attended = block.out(block.joined(share @ values))
        x = x + parts[2] * attended
        seen, second = _norm(x, parts[3], parts[4])
        inner = block.mix[0](seen)
        mixed = block.mix[3](nn.functional.gelu(inner, approximate="tanh"))
        passed = cls(block, parts, first, second, query, keys, values, share, attended, inner, mixed)
        return x + parts[5] * mixed, passed

    def back(self, changed: Tensor, tokens: int) -> tuple[Tensor, Tensor, Tensor]:
        """From the gradient of what the block gave: those of its input, of `condition` and of the tokens."""
        block, root = self.block, math.sqrt(self.query.shape[3])
        gate_mix = (changed * self.mixed).sum(1)
        inner = (self.parts[5] * changed) @ weight_of(block.mix[3]) * _gelu_slope(self.inner)
        inward, scale_mix, shift_mix = self.second.back(inner @ weight_of(block.mix[0]))
        changed = changed + inward
        gate = (changed * self.attended).sum(1)
        found = block.split((self.parts[2] * changed) @ weight_of(block.out))
        asked = found @ self.values.transpose(2, 3)
        scores = self.share * (asked - (asked * self.share).sum(3, keepdim=True)) / root
        keys, values = scores.transpose(2, 3) @ self.query, self.share.transpose(2, 3) @ found
        places = self.query.shape[2]
        seen = torch.cat(
            [block.joined(part) for part in (scores @ self.keys, keys[:, :, :places], values[:, :, :places])], 2
        )
        inward, scale, shift = self.first.back(seen @ weight_of(block.own))
        condition = torch.cat([shift, scale, gate, shift_mix, scale_mix, gate_mix], 1) @ weight_of(block.modulation)
        person = torch.cat([block.joined(keys[:, :, places:]), block.joined(values[:, :, places:])], 2)
        return changed + inward, condition, person @ weight_of(block.person)


class TokenGradient(nn.Module):
    """What the pack `persona_tokens` computes: the loss (N, 1) of windows, its gradient (N, P, d) by their tokens."""

    def __init__(self, model: Reconstruction) -> None:
        super().__init__()
        self.model = model

    def forward(
        self, motion: Tensor, voice: Tensor, mask: Tensor, tokens: Tensor, timestep: Tensor, noise: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Loss and gradient; the inputs are those of `Reconstruction`."""
        net, size = self.model.net, self.model.net.shape
        clean = self.model.clean(motion, mask)
        keep, share = schedule(timestep)
        noisy = keep * clean + share * noise
        x, angle, bias = net.enter(noisy, voice, mask, timestep)
        pooled = 0.0 if net.pooled is None else net.pooled(tokens.mean(1))
        before = net.time(angle) + pooled
        condition = nn.functional.silu(before)
        passed: list[_Passed] = []
        for block in net.blocks:
            if not isinstance(block, Block):
                raise TypeError(type(block).__name__)
            x, one = _Passed.through(block, x, condition, tokens, bias)
            passed.append(one)
        shift, scale = net.last_modulation(condition)[:, None, :].chunk(2, 2)
        seen, last = _norm(x, shift, scale)
        denoised = net.leave(net.last(seen), noisy, timestep)
        off = denoised - clean
        error = (off.square() * self.model.weight).mean(2) * mask
        answer = off * self.model.weight * (2 / size.features) * mask[:, :, None]
        answer = answer / mask.sum(1)[:, None, None].clamp_min(1.0)
        if size.target == "v":
            answer = -share * answer
        changed, scale, shift = last.back(answer.reshape(x.shape[0], x.shape[1], -1) @ weight_of(net.last))
        heard = torch.cat([shift, scale], 1) @ weight_of(net.last_modulation)
        gradient = torch.zeros_like(tokens)
        for one in reversed(passed):
            changed, by_condition, by_tokens = one.back(changed, size.tokens)
            heard, gradient = heard + by_condition, gradient + by_tokens
        if net.pooled is not None:
            gate = torch.sigmoid(before)
            heard = heard * gate * (1 + before * (1 - gate))
            gradient = gradient + (heard @ weight_of(net.pooled))[:, None, :] / size.tokens
        return window_loss(error, mask), gradient
