"""Whether the trees of a model are the whole function that is measured, and its spectrum if so."""

from __future__ import annotations

from dataclasses import replace

import torch

from ...spectrum import OrderSpectrum
from .._evaluate import Evaluator
from ._leaves import leaves_of, place
from ._reading import read
from ._spectrum import AGREE, compare, exact_sums
from ._structure import UnreadableModelError

POINTS = 64
"""Points at which the sum of trees is compared with the function."""
MOST_PRODUCTS = 2**31
"""Products of pairs of leaves up to which trees are taken without being asked for: seconds."""


def whole_spectrum(
    model: object, evaluate: Evaluator, *, max_order: int, seed: int
) -> OrderSpectrum | None:
    """Exact spectrum of the evaluator's function, where that is the sum of a model's trees.

    None where it is not: other models, those with a link after their trees, inputs that a model
    is given in another form, columns in another order, and where pairs of leaves are too many.
    """
    inputs = evaluate.inputs
    try:
        reading = read(model)
        x = inputs.sample(POINTS, generator=seed)
        itself = not inputs.encoded and torch.equal(inputs.expand(x), x)
        if not itself or reading.dim != inputs.dim:
            return None
        sums = torch.as_tensor(reading.predict(x.numpy())).double().reshape(POINTS, -1)
        asked = evaluate(x).double().cpu().reshape(POINTS, -1)
        if asked.shape != sums.shape:
            return None
        # Constants carry no variance.
        off = (asked - sums) - (asked - sums).median(dim=0).values
        if off.abs().max() > AGREE * (sums.abs().max() + asked.abs().max()):
            return None
        single = compare(reading, inputs, {}, seed)
    except UnreadableModelError:
        return None
    found = exact_sums(
        leaves_of(place(reading.trees, inputs, {}), evaluate.memory),
        reading.output,
        max_order=max_order,
        most_products=MOST_PRODUCTS,
        memory=evaluate.memory,
    )
    if found is None:
        return None
    found = replace(found, reason="the model's trees, which are all of it, were read")
    return found.output(0) if single else found
