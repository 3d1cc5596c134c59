"""Penalties on interactions for anyone's training loop: exact by order, and their relatives."""

from .order import OrderPenalty
from .profiles import (
    Differences,
    weights_for_shares,
    weights_for_survival,
    weights_from_order,
)
from .relatives import InputGradient, PairInteraction, WalshSparsity, mixup

__all__ = [
    "Differences",
    "InputGradient",
    "OrderPenalty",
    "PairInteraction",
    "WalshSparsity",
    "mixup",
    "weights_for_shares",
    "weights_for_survival",
    "weights_from_order",
]
