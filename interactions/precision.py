"""Float32 as it is meant: what a measurement asks of the device."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def full_float32() -> Iterator[None]:
    """Inside, GPUs multiply float32 numbers with all of their digits.

    Torch's convolutions and recurrent layers use TF32 unless they are told not to, and matrix
    products where somebody asked for it: ten bits, and other ones in batches of other sizes, which
    a measurement would take for noise of the function. What was set before is set again.
    """
    cudnn = torch.backends.cudnn
    try:
        before = torch.get_float32_matmul_precision(), cudnn.allow_tf32
    except RuntimeError:
        # Since torch 2.9 every kind of operation has a setting of its own, and where these were
        # used, those for all kinds together cannot be read any more.
        before = None
    if before is None:
        with _full_float32_of_every_kind():
            yield
        return
    try:
        torch.set_float32_matmul_precision("highest")
        cudnn.allow_tf32 = False
        yield
    finally:
        torch.set_float32_matmul_precision(before[0])
        cudnn.allow_tf32 = before[1]


@contextmanager
def _full_float32_of_every_kind() -> Iterator[None]:
    kinds = torch.backends.cuda.matmul, torch.backends.cudnn.conv, torch.backends.cudnn.rnn
    before = [kind.fp32_precision for kind in kinds]
    try:
        for kind in kinds:
            kind.fp32_precision = "ieee"
        yield
    finally:
        for kind, value in zip(kinds, before, strict=True):
            kind.fp32_precision = value
