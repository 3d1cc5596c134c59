"""Relatives of the order penalty from the literature, called alike: penalty(model, x).

What each weighs is not the variance of an order, so each has a law of its own or none; measured by
order they stand beside `OrderPenalty` in the experiment `regularizers`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

Model = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class PairInteraction:
    """Strength times the mean size of sampled interactions between two groups of inputs.

    The interaction loss of Zhang, Li, Ma, Li, Xie & Zhang (Interpreting and boosting dropout from
    a game-theoretic view, ICLR 2021): |F(S + A + B) - F(S + A) - F(S + B) + F(S)| for disjoint
    groups A and B of a part of the inputs each and a context S of the others, of every size alike;
    inputs outside of them are set to `baseline`. It sees two groups at a time, orders above 2
    within them included.

    In their code, too, groups hold a twentieth, one at least, what is outside of them is 0, and
    contexts have every size alike. Simplified: theirs is on the units of a layer and the score of
    the true class, this one on what the model is given, a mean over its outputs. Theirs shares two
    groups in a batch, under ten contexts, and begins after five epochs; here every point has
    groups and a context of its own, from the start. The size is that of their paper and CelebA;
    for their other data the code squares.

    Parameters
    ----------
    strength : float
    part : float
        Of the inputs that a group has, rounded down, but one input at least; .05 by default.
    baseline : float
    """

    strength: float = 1.0
    part: float = 0.05
    baseline: float = 0.0

    def __call__(self, model: Model, x: Tensor) -> Tensor:
        """The penalty at points [n, d], a scalar; mean over points and outputs."""
        rows, dim = x.shape
        group = max(1, int(self.part * dim))
        if 2 * group > dim:
            raise ValueError(f"two groups of {group} inputs do not fit in {dim}")
        ranks = torch.rand_like(x).argsort(dim=1)
        sizes = torch.randint(dim - 2 * group + 1, (rows, 1), device=x.device)
        a, b = ranks < group, (ranks >= group) & (ranks < 2 * group)
        context = (ranks >= 2 * group) & (ranks < 2 * group + sizes)
        present = torch.stack([context | a | b, context | a, context | b, context])
        points = torch.where(present, x, torch.full_like(x, self.baseline))
        both, first, second, neither = model(points.flatten(0, 1)).reshape(4, rows, -1)
        return self.strength * (both - first - second + neither).abs().mean()


@dataclass(frozen=True)
class WalshSparsity:
    """Strength times the summed sizes of a hashed Walsh spectrum of a function of two values.

    The regularizer of Gorji, Amrollahi & Krause (A scalable Walsh-Hadamard regularizer to overcome
    the low-degree spectral bias of neural networks, UAI 2023): a random binary matrix makes points
    of all words of b bits, at which the model is asked; coefficients that it does not tell apart
    share one of 2^b buckets, and the sizes of the buckets are summed, scaled as in their code. It
    asks for few coefficients, of whatever order, not for low ones: it is meant to help high ones.

    Theirs draws one matrix a step, or a few; here each point given stands for a matrix, so that a
    few do, and only their number counts. With as many bits as inputs the matrix is the unit matrix
    and each bucket one coefficient, as in Epistatic Net (Aghazadeh et al., Nature Communications
    12, 2021). Inputs are -1 and 1.

    Parameters
    ----------
    strength : float
    bits : int
        b. The model is asked 2^b times for every point given.
    """

    strength: float = 1.0
    bits: int = 4

    def __call__(self, model: Model, x: Tensor) -> Tensor:
        """The penalty at points [n, d] of -1 and 1, a scalar; mean over points and outputs."""
        rows, dim = x.shape
        if not 1 <= self.bits <= dim:
            raise ValueError(f"bits must lie between 1 and the {dim} inputs, got {self.bits}")
        if not (x.abs() == 1).all():
            raise ValueError("inputs must be -1 and 1: the Walsh spectrum is one of two values")
        corners = torch.arange(2**self.bits, device=x.device)
        bits = corners[:, None] >> torch.arange(self.bits, device=x.device) & 1
        if self.bits == dim:
            flips = bits[:, None, :].expand(-1, rows, -1)
        else:
            hashes = torch.randint(2, (rows, self.bits, dim), device=x.device)
            flips = torch.einsum("cb,nbd->cnd", bits.to(x), hashes.to(x)).long() % 2
        answers = model((1 - 2 * flips).to(x).flatten(0, 1)).reshape(len(corners), rows, -1)
        signs = 1 - 2 * ((bits[:, None] & bits).sum(dim=2) % 2)
        buckets = torch.tensordot(signs.to(answers), answers, dims=1) / len(corners)
        return self.strength * buckets.abs().sum(dim=0).mean()


@dataclass(frozen=True)
class InputGradient:
    """Strength times half the mean squared length of the gradient by the inputs.

    Jacobian regularization: Drucker & Le Cun, IEEE Trans. Neural Networks 3 (1992); Hoffman,
    Roberts & Yaida (Robust learning with Jacobian regularization, 2019). Of several outputs
    exactly, an output at a time. Under normal inputs of variance 1 the mean is the sum over
    Hermite degrees of degree times variance: it weighs smoothness within an input as it does
    orders.

    Parameters
    ----------
    strength : float
    """

    strength: float = 1.0

    def __call__(self, model: Model, x: Tensor) -> Tensor:
        """The penalty at points [n, d], a scalar; mean over points and outputs."""
        at = x.detach().requires_grad_()
        answers = model(at).reshape(len(x), -1)
        total = x.new_zeros(())
        for output in answers.unbind(dim=1):
            (slope,) = torch.autograd.grad(output.sum(), at, create_graph=True)
            total = total + slope.square().sum(dim=1).mean() / 2
        return self.strength * total / answers.shape[1]


def mixup(x: Tensor, y: Tensor, *, alpha: float) -> tuple[Tensor, Tensor]:
    """Points and targets mixed in pairs, [n, d] and [n, ...], to be learned in place of a batch.

    b times a row and 1 - b times a row drawn at random, b of the batch from Beta(alpha, alpha):
    Zhang, Cisse, Dauphin & Lopez-Paz (mixup: beyond empirical risk minimization, ICLR 2018). It
    takes targets and so is no penalty of a model; `alpha` is its strength. Random numbers are
    torch's own.
    """
    if not 0 < alpha < math.inf:
        raise ValueError(f"alpha must be positive and finite, got {alpha}")
    part = torch.distributions.Beta(alpha, alpha).sample().to(x)
    order = torch.randperm(len(x), device=x.device)
    return part * x + (1 - part) * x[order], part * y + (1 - part) * y[order]
