"""Ways of measuring variance by interaction order, one per file, behind `order_spectrum`."""

from .distillation import held_out_distillation, released_distillation, released_trees
from .exact import GridTooLargeError, subset_variances
from .from_samples import order_spectrum_from_samples
from .measure import METHODS, Method, order_spectrum
from .population import population_spectrum
from .purification import Purified, purify
from .strongest import interaction_terms, strongest_interactions
from .total_indices import MeanOrder, mean_order, superset_index
from .trees import UnreadableModelError, tree_spectrum, understands

__all__ = [
    "METHODS",
    "GridTooLargeError",
    "MeanOrder",
    "Method",
    "Purified",
    "UnreadableModelError",
    "held_out_distillation",
    "interaction_terms",
    "mean_order",
    "order_spectrum",
    "order_spectrum_from_samples",
    "population_spectrum",
    "purify",
    "released_distillation",
    "released_trees",
    "strongest_interactions",
    "subset_variances",
    "superset_index",
    "tree_spectrum",
    "understands",
]
