"""What the tables of the headline say, in a sentence each."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd


def sentence(name: str, table: pd.DataFrame) -> str:
    """What a question's table says; empty where its pictures alone do, or it has no dropout."""
    tell = SENTENCES.get(name)
    return "" if tell is None else tell(table)


def _decay_law(t: pd.DataFrame) -> str:
    t = t[(t["target"] == "product") & (t["rate"] > 0)]
    if t.empty:
        return ""
    rate = _nearest_half(t["rate"])
    at = t[t["rate"] == rate].groupby("order")[["amplitude", "law"]].mean()
    return (
        f"Trained with {rate:.4g} of the inputs dropped, networks keep {_listed(at['amplitude'])} "
        f"of products of {_listed(at.index, '{}')} inputs. (1-r)^k is {_listed(at['law'])}."
    )


def _pure_noise(t: pd.DataFrame) -> str:
    t = t[(t["measure"] == "unbiased") & (t["width"] == t["width"].min())]
    t = t[(t["after"] == t["after"].max()) & (t["rule"] == t["rule"].iloc[0])]
    kind = "activation" if (t["placement"] == "activation").any() else t["placement"].max()
    dropped = t[t["placement"] == kind]
    if not (dropped["rate"] > 0).any():
        return ""
    rate = _nearest_half(dropped["rate"])
    shares = [
        rows.groupby("order", sort=False)["share"].mean()
        for rows in (t[t["rate"] == 0], dropped[dropped["rate"] == rate])
    ]
    orders = _listed(shares[1].index, "{}")
    told = [_listed(100 * share, "{:.0f}%") for share in shares if len(share)]
    return (
        f"Of what networks learn of pure noise, orders {orders} are "
        + " without dropout; ".join(told)
        + f" with {kind} dropout at {rate:.4g}."
    )


def _bike_share(t: pd.DataFrame) -> str:
    t = t[(t["quantity"] == "test_mse") & (t["epoch"] == t["epoch"].max())]
    errors = t.groupby("rate")["value"].mean()
    if len(errors) < 2:
        return ""
    return (
        f"On bike sharing the test error after {t['epoch'].max():g} epochs is "
        f"{_listed(errors)} at rates {_listed(errors.index, '{:.4g}')}: "
        f"least at {errors.idxmin():.4g}."
    )


SENTENCES: dict[str, Callable[[pd.DataFrame], str]] = {
    "decay_law": _decay_law,
    "pure_noise": _pure_noise,
    "bike_share": _bike_share,
}


def _nearest_half(rates: pd.Series) -> float:
    """Of rates above 0, the one where most is to be seen."""
    rates = rates[rates > 0]
    return float(rates.iloc[(rates - 0.5).abs().argmin()])


def _listed(values: pd.Series | pd.Index, form: str = "{:.3f}") -> str:
    return ", ".join(map(form.format, values))
