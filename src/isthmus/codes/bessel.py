"""Modified Bessel functions of the first kind, as logarithms and ratios that neither overflow nor cancel.

Debye's expansion for large orders (Abramowitz & Stegun 1964, 9.7.7), brought down by the recurrence of the ratios,
which is stable in that direction. The number of steps depends on the order alone.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

LARGE = 16.0  # an order from which on the expansion is good to eight digits
# Debye's polynomials u₁ … u₄: (divisor, ((power of p, coefficient), …))
DEBYE = (
    (24, ((1, 3), (3, -5))),
    (1152, ((2, 81), (4, -462), (6, 385))),
    (414720, ((3, 30375), (5, -369603), (7, 765765), (9, -425425))),
    (39813120, ((4, 4465125), (6, -94121676), (8, 349922430), (10, -446185740), (12, 185910725))),
)


def log_bessel(order: float, x: Tensor) -> tuple[Tensor, Tensor]:
    """log(e⁻ˣ I_ν(x)) and I_ν₊₁(x) / I_ν(x) of an order ν ≥ 0 at x > 0, both of x's shape."""
    steps = max(0, math.ceil(LARGE - order))
    high = order + steps
    log = _debye(high, x)
    ratio = torch.exp(_debye(high + 1, x) - log)
    for step in range(steps):
        ratio = 1 / (2 * (high - step) / x + ratio)  # of order high − step − 1
        log = log - torch.log(ratio)
    return log, ratio


def _debye(order: float, x: Tensor) -> Tensor:
    """log(e⁻ˣ I_ν(x)) of a large order."""
    t = x / order
    root = torch.sqrt(1 + t.square())
    p = 1 / root
    series = torch.ones_like(p)
    for k, (divisor, terms) in enumerate(DEBYE, 1):
        series = series + _polynomial(p, terms) / (divisor * order**k)
    exponent = order * (1 / (root + t) + torch.log(t / (1 + root)))  # √(1 + t²) − t, without cancelling
    return exponent - 0.5 * torch.log(2 * math.pi * order * root) + torch.log(series)


def _polynomial(p: Tensor, terms: tuple[tuple[int, int], ...]) -> Tensor:
    """Horner's scheme in p², after the lowest power."""
    square, total = p.square(), torch.zeros_like(p)
    for _, coefficient in reversed(terms):
        total = total * square + coefficient
    return total * p ** terms[0][0]
