"""The result of every measurement: variance by interaction order."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats


class Interval(NamedTuple):
    """Two ends of a confidence interval, each [..., max_order + 1], and how they were made."""

    low: np.ndarray
    high: np.ndarray
    method: str


@dataclass(frozen=True, kw_only=True)
class OrderSpectrum:
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
    outputs : tuple of str, optional
        Names of the outputs, in their order.
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
    outputs: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        for name in ("standard_error", "share", "share_standard_error"):
            if getattr(self, name).shape != self.variance.shape:
                raise ValueError(f"{name} must have the shape of variance, {self.variance.shape}")

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

    def output(self, index: int) -> OrderSpectrum:
        """The spectrum of one output of a function with several."""
        arrays = {
            f.name: getattr(self, f.name)[index]
            for f in fields(self)
            if isinstance(getattr(self, f.name), np.ndarray)
        }
        return replace(self, **arrays)

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

    def to_frame(self) -> pd.DataFrame:
        """One row per output and order: output, order, variance, share, their standard errors."""
        flat = self.variance.reshape(-1, self.max_order + 1)
        output, column = np.indices(flat.shape)
        return pd.DataFrame(
            {
                "output": output.ravel(),
                "order": np.asarray(self.order_names)[column.ravel()],
                "variance": flat.ravel(),
                "standard_error": self.standard_error.ravel(),
                "share": self.share.ravel(),
                "share_standard_error": self.share_standard_error.ravel(),
            }
        )

    def __str__(self) -> str:
        lines = [f"OrderSpectrum by {self.method}, {self.evaluations:,} evaluations"]
        lines[0] += "" if self.converged else " (tolerance not reached)"
        if self.reason:
            lines.append(f"  {self.reason}")
        if np.any(self.left_out != 0) and not self.constant.all():
            most = np.max(self.left_out)
            bound = "unknown" if np.isnan(most) else f"at most {most:.2g} of a share"
            lines.append(f"  outside of the basis: {bound}")
        if self.constant.any():
            lines.append("constant function as far as seen: zero variance, shares undefined")
        for row in self.to_frame().itertuples():
            name = f"order {row.order}" + (
                f", output {row.output}" if self.variance.ndim > 1 else ""
            )
            lines.append(
                f"  {name:<12} variance {row.variance:.4g} ± {row.standard_error:.2g}"
                f"   share {row.share:.4f} ± {row.share_standard_error:.2g}"
            )
        return "\n".join(lines)
