"""How a module of one's own is trained: a loss, an optimizer, a step, and a look in between."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import Optimizer

LEARNING_RATE = 1e-3
"""Of Adam."""

Loss = Callable[[Tensor, Tensor], Tensor]
"""Outputs and targets of a batch to their mean loss."""
Penalty = Callable[[nn.Module, Tensor], Tensor]
"""A model and the points of a batch to what joins the loss."""
LOSSES: dict[str, Loss] = {
    "squared": functional.mse_loss,
    "cross_entropy": functional.cross_entropy,
}


@dataclass(frozen=True, kw_only=True)
class Training:
    """How every module of a sweep is trained; `train` does it.

    Attributes
    ----------
    compare : mean loss, from `mean_loss`
    optimizer : callable (model, rate) to a torch optimizer, or None for Adam
    step : callable (model, optimizer, x, y, rate) that learns from a batch, or None to minimise
        the mean loss
    callback : callable (model, rate, seed, epoch), called after every epoch, or None
    penalty : callable (rate) to a penalty, a callable (model, x) to a scalar, or None
    """

    compare: Loss
    optimizer: Callable[[nn.Module, float], Optimizer] | None
    step: Callable[[nn.Module, Optimizer, Tensor, Tensor, float], object] | None
    callback: Callable[[nn.Module, float, int, int], object] | None
    penalty: Callable[[float], Penalty] | None
    learning_rate: float | None
    epochs: int
    batch_size: int

    def __post_init__(self) -> None:
        if self.epochs < 1 or self.batch_size < 1:
            raise ValueError(
                f"epochs and batch_size must be positive, got {self.epochs} and {self.batch_size}"
            )
        if self.optimizer is not None and self.learning_rate is not None:
            raise ValueError("learning_rate is that of Adam: set it in an optimizer of your own")
        is_class = isinstance(self.optimizer, type) and issubclass(self.optimizer, Optimizer)
        if is_class or not (self.optimizer is None or callable(self.optimizer)):
            raise _no_optimizer(self.optimizer)
        if self.step is not None and self.penalty is not None:
            raise ValueError("a penalty joins the loss, and a step of your own has its own: add it")
        for name in ("step", "callback", "penalty"):
            if not (getattr(self, name) is None or callable(getattr(self, name))):
                raise TypeError(f"{name} must be callable, got {getattr(self, name)!r}")

    def train(
        self,
        model: nn.Module,
        x: Tensor,
        y: Tensor,
        *,
        rate: float,
        seed: int,
        advance: Callable[[int], object],
    ) -> None:
        """Train for all epochs, calling `advance(1)` after each; leaves the model in eval mode."""
        generator = torch.Generator().manual_seed(seed)
        optimizer = self._new_optimizer(model, rate)
        penalty = None if self.penalty is None else self._new_penalty(rate)
        step = self.step or partial(self._minimise, penalty)
        for epoch in range(1, self.epochs + 1):
            model.train()
            order = torch.randperm(len(x), generator=generator)
            # A last batch of one row would be too few for batch normalisation.
            for rows in order.to(x.device).tensor_split(-(-len(x) // self.batch_size)):
                step(model, optimizer, x[rows], y[rows], rate)
            if self.callback is not None:
                # What a look draws must not change the masks of the epochs that follow.
                with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
                    self.callback(model, rate, seed, epoch)
            advance(1)
        model.eval()

    def _new_optimizer(self, model: nn.Module, rate: float) -> Optimizer:
        if self.optimizer is None:
            lr = LEARNING_RATE if self.learning_rate is None else self.learning_rate
            return torch.optim.Adam(model.parameters(), lr=lr)
        optimizer = self.optimizer(model, rate)
        if not isinstance(optimizer, Optimizer):
            raise _no_optimizer(optimizer)
        return optimizer

    def _new_penalty(self, rate: float) -> Penalty:
        penalty = self.penalty(rate) if self.penalty is not None else None
        if not callable(penalty):
            raise TypeError(
                "penalty must be a function of the rate that makes one, such as lambda strength: "
                f"OrderPenalty(inputs, strength=strength); got one that makes {penalty!r}"
            )
        return penalty

    def _minimise(
        self,
        penalty: Penalty | None,
        model: nn.Module,
        optimizer: Optimizer,
        x: Tensor,
        y: Tensor,
        rate: float,
    ) -> None:
        def loss() -> Tensor:
            optimizer.zero_grad()
            value = self.compare(model(x), y)
            if penalty is not None:
                value = value + penalty(model, x)
            value.backward()
            return value

        # As a closure, for L-BFGS asks several times.
        optimizer.step(loss)


def _no_optimizer(given: object) -> TypeError:
    shown = given.__name__ if isinstance(given, type) else type(given).__name__
    return TypeError(
        "optimizer must be a function of the model and the rate that makes a torch optimizer, such "
        "as lambda model, rate: torch.optim.SGD(model.parameters(), lr=0.1, weight_decay=rate); "
        f"got {shown}"
    )


def mean_loss(loss: str | Loss) -> Loss:
    """A mean loss that refuses outputs which do not fit, where torch would broadcast.

    Where outputs and targets have a number a row each, both come as [n].
    """
    if not callable(loss) and loss not in LOSSES:
        raise ValueError(
            f"loss must be one of {list(LOSSES)} or a function of outputs and targets, got {loss!r}"
        )

    if isinstance(loss, type) and issubclass(loss, nn.Module):
        raise TypeError(
            f"loss must be a function of outputs and targets: {loss.__name__}(), no class"
        )

    own: Loss | None = None if isinstance(loss, str) else loss

    def compare(outputs: Tensor, y: Tensor) -> Tensor:
        if not isinstance(outputs, Tensor):
            raise TypeError(f"the module must return a tensor, got {type(outputs).__name__}")
        if loss != "cross_entropy" and outputs.numel() == len(y) and y.numel() == len(y):
            outputs, y = outputs.flatten(), y.flatten()
        if own is not None:
            return _one_number(own(outputs, y))
        if loss == "squared" and outputs.shape != y.shape:
            raise ValueError(
                f"the module's outputs {list(outputs.shape)} do not fit y {list(y.shape)}"
            )
        if loss == "cross_entropy" and (
            outputs.ndim != 2 or len(outputs) != len(y) or outputs.shape[1] <= int(y.max())
        ):
            raise ValueError(
                "cross_entropy needs an output for every label from 0 up: got outputs "
                f"{list(outputs.shape)} and labels up to {int(y.max())}"
            )
        return LOSSES[str(loss)](outputs, y)

    return compare


def _one_number(value: object) -> Tensor:
    if isinstance(value, Tensor) and value.numel() == 1:
        return value.squeeze()
    got = f"shape {list(value.shape)}" if isinstance(value, Tensor) else type(value).__name__
    raise TypeError(
        f"loss must return a tensor of one number, the mean over the rows of a batch; got {got}"
    )
