"""What lets a convolution over time run on a whole clip or on a stream, without knowing which.

A network asks its `Memory` for the frames around the ones it was given. Over a whole clip these are zeros; over a
stream they are the last frames of the same layer, which travel as one flat vector a batch row (as in `streaming`), so
that each frame passes each layer once and the answer comes late by the network's reach.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn


class Memory:
    """For one pass: `state` (B, N) of a stream, or None over a whole clip."""

    def __init__(self, state: Tensor | None = None, measuring: bool = False) -> None:
        self._state = state
        self._measuring = measuring
        self._at = 0
        self._saved: list[Tensor] = []

    @property
    def size(self) -> int:
        """Numbers of state that were asked for so far."""
        return self._at

    def state(self) -> Tensor:
        """Give what the next frames of the stream will need, (B, N)."""
        return torch.cat(self._saved, 1)

    def around(self, x: Tensor, frames: int, axis: int) -> Tensor:
        """Frames `x` with `frames` others: half of them on either side of a clip, all of them before a stream's."""
        if self.whole:
            return torch.cat([_zeros(x, frames // 2, axis), x, _zeros(x, frames // 2, axis)], axis)
        return self._join(x, frames, axis)

    def before(self, x: Tensor, axis: int, fill: float) -> Tensor:
        """Frames `x` with the one before them: `fill` before a clip."""
        if self.whole:
            return torch.cat([_zeros(x, 1, axis) + fill, x], axis)
        return self._join(x, 1, axis)

    def late(self, x: Tensor, axis: int) -> Tensor:
        """Let a stream go on one frame late; a clip as it is."""
        if self.whole:
            return x
        joined = self._join(x, 1, axis)
        return joined.narrow(axis, 0, joined.shape[axis] - 1)

    @property
    def whole(self) -> bool:
        """Whether this pass sees a whole clip."""
        return self._state is None and not self._measuring

    def _join(self, x: Tensor, frames: int, axis: int) -> Tensor:
        past = _zeros(x, frames, axis)
        size = past[0].numel()
        if self._state is not None:
            past = self._state[:, self._at : self._at + size].reshape(past.shape)
        self._at += size
        joined = torch.cat([past, x], axis)
        self._saved.append(joined.narrow(axis, joined.shape[axis] - frames, frames).flatten(1))
        return joined


class StreamNet(nn.Module):
    """A network of which `encode` is given: it runs over a clip, and over a stream late by its reach."""

    def encode(self, x: Tensor, memory: Memory) -> Tensor:
        """Pass frames (B, T, ...), with what the memory says was around them."""
        raise TypeError(f"{type(self).__name__} is no network of its own")

    def forward(self, x: Tensor) -> Tensor:
        """Encode a whole clip."""
        return self.encode(x, Memory())

    def step(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Encode the next frames of a stream; also the new state."""
        memory = Memory(state)
        return self.encode(x, memory), memory.state()


def _zeros(x: Tensor, frames: int, axis: int) -> Tensor:
    shape = list(x.shape)
    shape[axis] = frames
    return x.new_zeros(shape)


@torch.no_grad()
def state_size(run: Callable[[Tensor, Memory], Tensor], example: Tensor) -> int:
    """Numbers of state a batch row that `run` saves, found by a pass over `example`, one batch row of a stream."""
    memory = Memory(measuring=True)
    run(example, memory)
    return memory.size
