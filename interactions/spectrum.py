"""The result of every measurement: variance by interaction order."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from .plots import bars_or_lines
from .printing import aligned, html_table, number, with_error, wrapped
from .saving import Saved
from .sufficient import Sufficient, sufficient

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class Interval(NamedTuple):
    """Two ends of a confidence interval, each [..., max_order + 1], and how they were made."""

    low: np.ndarray
    high: np.ndarray
    method: str


@dataclass(frozen=True, kw_only=True)
class OrderSpectrum(Saved):
    """Variance of a function by interaction order, V_1 .. V_max_order, then everything above.

    Every array has shape [..., max_order + 1]: orders last, one leading axis where the function
    has several outputs. Estimates are signed and never clipped: an unbiased estimate of a
    variance near zero falls below zero about as often as above.

    Attributes
    ----------
    variance, standard_error : float64 arrays
        In squared units of the function. The standard error is NaN where it is not known: where a
        method has none, and where no point showed anything of an order.
    share, share_standard_error : float64 arrays
        Variance over total variance; NaN for a constant function, which has no shares.
    degrees_of_freedom, share_degrees_of_freedom : float64 arrays
        Of the standard errors, for Student t intervals (infinite where the error is not sampled).
    total_variance : float64 array [...]
        Variance of the function: the orders sum to it.
    method : str
        How it was measured, and what its error is.
    evaluations : int
        Points at which the function was evaluated.
    converged : bool
        Whether the asked tolerance was reached, as far as can be known: a function seen to be
        constant, or whose variance a few rare points carry, has not converged.
    left_out : float64 array [...]
        Bound on the share of variance that lies outside of the method's basis and is counted
        with everything above; 0 for methods without one, NaN where it is not known.
    reason : str
        Why this method, where it was chosen for the user, what ended it before its tolerance, and
        why it does not claim to have converged where it has not.
    checks : tuple of str
        What was looked at, beside the estimates, and found to agree with them.
    cumulative_standard_error, cumulative_degrees_of_freedom : float64 arrays, optional
        Of the shares up to each order, the last of which is all. NaN where rare points carry the
        variance, so that errors are unknown. Bounded by the errors of the shares where a method
        does not give them.
    outputs : tuple of str, optional
        Names of the outputs, in their order.

    Examples
    --------
    >>> from interactions import OrderSpectrum
    >>> spectrum = OrderSpectrum.known([0.5, 0.25, 0.0], method="by hand")
    >>> spectrum.share.round(3), spectrum.order_names
    (array([0.667, 0.333, 0.   ]), ['1', '2', '>2'])
    """

    variance: np.ndarray
    standard_error: np.ndarray
    share: np.ndarray
    share_standard_error: np.ndarray
    degrees_of_freedom: np.ndarray
    share_degrees_of_freedom: np.ndarray
    method: str
    evaluations: int
    converged: bool
    left_out: np.ndarray | float = 0.0
    reason: str = ""
    checks: tuple[str, ...] = ()
    cumulative_standard_error: np.ndarray | None = None
    cumulative_degrees_of_freedom: np.ndarray | None = None
    outputs: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        for name in ("standard_error", "share", "share_standard_error"):
            if getattr(self, name).shape != self.variance.shape:
                raise ValueError(f"{name} must have the shape of variance, {self.variance.shape}")
        count = self.variance[..., 0].size
        if self.outputs is not None and len(self.outputs) != count:
            raise ValueError(f"{count} outputs cannot have {len(self.outputs)} names")

    @classmethod
    def known(
        cls,
        variance: np.ndarray,
        *,
        error: np.ndarray | float = 0.0,
        share_error: np.ndarray | float = 0.0,
        method: str,
        evaluations: int = 0,
        converged: bool = True,
    ) -> OrderSpectrum:
        """A spectrum that is not sampled: its shares follow, its error is a stated bound or NaN."""
        variance = np.asarray(variance, dtype=np.float64)
        total = variance.sum(axis=-1, keepdims=True)
        constant = total <= 0
        share = np.where(constant, np.nan, variance / np.where(constant, 1.0, total))
        infinite = np.full_like(variance, np.inf)
        return cls(
            variance=variance,
            standard_error=np.broadcast_to(np.asarray(error, float), variance.shape).copy(),
            share=share,
            share_standard_error=np.where(
                np.isnan(share), np.nan, np.broadcast_to(share_error, variance.shape)
            ),
            degrees_of_freedom=infinite,
            share_degrees_of_freedom=infinite,
            method=method,
            evaluations=evaluations,
            converged=converged,
        )

    def output(self, index: int | str) -> OrderSpectrum:
        """The spectrum of one output of a function with several, by its number or its name."""
        if isinstance(index, str):
            if index not in (self.outputs or ()):
                raise ValueError(f"no output is called {index!r}, there are {self.outputs}")
            index = (self.outputs or ()).index(index)
        arrays = {
            f.name: getattr(self, f.name)[index]
            for f in fields(self)
            if isinstance(getattr(self, f.name), np.ndarray)
        }
        name = None if self.outputs is None else (self.outputs[index],)
        return replace(self, **arrays, outputs=name)

    @property
    def max_order(self) -> int:
        return self.variance.shape[-1] - 1

    @property
    def total_variance(self) -> np.ndarray:
        return self.variance.sum(axis=-1)

    @property
    def constant(self) -> np.ndarray:
        """True where no variation was seen: zero variance, undefined shares."""
        return np.isnan(self.share).all(axis=-1)

    @property
    def mean_order(self) -> np.ndarray:
        """Share-weighted mean order [...], counting everything above max_order as max_order + 1.

        The mean dimension where nothing lies above max_order + 1, less than it otherwise; as an
        estimate it errs by what the shares do, and upwards by what a basis leaves out.
        `interactions.anova.mean_order` needs no orders at all.
        """
        return self.share @ np.arange(1, self.max_order + 2)

    @property
    def cumulative_share(self) -> np.ndarray:
        """Share of the variance up to each order [..., max_order + 1]; the last is all, 1."""
        return np.cumsum(self.share, axis=-1)

    def cumulative_error(self) -> tuple[np.ndarray, np.ndarray]:
        """Standard errors of the cumulative shares and their degrees of freedom, or bounds.

        A sum has no larger error than its parts have together, and what lies up to an order errs
        as what lies above it does.
        """
        if self.cumulative_standard_error is not None:
            df = self.cumulative_degrees_of_freedom
            every = np.full_like(self.cumulative_standard_error, np.inf) if df is None else df
            return self.cumulative_standard_error, every
        error = self.share_standard_error
        above = np.cumsum(error[..., :0:-1], axis=-1)[..., ::-1]
        above = np.concatenate([above, np.zeros_like(error[..., :1])], axis=-1)
        least = self.share_degrees_of_freedom.min(axis=-1, keepdims=True)
        return np.fmin(np.cumsum(error, axis=-1), above), np.broadcast_to(least, error.shape)

    def sufficient_order(self, share: float = 0.95, level: float = 0.95) -> Sufficient:
        """The smallest order up to which `share` of the variance is shown to lie, or None.

        Shown means by a one-sided test at confidence `level`: an order that is not enough is
        claimed in at most 1 - level of all measurements. What a basis leaves out counts as above
        every order (`left_out`), so it can make the answer an order too high, not too low. Where
        the answer is open it says how many more evaluations would settle it; of a population's
        spectrum, whose error falls with its rows, read that as so many times more rows.

        >>> spectrum.sufficient_order()  # doctest: +SKIP
        >>> spectrum.output("cat").sufficient_order(0.99).order  # doctest: +SKIP

        Raises
        ------
        ValueError
            For several outputs at once, a share outside of (0, 1), a level outside of (.5, 1).
        """
        if not 0 < share < 1:
            raise ValueError(f"share must lie between 0 and 1, got {share}")
        if not 0.5 < level < 1:
            raise ValueError(f"level must lie between 0.5 and 1, got {level}")
        if self._count > 1:
            raise ValueError(
                f"{self._count} outputs may need different orders: ask one at a time, "
                "spectrum.output(0).sufficient_order()"
            )
        one = self.output(0) if self.variance.ndim > 1 else self
        error, df = one.cumulative_error()
        return sufficient(
            one.cumulative_share[:-1],
            error[:-1],
            df[:-1],
            left_out=float(one.left_out),
            converged=self.converged,
            evaluations=self.evaluations,
            share=share,
            level=level,
        )

    def interval(self, level: float = 0.95, *, of: str = "variance") -> Interval:
        """Confidence interval of the variances, or of the shares with `of="share"`."""
        if not 0 < level < 1:
            raise ValueError(f"level must lie between 0 and 1, got {level}")
        if of not in ("variance", "share"):
            raise ValueError(f'of must be "variance" or "share", got {of!r}')
        if of == "variance":
            centre, error, df = self.variance, self.standard_error, self.degrees_of_freedom
        else:
            centre, error = self.share, self.share_standard_error
            df = self.share_degrees_of_freedom
        half = stats.t.ppf((1 + level) / 2, df) * error
        return Interval(centre - half, centre + half, "Student t, Satterthwaite degrees of freedom")

    @property
    def order_names(self) -> list[str]:
        return [*map(str, range(1, self.max_order + 1)), f">{self.max_order}"]

    @property
    def _count(self) -> int:
        """How many outputs there are."""
        return self.variance[..., 0].size

    def to_frame(self) -> pd.DataFrame:
        """One row per output and order: output, order, variance, share, their standard errors.

        `output` is the number of an output, or its name where outputs have names.
        """
        flat = self.variance.reshape(-1, self.max_order + 1)
        output, column = np.indices(flat.shape)
        names = np.arange(self._count) if self.outputs is None else np.array(self.outputs)
        return pd.DataFrame(
            {
                "output": names[output.ravel()],
                "order": np.asarray(self.order_names)[column.ravel()],
                "variance": flat.ravel(),
                "standard_error": self.standard_error.ravel(),
                "share": self.share.ravel(),
                "share_standard_error": self.share_standard_error.ravel(),
            }
        )

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the share of every order with its 95% interval; a line per output if several.

        Returns the axes, new ones by default. Estimates are drawn as they are, negative ones too,
        and one whose error is not known with a question mark. Needs matplotlib.
        `interactions.plots.plot_orders` draws spectra by a rate or a step.
        """
        low, high, _ = self.interval(of="share")
        shape = (-1, self.max_order + 1)
        names = self._output_names
        if self.constant.any():
            constant = np.ravel(self.constant)
            names = [
                f"{name} (constant: no shares)" if flat else name
                for name, flat in zip(names or [""], constant, strict=True)
            ]
        return bars_or_lines(
            self.share.reshape(shape),
            (high - low).reshape(shape) / 2,
            self.order_names,
            names=[name.strip() for name in names],
            xlabel="order of interaction",
            ylabel="share of variance",
            ax=ax,
        )

    @property
    def _output_names(self) -> list[str]:
        """Names of the outputs, numbers where they have none; of a single one only its own name."""
        if self.outputs is not None:
            return [*map(str, self.outputs)]
        return [] if self._count == 1 else [f"output {i}" for i in range(self._count)]

    def _title(self) -> str:
        whose = ""
        if self._count > 1:
            whose = f" of {self._count} outputs"
        elif self.outputs is not None:
            whose = f" of {self.outputs[0]}"
        reached = "" if self.converged else " (tolerance not reached)"
        return f"OrderSpectrum{whose} by {self.method}, {self.evaluations:,} evaluations{reached}"

    def _remarks(self) -> list[str]:
        """What must be known to read the numbers."""
        remarks = [self.reason] if self.reason else []
        if np.any(self.left_out != 0) and not self.constant.all():
            most = np.max(self.left_out)
            bound = "unknown" if np.isnan(most) else f"at most {most:.2g} of a share"
            remarks.append(f"outside of the basis: {bound}")
        if self.constant.any():
            remarks.append("constant function as far as seen: zero variance, shares undefined")
        return remarks

    def _rows(self) -> list[list[str]]:
        """The table that is printed: a row per order, or per output where there are several."""
        shape = (-1, self.max_order + 1)
        share, error = self.share.reshape(shape), self.share_standard_error.reshape(shape)
        if self._count == 1:
            variances = zip(self.variance.ravel(), self.standard_error.ravel(), strict=True)
            variance = [with_error(v, e, ".4g") for v, e in variances]
            shares = [with_error(v, e) for v, e in zip(share[0], error[0], strict=True)]
            names = [f"order {name}" for name in self.order_names]
            body = zip(names, variance, shares, strict=True)
            return [["", "variance ± error", "share ± error"], *map(list, body)]
        names = self._output_names if self.outputs else [*map(str, range(self._count))]
        rows = [["output", "variance", *(f"order {name}" for name in self.order_names)]]
        for name, total, values, errors in zip(
            names, self.total_variance.ravel(), share, error, strict=True
        ):
            cells = [with_error(v, e) for v, e in zip(values, errors, strict=True)]
            rows.append([name, number(total, ".4g"), *cells])
        return rows

    def __repr__(self) -> str:
        if self._count > 1:
            what = f"{self._count} outputs, orders 1 to {self.max_order} and above"
        else:
            named = zip(self.order_names, self.share.ravel(), strict=True)
            what = "shares " + ", ".join(f"{name}: {number(share, '.3f')}" for name, share in named)
            if len(what) > 60:
                what = f"orders 1 to {self.max_order} and above"
        method = self.method.split(",")[0].split("(")[0].strip()
        reached = "" if self.converged else ", tolerance not reached"
        return f"OrderSpectrum({what}; {method}{reached})"

    def __str__(self) -> str:
        remarks = [line for remark in self._remarks() for line in wrapped(remark)]
        table = aligned(self._rows())
        if self._count > 1:
            remarks.append("  variance, and the share of it that each order has:")
        return "\n".join([*wrapped(self._title(), ""), *remarks, *table])

    def _repr_html_(self) -> str:
        return html_table("; ".join([self._title(), *self._remarks()]), self._rows())
