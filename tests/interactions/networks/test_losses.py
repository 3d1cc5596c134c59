"""Losses and their derivatives equal torch's."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from interactions.networks.losses import LOSSES

GENERATOR = torch.Generator().manual_seed(0)
OUTPUTS = 5 * torch.randn(2, 30, 3, generator=GENERATOR, dtype=torch.float64)
Y = torch.rand(2, 30, 3, generator=GENERATOR, dtype=torch.float64)
LABELS = torch.randint(3, (2, 30), generator=GENERATOR)
PLAIN = {
    "squared": lambda o, y: (o - y).square().mean(dim=-1),
    "cross_entropy": lambda o, y: functional.cross_entropy(o, y, reduction="none"),
    "binary": lambda o, y: functional.binary_cross_entropy_with_logits(o, y, reduction="none").mean(
        dim=-1
    ),
}


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("name", list(LOSSES))
def test_value_and_derivative(name: str, shared: bool, weighted: bool) -> None:
    y = LABELS if name == "cross_entropy" else Y
    weight = torch.rand(2, 30, 1, generator=GENERATOR, dtype=torch.float64)
    given = weight if weighted else 1 / 30
    value, derivative = LOSSES[name](OUTPUTS.clone(), y[0] if shared else y, given)
    for i in range(2):
        outputs = OUTPUTS[i].clone().requires_grad_()
        each = PLAIN[name](outputs, y[0] if shared else y[i])
        expected = (each * (weight[i, :, 0] if weighted else given)).sum()
        expected.backward()
        torch.testing.assert_close(value[i], expected.detach(), rtol=1e-12, atol=0)
        torch.testing.assert_close(derivative[i], outputs.grad, rtol=1e-11, atol=1e-15)
