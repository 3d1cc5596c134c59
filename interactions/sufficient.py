"""Which order is enough: the smallest one up to which a share of the variance is shown to lie."""

from __future__ import annotations

import html
import math
from dataclasses import dataclass

import numpy as np
from scipy import stats

from .saving import Saved


@dataclass(frozen=True, kw_only=True, repr=False)
class Sufficient(Saved):
    """Which order is enough for a share of the variance, and how sure that is.

    Attributes
    ----------
    order : int or None
        The smallest order shown to be enough; None where not even max_order was.
    smallest : bool
        Whether every lower order (every order up to max_order, where `order` is None) is shown not
        to be enough. Otherwise the next lower one is open.
    share, level : float
        What was asked.
    cumulative, at_least : float
        Share of the variance up to `order` (max_order where it is None), as estimated, and its
        lower confidence bound at `level`.
    more_evaluations : int or None
        How many more would settle what is open, if the estimates stay what they are; 0 where
        nothing is. None where no number is known to, for the reason given in `doubt`.
    doubt : str
    """

    order: int | None
    smallest: bool
    share: float
    level: float
    cumulative: float
    at_least: float
    more_evaluations: int | None
    doubt: str = ""

    def __repr__(self) -> str:
        return (
            f"Sufficient(order={self.order}, share={self.share:g}, level={self.level:g}, "
            f"more_evaluations={self.more_evaluations})"
        )

    def _repr_html_(self) -> str:
        return f"<p>{html.escape(str(self))}</p>"

    def __str__(self) -> str:
        sure = f"(confidence {self.level:g})"
        if self.order is not None:
            known = f"order {self.order} is enough: at least {self.at_least:.4f} of the variance"
            if self.smallest:
                return f"{known} lies up to it {sure}" + (
                    "" if self.order == 1 else f", less than {self.share:g} up to the one below"
                )
            known += f" lies up to it {sure}; whether the one below is enough is open"
        elif self.smallest:
            return f"no order measured is enough: less than {self.share:g} lies up to them {sure}"
        elif math.isnan(self.cumulative):
            known = "open"
        else:
            least = f", at least {self.at_least:.4f} {sure}"
            known = (
                f"open: {self.cumulative:.4f} of the variance lies up to the orders measured"
                f"{'' if math.isnan(self.at_least) else least}, and {self.share:g} is asked"
            )
        if self.more_evaluations is None:
            return f"{known}: {self.doubt}"
        return f"{known}: about {self.more_evaluations:,} more evaluations would decide"


def sufficient(
    cumulative: np.ndarray,
    error: np.ndarray,
    degrees_of_freedom: np.ndarray,
    *,
    left_out: float,
    converged: bool,
    evaluations: int,
    share: float,
    level: float,
) -> Sufficient:
    """Test the orders from the highest down, each at the same level, and stop at the first failure.

    Shares up to an order grow with it, so a claim that is wrong needs the first of the orders that
    are not enough to pass, one test of the sequence, whatever the others do: no correction for the
    number of orders (Maurer, Hothorn & Lehmacher 1995, fixed sequences).

    Parameters
    ----------
    cumulative, error, degrees_of_freedom : arrays [max_order]
        Shares up to every order.
    left_out : float
        Share that a basis may have missed: it may lie at any order.
    converged : bool
        Only then is an order said not to be enough: where few points carry the variance, samples
        whose estimates are too low state errors too small, and an order may not have been seen.
    """
    with np.errstate(invalid="ignore"):
        half = stats.t.ppf(level, degrees_of_freedom) * error
        # What a basis leaves out is counted above every order already: against, not for.
        enough = cumulative - half >= share
        too_low = (cumulative + left_out + half < share) & converged
    order = len(cumulative)
    while order and enough[order - 1]:
        order -= 1
    # `order` failed, all above it passed.
    shown = order + 1 if order < len(cumulative) else None
    at = order if shown else order - 1
    decided = order == 0 or bool(too_low[order - 1])
    more: int | None = 0
    doubt = ""
    if not decided:
        k = order - 1
        gap = cumulative[k] - share
        more, doubt = _more(gap, half[k], evaluations, left_out, converged)
    return Sufficient(
        order=shown,
        smallest=decided,
        share=share,
        level=level,
        cumulative=float(cumulative[at]),
        at_least=float(cumulative[at] - half[at]),
        more_evaluations=more,
        doubt=doubt,
    )


def _more(
    gap: float, half: float, evaluations: int, left_out: float, converged: bool
) -> tuple[int | None, str]:
    """How many more evaluations would settle an order, or why none are known to.

    `gap` is the estimate less the share that was asked, `half` what its error allows.
    """
    if np.isnan(gap):
        return None, "no variation was seen, and a constant has no shares"
    if np.isnan(half) or not evaluations:
        return None, "the error of the shares is not known"
    if gap < 0:
        if np.isnan(left_out):
            return None, "what the basis leaves out is not known"
        if gap + left_out >= 0:
            return None, f"the basis may leave out {left_out:.2g} of a share, at any order"
        gap += left_out
        if not converged and gap + half < 0:
            return None, "less is seen than asked, by a measurement that has not converged"
    if gap == 0:
        return None, "the estimate is the share that was asked"
    # Errors fall with the root of the evaluations at least. Two digits are more than is known.
    more = evaluations * ((half / gap) ** 2 - 1)
    digit = 10 ** max(math.floor(math.log10(max(more, 1.0))) - 1, 0)
    return max(math.ceil(more / digit) * digit, 1), ""
