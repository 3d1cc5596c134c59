"""What every distribution of independent inputs says of itself.

Inputs are the players whose interactions are counted: the coordinates of points [n, d]. A function
may want them in another form, columns of a group for the one code that stands for them, and a model
as a data frame: `expand` and `frame` say how.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable, Iterable, Sequence

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from ..arrays import numbers
from . import _tables
from .columns import Column

FEW_VALUES = 128
"""A column with no more distinct values has a knot on each."""


def check_order(max_order: int, dim: int) -> None:
    """Refuse orders that do not exist in `dim` inputs."""
    if isinstance(max_order, bool) or not isinstance(max_order, (int, np.integer)):
        raise TypeError(f"max_order must be an integer, got {max_order!r}")
    if not 1 <= max_order <= dim:
        raise ValueError(
            f"max_order must lie between 1 and the number of inputs, {dim}; got {max_order}"
        )


class Inputs(ABC):
    """`dim` independent inputs with a known marginal each.

    Attributes
    ----------
    dim : int
        Number of inputs d.
    names : tuple of d str, or None
        What the inputs are called, where they have names.
    caveat : str
        What is easily forgotten of a result under these inputs, which its `method` then says.
    alike : bool
        Whether all inputs have the same marginal, so that what holds for one holds for each.
    uneven : bool
        Whether values may be rare beside others, as in data: these are then looked for.
    encoded : bool
        Whether numbers stand for something else (categories, dates), which `frame` gives back.

    Examples
    --------
    >>> from interactions import Inputs, Uniform
    >>> isinstance(Uniform(0, 1, dim=2), Inputs)
    True
    """

    dim: int
    names: tuple[str, ...] | None = None
    caveat: str = ""
    alike: bool = False
    uneven: bool = False
    encoded: bool = False
    _columns: Sequence[Column | None] | None = None

    @abstractmethod
    def quantile(self, u: Tensor, coordinate: Tensor) -> Tensor:
        """Map uniforms in [0, 1) to values of the given coordinates.

        The integer tensor `coordinate` broadcasts to the shape of `u`; the result has the shape,
        dtype and device of `u`. It is nondecreasing in `u`, so stratified uniforms give
        stratified values.
        """

    @abstractmethod
    def quadrature(
        self, size: int, *, coordinate: int = 0, breakpoints: Sequence[float] = ()
    ) -> tuple[np.ndarray, np.ndarray]:
        """Nodes and weights (float64, weights sum to 1) of a rule for one coordinate.

        `size` is the number of nodes, or the number of support points where the marginal has
        fewer. `breakpoints` are kinks of the integrand: continuous marginals then use one
        Gauss rule of `size` nodes between each neighbouring pair of kinks.
        """

    @abstractmethod
    def knots(self, size: int, *, coordinate: int = 0) -> np.ndarray:
        """Ascending values of one coordinate between which a curve may be read off linearly.

        About `size` of them, or all values of a marginal with few.
        """

    @property
    def support_sizes(self) -> np.ndarray:
        """Number of distinct values of each input, [d]; infinite for continuous marginals."""
        return np.full(self.dim, np.inf)

    def support(self, coordinate: int) -> tuple[np.ndarray, np.ndarray]:
        """Values of an input that takes finitely many, ascending, and their probabilities."""
        return self.quadrature(int(self.support_sizes[coordinate]), coordinate=coordinate)

    def probability_up_to(self, x: np.ndarray, *, coordinate: int) -> np.ndarray:
        """Probability that an input is at most x, of the shape of `x`, which may be infinite.

        Read off the support, or the inverse of the quantile function by bisection.
        """
        if self.discrete(coordinate):
            values, weights = self.support(coordinate)
            sums = np.concatenate([[0.0], np.cumsum(weights)])
            sums[-1] = 1.0
            return sums[np.searchsorted(values, x, side="right")]
        x = torch.as_tensor(np.asarray(x, dtype=np.float64))
        low, high = torch.zeros_like(x), torch.ones_like(x)
        which = torch.full(x.shape, coordinate)
        for _ in range(60):
            middle = (low + high) / 2
            below = self.quantile(middle, which) <= x
            low, high = torch.where(below, middle, low), torch.where(below, high, middle)
        return torch.where(x == torch.inf, 1.0, low).numpy()

    @abstractmethod
    def recurrence(self, degree: int) -> tuple[np.ndarray, np.ndarray]:
        """Coefficients a, b of the orthonormal polynomials p_0 .. p_degree, each [d, degree + 1].

        x p_n = b_(n+1) p_(n+1) + a_n p_n + b_n p_(n-1), with p_0 = 1 and b_0 = 1. Where a
        marginal has only s support points, b_n = 0 for n >= s: no such polynomial exists.
        """

    def sample(
        self,
        n: int,
        *,
        generator: torch.Generator | int,
        dtype: torch.dtype = torch.float64,
    ) -> Tensor:
        """Draw n independent points, [n, d], on the generator's device.

        `generator` may be an integer seed, which stands for a fresh CPU generator. The same seed
        gives the same points on one kind of device.
        """
        if isinstance(generator, int):
            generator = torch.Generator().manual_seed(generator)
        device = generator.device
        u = torch.rand(n, self.dim, generator=generator, dtype=dtype, device=device)
        return self.quantile(u, torch.arange(self.dim, device=device))

    def basis(self, x: Tensor, degree: int) -> Tensor:
        """Orthonormal polynomials p_1 .. p_degree of each coordinate at points x.

        Returns [n, d, degree] in the dtype of `x` [n, d]. A polynomial that does not exist,
        because its marginal has too few support points, is 0.
        """
        a, b = (torch.as_tensor(c, dtype=x.dtype, device=x.device) for c in self.recurrence(degree))
        previous, current = torch.zeros_like(x), torch.ones_like(x)
        columns = []
        for n in range(degree):
            scale = torch.where(b[:, n + 1] > 0, 1 / b[:, n + 1], 0.0)
            previous, current = current, scale * ((x - a[:, n]) * current - b[:, n] * previous)
            columns.append(current)
        return torch.stack(columns, dim=-1)

    def discrete(self, coordinate: int) -> bool:
        """Whether an input takes finitely many values, the only ones that are ever visited."""
        return bool(np.isfinite(self.support_sizes[coordinate]))

    def nodes(self, size: int, coordinate: int) -> np.ndarray:
        """Values of a discrete input, `size` of them and ascending, that carry a polynomial well.

        Approximate Fekete points: Sommariva & Vianello, Comput. Math. Appl. 57 (2009).
        """
        return _tables.fekete(*self.support(coordinate), size)

    def expand(self, x: Tensor) -> Tensor:
        """What the function receives for points [n, d]: [n, D], the points themselves by default.

        A group of columns is one input, whose values are codes of rows; here they become its
        columns. `x` holds values that the inputs take.
        """
        return x

    @property
    def owners(self) -> np.ndarray:
        """Which input each column belongs to that the function receives, int [D]."""
        return np.arange(self.dim)

    @property
    def columns(self) -> tuple[Hashable, ...] | None:
        """Names [D] of what the function receives, as a data frame has them, where there are."""
        return self.names

    def frame(self, x: np.ndarray) -> pd.DataFrame:
        """The data frame that stands for numbers [n, D] which `expand` has given."""
        return pd.DataFrame(x, columns=None if self.columns is None else [*self.columns])

    def collapse(self, x: Tensor) -> Tensor:
        """The points [n, d] that `expand` makes x [n, D] of; points [n, d] as they are.

        Raises
        ------
        ValueError
            For rows that a group of columns does not take, naming the group.
        """
        return x

    def coded(self, frame: pd.DataFrame) -> np.ndarray:
        """The numbers [n, D] that stand for a data frame, of which `frame` is the inverse.

        Columns are taken by name where both have names, whatever their order, else by place.

        Raises
        ------
        ValueError
            For columns that are missing and values that an input does not take, by their names.
        TypeError
            For columns that are no numbers where the inputs' are, by their names.
        """
        if self.columns is not None and not isinstance(frame.columns, pd.RangeIndex):
            missing = [label for label in self.columns if label not in frame]
            if missing:
                raise ValueError(f"the inputs have columns {missing}, the data {[*frame]}")
            frame = frame[[*self.columns]]
        known = self._columns
        if known is None:
            return numbers(frame, "x")
        if len(known) != frame.shape[1]:
            raise ValueError(f"the inputs have {len(known)} columns, the data {frame.shape[1]}")
        columns = [
            numbers(frame.iloc[:, [j]], "x")[:, 0]
            if column is None or column.levels is None
            else column.forth(frame.iloc[:, j])
            for j, column in enumerate(known)
        ]
        return np.column_stack(columns)

    def called(self, subset: Iterable[int]) -> tuple[int, ...] | tuple[str, ...]:
        """A subset of inputs by name where they have names, else by number."""
        return tuple(j if self.names is None else self.names[j] for j in subset)

    def position(self, which: int | str) -> int:
        """Number of the input that is meant by a name or a number."""
        if isinstance(which, str):
            if self.names is None or which not in self.names:
                shown = "they have no names" if self.names is None else f"these are {self.names}"
                raise ValueError(f"no input is called {which!r}: {shown}")
            return self.names.index(which)
        if isinstance(which, bool) or not isinstance(which, (int, np.integer)):
            raise TypeError(f"an input is meant by its name or number, got {which!r}")
        if not 0 <= which < self.dim:
            raise ValueError(f"inputs have the numbers 0 .. {self.dim - 1}, got {which}")
        return int(which)
