"""Sharpness-aware minimisation (Foret et al., ICLR 2021): step by the gradient from where the loss is worst nearby."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn


class SharpnessAware:
    """Two passes a step: `ascend` after the first gradient, `descend` after the second, then `base` has stepped."""

    def __init__(self, parameters: Iterable[nn.Parameter], base: torch.optim.Optimizer, rho: float = 0.05) -> None:
        self._parameters = list(parameters)
        self._base = base
        self._rho = rho
        self._moved: list[tuple[nn.Parameter, Tensor]] = []

    @torch.no_grad()
    def ascend(self) -> None:
        """Move by rho along the gradient, to where the loss is about worst; the gradient is cleared."""
        with_gradient = [p for p in self._parameters if p.grad is not None]
        norms = [p.grad.norm() for p in with_gradient if p.grad is not None]
        norm = torch.linalg.vector_norm(torch.stack(norms)) + 1e-12
        for parameter in with_gradient:
            step = parameter.grad * (self._rho / norm)
            parameter.add_(step)
            self._moved.append((parameter, step))
        self._base.zero_grad()

    @torch.no_grad()
    def descend(self) -> None:
        """Move back and take the base optimiser's step with the gradient found there."""
        for parameter, step in self._moved:
            parameter.sub_(step)
        self._moved.clear()
        self._base.step()
        self._base.zero_grad()
