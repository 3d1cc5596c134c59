# %% [markdown]
# # An hour with interactions
#
# A function's variance over its inputs comes in orders: what each input does alone, what pairs do
# beyond that, what triples do beyond pairs. All of this runs in about a minute
# (`python -m experiments.tutorial.render`); the hour is for changing lines.
#
# ## 1. What an interaction is
#
# Take `x0 + x0 * x1` where both inputs are uniform on (-1, 1). The first term has variance 1/3,
# the second 1/9, so a quarter of the variance should be of order 2.

# %%
import numpy as np
import pandas as pd
import torch
from matplotlib import pyplot as plt
from sklearn.ensemble import GradientBoostingRegressor
from torch import nn

from interactions import (
    Dropout,
    MLPEnsemble,
    OrderPenalty,
    OrderSpectrum,
    Rademacher,
    Samples,
    Uniform,
    fit,
    order_spectrum,
    selectivity,
    sweep_rates,
)
from interactions.anova import subset_variances
from interactions.penalty import weights_from_order
from interactions.planted import PlantedInteractions

torch.manual_seed(0)
on_minus_one_to_one = Uniform(-1.0, 1.0, dim=2)
print(order_spectrum(lambda x: x[:, 0] + x[:, 0] * x[:, 1], on_minus_one_to_one))

# %% [markdown]
# `method` says how it was measured: two inputs fit on a grid, so nothing here is random.
#
# Is a product always an interaction? Move the inputs to (0, 1):


# %%
def product(x):
    return x[:, 0] * x[:, 1]


for low, high in [(-1.0, 1.0), (-0.5, 1.0), (0.0, 1.0)]:
    spectrum = order_spectrum(product, Uniform(low, high, dim=2))
    print(f"x0 * x1 on ({low:g}, {high:g}): share of order 2 {spectrum.share[1]:.3f}")

# %% [markdown]
# With its mean at 1/2, most of the product is a main effect. A *pure* interaction of order 2
# averages to 0 over either of its inputs, so that every measurement asks for a distribution.
#
# *Try:* `x0 ** 2 * x1`, and `(x0 > 0) ^ (x1 > 0)` (as `.double()`).
#
# ## 2. A function of known answer
#
# Planted interactions know their own spectrum. This one has variance 1 at order 1, a half at
# order 2 and a quarter at order 3, in ten inputs.

# %%
inputs = Uniform(-1.0, 1.0, dim=10)
planted = PlantedInteractions(inputs, {1: 1.0, 2: 0.5, 3: 0.25}, {1: 3, 2: 3, 3: 2}, seed=1)
truth = planted.spectrum(inputs, 3).variance
print("known       ", truth[:3].round(3))
for method in ("kernel", "differences"):
    found = order_spectrum(planted, inputs, max_order=3, method=method, tolerance=0.02)
    away = (found.variance - truth)[:3] / found.standard_error[:3]
    print(f"{method:<12}", found.variance[:3].round(3), "off by standard errors:", away.round(1))

# %% [markdown]
# Off by more than 3 standard errors should hardly ever happen. `auto`, the default, chooses a
# method.
#
# ## 3. A network on noise
#
# Fit networks to labels that are noise: what they learn has a spectrum, too. Ten networks are
# trained at once, each on data of its own. Their inputs are eight signs, of which there are 256
# points, so each spectrum is exact.

# %%
signs = Rademacher(dim=8)
seeds = range(10)
x = torch.stack([signs.sample(200, generator=seed, dtype=torch.float32) for seed in seeds])
noise = torch.randn(10, 200, generator=torch.Generator().manual_seed(0))


ORDERS = ["1", "2", "3", "4", ">4"]


def learned(rate, steps=300, y=noise, penalty=None):
    """Variance by order of what ten networks learn, [10, 5]: orders 1 to 4 and above."""
    dropout = Dropout(hidden=rate)
    networks = MLPEnsemble((8, 32, 32, 1), seeds=seeds, dropout=dropout)
    samples = Samples(x, y, batch_size=64)
    fit(networks, samples, steps=steps, learning_rate=3e-3, order_penalty=penalty)
    return order_spectrum(networks, signs, max_order=4, method="exact").variance


plain = learned(0.0)
share = plain / plain.sum(axis=1, keepdims=True)
errors = share.std(axis=0, ddof=1) / 10**0.5
print("shares of orders 1, 2, 3, 4, above:", share.mean(axis=0).round(3))
print("                   standard errors:", errors.round(3))

# %% [markdown]
# Most of what networks make of noise are interactions: there are many more sets of three inputs
# than inputs, and noise lies along all of them alike.
#
# ## 4. Dropout, off and on

# %%
rates = [0.0, 0.125, 0.25, 0.5]
by_rate = [learned(rate) for rate in rates]
shares = np.stack([v / v.sum(axis=1, keepdims=True) for v in by_rate])  # [rates, networks, orders]
figure, axes = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
for k, (name, marker) in enumerate(zip(ORDERS, "osD^v", strict=True)):
    error = 2 * shares[:, :, k].std(axis=1, ddof=1) / 10**0.5
    axes[0].errorbar(rates, shares[:, :, k].mean(1), error, marker=marker, label=f"order {name}")
axes[0].set(xlabel="drop rate on hidden units", ylabel="share of variance", title="which orders")
figure.legend(loc="outside right center")
axes[1].semilogy(rates, [v.sum(axis=1).mean() for v in by_rate], "o-")
axes[1].set(xlabel="drop rate on hidden units", title="and how much of all")
plt.show()

# %% [markdown]
# Low orders gain share as the rate rises, and high orders lose it. On the right, most of all that
# was learned is gone. Does dropout act on *interactions*, or just shrink? Step 8 asks.
#
# *Try:* `steps=3000`. What dropout does early is not what it does late.
#
# ## 5. Reading error bars
#
# `standard_error` is that of measuring *one* function. The spread over networks is that of another
# data set and start. Measuring longer makes the first small, and never the second.

# %%
networks = MLPEnsemble((10, 32, 32, 1), seeds=range(5))
points = torch.stack([inputs.sample(300, generator=s, dtype=torch.float32) for s in range(5)])
labels = torch.stack([planted(p) for p in points])
fit(networks, Samples(points, labels, batch_size=64), steps=300, learning_rate=3e-3)
spectrum = order_spectrum(networks, inputs, max_order=2, tolerance=0.02)
print("share of order 1, network by network:", spectrum.share[:, 0].round(3))
print("  error of measuring each:           ", spectrum.share_standard_error[:, 0].round(3))
print(f"  spread over networks:               {spectrum.share[:, 0].std(ddof=1):.3f}")

# %% [markdown]
# If a claim is about networks *in general*, its error is over networks: at least five.
#
# ## 6. Your own data and model
#
# Anything that predicts is measured on its own data frame, each column drawn on its own: the
# question is what the model does with its inputs, not how these hang together.

# %%
rng = np.random.default_rng(0)
frame = pd.DataFrame(rng.normal(size=(500, 4)), columns=["age", "dose", "weight", "noise"])
outcome = frame["age"] + 2 * frame["dose"] * frame["weight"] + 0.3 * rng.normal(size=500)
model = GradientBoostingRegressor(random_state=0).fit(frame, outcome)
print("shares of orders 1, 2, above:", order_spectrum(model, frame, max_order=2).share.round(3))
variances = subset_variances(model, frame)
for names in sorted(variances, key=variances.get, reverse=True)[:3]:
    print(f"{variances[names]:.3f}", *names)

# %% [markdown]
# *Put your own frame and model here.* More kinds of models:
# [`MODELS.md`](../../interactions/MODELS.md).
#
# ## 7. Choosing a rate
#
# `sweep_rates` trains your model at every rate on the same splits, and says which predicts best,
# which are tied with it, and what each does to the orders.


# %%
def build(rate):
    return nn.Sequential(nn.Linear(4, 64), nn.ReLU(), nn.Dropout(rate), nn.Linear(64, 1))


data = frame.assign(outcome=outcome)
sweep = sweep_rates(build, data, "outcome", rates=(0.0, 0.5), seeds=range(3), epochs=30)
print(sweep)

# %% [markdown]
# Here a product carries most of the outcome, so a high rate costs: dropout makes interactions
# hard to learn. Where the truth is of order 1 and noise is large, it is the other way round.
#
# ## 8. Acting on order directly
#
# Whether a regularizer acts on order, or merely shrinks, is its *selectivity*: the slope of
# log(V_k with / V_k without) in k. 0 only shrinks; negative acts on interactions.


# %%
def slope(with_it, without):
    spectra = (OrderSpectrum.known(v, method="exact") for v in (with_it, without))
    return float(selectivity(*spectra).slope)


for rate, variance in zip(rates[1:3], by_rate[1:3], strict=True):
    slopes = np.array([slope(*pair) for pair in zip(variance, plain, strict=True)])
    error = slopes.std(ddof=1) / 10**0.5
    print(f"dropout at {rate:g}: selectivity {slopes.mean():.2f} ± {error:.2f}")

# %% [markdown]
# A penalty acts on the orders that you name, whatever the function: here from order 3 on. In a
# training loop of your own it is one more term, `loss = loss + penalty(model, x)`.

# %%
penalty = OrderPenalty(signs, weights=weights_from_order(3), strength=1.0)
penalised = learned(0.0, penalty=penalty)
print("without:", plain.mean(axis=0).round(3))
print("with it:", penalised.mean(axis=0).round(3))

# %% [markdown]
# By law the best fit keeps 1 / (1 + strength · weight) of every order
# ([law 7](../../interactions/LAWS.md)). *Try:* `rho=0.5` in place of `weights`.
#
# Weight decay, fewer units and early stopping have theirs: [the lecture](../lecture/README.md)
# compares them at the same total variance. Next: questions that are ready to run
# ([`experiments`](../README.md)), and one of your own ([`EXTENDING.md`](../../EXTENDING.md)).
