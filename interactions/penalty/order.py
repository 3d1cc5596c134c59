"""A penalty on the variance of every interaction order, with weights of one's choice."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from ..inputs import Inputs
from .profiles import Differences, differences_of, noise_sensitivity

RHO = 0.5
"""Chance with which every input is redrawn, where neither it nor weights are given."""


@dataclass(frozen=True)
class OrderPenalty:
    """Strength times the weighted sum of a model's variances by order, for any training loop.

    >>> penalty = OrderPenalty(inputs, rho=0.5)  # doctest: +SKIP
    >>> loss = mse_loss(model(x), y) + penalty(model, x)  # doctest: +SKIP

    Called, it redraws inputs of the points from their marginals and takes squared differences of
    the answers. By default each input is redrawn with probability rho and half the squared
    difference of two answers is taken: noise sensitivity, whose expectation is the sum over k of
    (1 - (1-rho)^k) V_k for every function. Under the mean squared error plus this penalty with
    weights w_k at strength λ the best fit to a target F is F_k / (1 + λ w_k), order by order:
    interactions/LAWS.md, which has the proof, and how noisy the gradient is.

    The law is one of independent inputs. Points may be those of the batch where its columns are
    independent; else take `fresh` ones, or penalise what no theory knows.

    Parameters
    ----------
    inputs : Inputs
        What inputs are redrawn from; `Empirical(x)` redraws each column from its own values.
    rho : float in (0, 1], optional
        Chance with which an input is redrawn, .5 where no weights are given.
    weights : sequence of float, optional
        In place of rho, w_1 .. w_K of orders 1 .. K, at least 0. `profile` says what the orders
        above weigh, never less than w_K. `weights_for_survival`, `weights_from_order` and
        `weights_for_shares` (`interactions.penalty`) give common ones.
    strength : float
        λ, at least 0; 1 by default.
    fresh : bool
        Draw points from the inputs, as many as are given, in place of those given. False by
        default.

    Raises
    ------
    TypeError
        For inputs that are no distribution.
    ValueError
        For rho and weights at once, numbers outside of their ranges, and weights that would take
        too many answers (those that grow ever faster beyond order 6) or too much noise.

    Warns
    -----
    UserWarning
        For weights that no squares have, such as those that fall with the order: single values
        may then be negative, and are noisier.
    """

    inputs: Inputs
    rho: float | None = None
    weights: Sequence[float] | None = None
    strength: float = 1.0
    fresh: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.inputs, Inputs):
            raise TypeError(
                "inputs must be a distribution such as Uniform(-1.0, 1.0, dim=8) or Empirical(x), "
                f"got {type(self.inputs).__name__}"
            )
        if self.rho is not None and self.weights is not None:
            raise ValueError("give rho (noise sensitivity) or weights (by order), not both")
        if self.rho is not None and not 0 < self.rho <= 1:
            raise ValueError(f"rho must lie above 0 and be at most 1, got {self.rho}")
        if not 0 <= self.strength < float("inf"):
            raise ValueError(f"strength must be finite and not negative, got {self.strength}")
        if self.differences.signed:
            size = np.abs(self.differences.sets).sum() / self.differences.profile.max()
            warnings.warn(
                f"the weights {tuple(self.weights or ())} are those of no squares: the penalty is "
                f"a difference of squares, {size:.2g} times as large before they cancel, and may "
                "be negative by chance",
                stacklevel=3,
            )

    @cached_property
    def differences(self) -> Differences:
        """What is drawn, and its profile."""
        if self.weights is None:
            return noise_sensitivity(RHO if self.rho is None else self.rho, self.inputs.dim)
        return differences_of(self.weights, self.inputs.dim)

    @property
    def profile(self) -> np.ndarray:
        """The weight of every order 1 .. d, [d], without the strength."""
        return self.differences.profile

    def __call__(self, model: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
        """The penalty of a model at points [n, D], a scalar with gradient; mean over its outputs.

        The model is asked once, for all points that are compared, [C n, D]: two for each given one,
        or 2^K with weights that grow ever faster up to order K. Of a model in training mode what
        dropout draws differs between them, and counts as a difference. Random numbers are torch's
        own on the points' device.

        Raises ValueError for points that are not such as the inputs have, TypeError for a model
        that returns no tensor.
        """
        rows, owners = len(x), self.inputs.owners
        if x.ndim != 2 or x.shape[1] != len(owners) or not rows or not x.is_floating_point():
            raise ValueError(
                f"needs floating-point points [n, {len(owners)}], got {x.dtype} {list(x.shape)}"
            )
        uniforms = torch.rand(2 + self.fresh, rows, self.inputs.dim, dtype=x.dtype, device=x.device)
        start = torch.rand((), dtype=x.dtype, device=x.device)
        points, weight = self.points(None if self.fresh else x, uniforms, start)
        answers = model(points.flatten(0, 1))
        if not isinstance(answers, Tensor):
            raise TypeError(f"the model must return a tensor, got {type(answers).__name__}")
        if answers.ndim == 0 or len(answers) != len(points) * rows:
            raise ValueError(
                f"the model must return an answer a point, {len(points) * rows}, "
                f"got {list(answers.shape)}"
            )
        values = answers.reshape(len(points), rows, -1)
        return self.strength * self.value(values, weight)

    def points(self, x: Tensor | None, uniforms: Tensor, start: Tensor) -> tuple[Tensor, Tensor]:
        """The points that are compared, [C, ..., n, D], and how much each row counts, [..., n].

        `uniforms` [2, ..., n, d] and `start` [...] are random numbers in [0, 1), and [3, ..., n, d]
        where x is None and points are drawn as well.
        """
        inputs, differences = self.inputs, self.differences
        coordinates = torch.arange(inputs.dim, device=uniforms.device)
        other = _expanded(inputs, inputs.quantile(uniforms[0], coordinates))
        if x is None:
            x = _expanded(inputs, inputs.quantile(uniforms[2], coordinates))
        # A random permutation of the inputs for every row: who comes first is redrawn.
        ranks = uniforms[1].argsort(dim=-1)
        rows = ranks.shape[-2]
        if differences.sets:
            like = {"dtype": uniforms.dtype, "device": uniforms.device}
            chances = torch.as_tensor(differences.chances, **like)
            signed = torch.as_tensor(differences.sets, **like)
            # Every size for as many rows as its chance says, to one, and any row as likely.
            place = (torch.arange(rows, **like) / rows + start[..., None]) % 1
            size = torch.searchsorted(chances[:-1].contiguous(), place, right=True)
            weight = signed.sign()[size] * signed.abs().sum()
            redrawn = torch.stack(
                [torch.zeros_like(ranks, dtype=torch.bool), ranks <= size[..., None]]
            )
        else:
            table = torch.as_tensor(differences.redrawn, device=ranks.device)
            redrawn = torch.stack([of_corner[ranks] for of_corner in table])
            weight = uniforms.new_ones(ranks.shape[:-1])
        owners = torch.as_tensor(inputs.owners, device=ranks.device)
        if len(owners) > inputs.dim:
            redrawn = redrawn[..., owners]
        return torch.where(redrawn, other, x), weight

    def form(self, like: Tensor) -> Tensor:
        """The quadratic form in a row's answers, [C, C], of another tensor's type and device."""
        return torch.as_tensor(self.differences.form).to(like)

    def value(self, answers: Tensor, weight: Tensor) -> Tensor:
        """Weighted mean over rows and outputs of the quadratic form in answers [C, n, m]."""
        # The form does not see what all corners share, which would cost digits.
        apart = answers - answers[:1]
        squares = (apart * torch.tensordot(self.form(answers), apart, dims=1)).sum(dim=0)
        return (weight[:, None] * squares).mean()

    @staticmethod
    def derivative(answers: Tensor, weight: Tensor, form: Tensor) -> Tensor:
        """The gradient of `value` by the answers of B members, [B, C, n, m], weights [B, n].

        It is given the form, for a recorded graph must not copy from the CPU.
        """
        apart = answers - answers[:, :1]
        scale = weight[:, None, :, None] * (2 / (answers.shape[2] * answers.shape[3]))
        return torch.einsum("cd,bdnm->bcnm", form, apart) * scale


def _expanded(inputs: Inputs, x: Tensor) -> Tensor:
    """Points [..., d] as the function receives them, [..., D]."""
    return inputs.expand(x.flatten(0, -2)).unflatten(0, x.shape[:-1])
