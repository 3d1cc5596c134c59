"""Measurements ask for all digits of float32, and leave torch's settings as they were."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest
import torch

from interactions import Uniform, error_by_order, order_spectrum
from interactions.precision import full_float32


@pytest.fixture
def tf32() -> Iterator[None]:
    """Matrix products that may use TF32, as somebody asked for."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high")
    yield
    torch.set_float32_matmul_precision(before)


def settings() -> tuple[bool, bool]:
    return torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32


@pytest.mark.usefixtures("tf32")
def test_tf32_is_off_inside_and_what_was_set_comes_back() -> None:
    before = settings()
    assert before == (True, True)
    with full_float32():
        assert settings() == (False, False)
    assert settings() == before
    with pytest.raises(KeyError), full_float32():
        raise KeyError
    assert settings() == before


@pytest.mark.usefixtures("tf32")
def test_every_measurement_asks_for_all_digits() -> None:
    seen = set()

    def function(x: torch.Tensor) -> torch.Tensor:
        seen.add(settings())
        return x[:, 0] * x[:, 1]

    law = Uniform(-1.0, 1.0, dim=2)
    order_spectrum(function, law)
    assert seen == {(False, False)}
    seen.clear()
    x = law.sample(256, generator=0)
    error_by_order([function, function], x[:, 0], law, x=x)
    assert seen == {(False, False)}
    assert settings() == (True, True)


@pytest.mark.skipif(not hasattr(torch.backends.cudnn, "conv"), reason="torch 2.9 and later")
def test_settings_of_every_kind_of_operation_come_back() -> None:
    # In a process of its own: once set, the older settings cannot be read any more.
    code = """
import torch
from interactions.precision import full_float32
conv, rnn = torch.backends.cudnn.conv, torch.backends.cudnn.rnn
torch.backends.cuda.matmul.fp32_precision, rnn.fp32_precision = "tf32", "ieee"
def settings():
    return torch.backends.cuda.matmul.fp32_precision, conv.fp32_precision, rnn.fp32_precision
with full_float32():
    print(*settings())
print(*settings())
"""
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["ieee", "ieee", "ieee", "tf32", "tf32", "ieee"]
