"""Many networks trained at once under dropout."""

from .ensemble import ACTIVATIONS, MLPEnsemble, group_by_shape, member_seed
from .masked_stream import MaskedStream
from .samples import Samples, Stream
from .stopping import FirstRise, Patience, Tolerance
from .training import FitResult, fit

__all__ = [
    "ACTIVATIONS",
    "FirstRise",
    "FitResult",
    "MLPEnsemble",
    "MaskedStream",
    "Patience",
    "Samples",
    "Stream",
    "Tolerance",
    "fit",
    "group_by_shape",
    "member_seed",
]
