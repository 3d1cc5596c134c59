"""Where points come from: distributions of independent inputs.

Every distribution draws samples, gives a quadrature rule per coordinate, and an orthonormal
polynomial basis per coordinate. All three rest on two facts that each class states about itself:
its quantile function and the three-term recurrence of its orthonormal polynomials
(Gautschi, *Orthogonal Polynomials: Computation and Approximation*, 2004).
"""

from .base import FEW_VALUES, Inputs, check_order
from .bernoulli import Bernoulli
from .empirical import OF_THESE_ROWS, Empirical
from .marginals import Marginals
from .plain import Normal, Rademacher, Uniform

__all__ = [
    "FEW_VALUES",
    "OF_THESE_ROWS",
    "Bernoulli",
    "Empirical",
    "Inputs",
    "Marginals",
    "Normal",
    "Rademacher",
    "Uniform",
    "check_order",
]
