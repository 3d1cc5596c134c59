"""A recorded function does at every call what the function does."""

from __future__ import annotations

import pytest
import torch

from interactions.networks.graphs import Recorded


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device to record on")
def test_a_recorded_function_follows_its_arguments() -> None:
    total = torch.zeros(3, device="cuda")

    def add(values: torch.Tensor, none: None, factor: float) -> None:
        assert none is None
        total.add_(values, alpha=factor)

    recorded, expected = Recorded(add), torch.zeros(3)
    for k in range(5):
        recorded(torch.full((3,), float(k), device="cuda"), None, 2.0)
        expected += 2.0 * k
        torch.testing.assert_close(total.cpu(), expected)
