"""Losses of a batch of networks, each with its derivative by the outputs.

A loss maps outputs [E, n, c], targets and weights of the rows to the loss of every network [E]
and the derivative [E, n, c]. Weights are one number for all rows (1 / n gives the mean), or
[n, 1] or [E, n, 1].
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

Loss = Callable[[Tensor, Tensor, Tensor | float], tuple[Tensor, Tensor]]


def squared(outputs: Tensor, y: Tensor, weight: Tensor | float) -> tuple[Tensor, Tensor]:
    """Squared error against y [n, c] or [E, n, c], averaged over the outputs."""
    error = outputs - y
    weighted = error * (weight / y.shape[-1])
    return (weighted * error).sum(dim=(1, 2)), weighted.mul_(2)


def cross_entropy(outputs: Tensor, y: Tensor, weight: Tensor | float) -> tuple[Tensor, Tensor]:
    """Cross-entropy of softmax(outputs) against integer labels y [n] or [E, n]."""
    log_p = functional.log_softmax(outputs, dim=-1)
    labels = y.expand(outputs.shape[:2]).unsqueeze(-1)
    loss = -(log_p.gather(-1, labels) * weight).sum(dim=(1, 2))
    derivative = log_p.exp_()
    derivative.scatter_add_(-1, labels, -torch.ones_like(derivative[..., :1]))
    return loss, derivative * weight


def binary(outputs: Tensor, y: Tensor, weight: Tensor | float) -> tuple[Tensor, Tensor]:
    """Cross-entropy of sigmoid(outputs) against y in [0, 1], averaged over the outputs."""
    weight = weight / y.shape[-1]
    each = functional.binary_cross_entropy_with_logits(
        outputs, y.expand_as(outputs), reduction="none"
    )
    return (each * weight).sum(dim=(1, 2)), (outputs.sigmoid() - y) * weight


LOSSES: dict[str, Loss] = {"squared": squared, "cross_entropy": cross_entropy, "binary": binary}


def check_targets(loss: str, y: Tensor, rows: tuple[int, ...], outputs: int) -> None:
    """Refuse targets that do not fit the loss and a network of that many outputs."""
    if loss == "cross_entropy":
        if y.is_floating_point() or y.shape != rows:
            raise ValueError(
                f"cross_entropy needs integer labels {list(rows)}, got {y.dtype} {list(y.shape)}"
            )
        if outputs < 2 or y.min() < 0 or y.max() >= outputs:
            raise ValueError(
                f"labels lie in {int(y.min())}..{int(y.max())} and the networks have {outputs} "
                "outputs: cross_entropy needs one output for every label from 0 up"
            )
        return
    if not y.is_floating_point() or y.shape != (*rows, outputs):
        raise ValueError(
            f"{loss} needs floating-point targets for {outputs} outputs and rows {list(rows)}, "
            f"got {y.dtype} {list(y.shape)}"
        )
    if loss == "binary" and not ((y >= 0) & (y <= 1)).all():
        raise ValueError("binary needs targets in [0, 1]")
