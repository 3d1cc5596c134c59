"""The result: what of the test error is bias, variance and noise, order by order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy import stats

from ..plots import bars_or_lines
from ..printing import aligned, html_table, number, with_error, wrapped
from ..saving import Saved

if TYPE_CHECKING:
    from matplotlib.axes import Axes

QUANTITIES = ("error", "bias", "variance")


@dataclass(frozen=True, kw_only=True, repr=False)
class ErrorByOrder(Saved):
    """Mean squared error of models by order: 0, the mean, 1 .. max_order, then everything above.

    Arrays have shape [max_order + 2], in squared units of the target. Estimates are signed and
    never clipped. Of every order, error = bias + variance; over orders they and the noise sum to
    the test error.

    Attributes
    ----------
    bias, variance : float64 arrays
        Squared distance of the mean model from the target, and mean squared distance of a model
        from the mean model, over what the models differ in. Without bias from few models. NaN for
        one model alone. From labels, the bias of everything above is part of the noise, and NaN.
    error : float64 array
        Mean over models of the squared distance from the target. From labels, of everything above
        it is the models' part alone.
    *_standard_error : float64 arrays
        Over models (jackknife) and over the points they are measured at, together. NaN with fewer
        than three models.
    *_degrees_of_freedom : float64 arrays
        Of the standard errors, for Student t intervals.
    noise, noise_standard_error : float
        From labels: mean square of what no order up to max_order explains, label noise and any
        bias above or outside of the basis. 0 where the target is known.
    test_error, test_error_standard_error : float
        Mean squared error over models and points, seen directly; its error over points and models.
    models : int
    method : str

    Examples
    --------
    >>> from interactions import Uniform, error_by_order
    >>> models = [lambda x: x[:, 0] + 0.1 * x[:, 1], lambda x: x[:, 0] - 0.1 * x[:, 1]]
    >>> found = error_by_order(models, lambda x: x[:, 0], Uniform(-1.0, 1.0, dim=2))
    >>> found.models, found.noise, bool(abs(found.test_error - 0.01 / 3) < 1e-4)
    (2, 0.0, True)
    """

    bias: np.ndarray
    bias_standard_error: np.ndarray
    bias_degrees_of_freedom: np.ndarray
    variance: np.ndarray
    variance_standard_error: np.ndarray
    variance_degrees_of_freedom: np.ndarray
    error: np.ndarray
    error_standard_error: np.ndarray
    error_degrees_of_freedom: np.ndarray
    noise: float
    noise_standard_error: float
    test_error: float
    test_error_standard_error: float
    models: int
    method: str

    @property
    def max_order(self) -> int:
        return len(self.error) - 2

    @property
    def order_names(self) -> list[str]:
        return [*map(str, range(self.max_order + 1)), f">{self.max_order}"]

    @property
    def total(self) -> float:
        """What all orders and the noise sum to: the test error."""
        return float(np.nansum(self.error) + self.noise)

    def interval(self, level: float = 0.95, *, of: str = "error") -> tuple[np.ndarray, np.ndarray]:
        """Ends of the confidence intervals of every order, of "error", "bias" or "variance"."""
        if not 0 < level < 1:
            raise ValueError(f"level must lie between 0 and 1, got {level}")
        if of not in QUANTITIES:
            raise ValueError(f"of must be one of {list(QUANTITIES)}, got {of!r}")
        df = getattr(self, f"{of}_degrees_of_freedom")
        half = stats.t.ppf((1 + level) / 2, df) * getattr(self, f"{of}_standard_error")
        return getattr(self, of) - half, getattr(self, of) + half

    def to_frame(self) -> pd.DataFrame:
        """A row per quantity and order: order, quantity, value, standard_error; noise last."""
        rows = [
            {"order": order, "quantity": of, "value": value, "standard_error": error}
            for of in QUANTITIES
            for order, value, error in zip(
                self.order_names,
                getattr(self, of).tolist(),
                getattr(self, f"{of}_standard_error").tolist(),
                strict=True,
            )
        ]
        for of in ("noise", "test_error"):
            error = getattr(self, f"{of}_standard_error")
            row = {"order": "all", "quantity": of, "value": getattr(self, of)}
            rows.append(row | {"standard_error": error})
        return pd.DataFrame(rows)

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw bias and variance of every order with their 95% intervals.

        Returns the axes, new ones by default; the error alone of one model. Needs matplotlib.
        """
        parts = ["error"] if np.isnan(self.bias).all() else ["bias", "variance"]
        ends = np.array([self.interval(of=of) for of in parts])
        return bars_or_lines(
            np.array([getattr(self, of) for of in parts]),
            (ends[:, 1] - ends[:, 0]) / 2,
            self.order_names,
            names=parts,
            xlabel="order of interaction (0 is the mean)",
            ylabel="squared error",
            ax=ax,
        )

    def __repr__(self) -> str:
        return (
            f"ErrorByOrder({self.models} models, orders 0 to {self.max_order} and above; "
            f"test error {number(self.test_error)}, noise {number(self.noise)})"
        )

    def _title(self) -> str:
        return (
            f"Error by order of {self.models} models, {self.method}: test error "
            f"{with_error(self.test_error, self.test_error_standard_error).strip()}, of it noise "
            f"{with_error(self.noise, self.noise_standard_error).strip()}"
        )

    def _rows(self) -> list[list[str]]:
        columns = [
            [
                with_error(v, e)
                for v, e in zip(
                    getattr(self, of), getattr(self, f"{of}_standard_error"), strict=True
                )
            ]
            for of in QUANTITIES
        ]
        names = ["mean", *(f"order {name}" for name in self.order_names[1:])]
        body = zip(names, *columns, strict=True)
        return [["", *(f"{of} ± error" for of in QUANTITIES)], *map(list, body)]

    def __str__(self) -> str:
        return "\n".join([*wrapped(self._title(), ""), *aligned(self._rows())])

    def _repr_html_(self) -> str:
        return html_table(self._title(), self._rows())
