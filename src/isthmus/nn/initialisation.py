"""How weights begin: a table of initialisations by name, for matrices and for kernels of convolutions."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from torch import Tensor, nn


@dataclass(frozen=True)
class Fans:
    """How many numbers a unit reads, and how many units read the numbers it gives (positions of a kernel counted)."""

    inputs: int
    outputs: int


Initialisation = Callable[[Tensor, Fans], object]


def fans(weight: Tensor, groups: int = 1) -> Fans:
    """The fans of a matrix (outputs, inputs), or of a kernel (outputs, inputs / groups, *extents)."""
    area = math.prod(weight.shape[2:])
    return Fans(weight.shape[1] * area, weight.shape[0] // groups * area)


def normal(sd: float) -> Initialisation:
    """N(0, sd²), whatever the fans: as Krizhevsky (2012) and Sermanet (2013) began."""
    return lambda weight, fan: nn.init.normal_(weight, std=sd)


def spread(bound: float) -> Initialisation:
    """U(−bound/n, bound/n), n the inputs of a unit: with a bound of 2.4 LeCun's of 1998 for the scaled tanh."""
    return lambda weight, fan: nn.init.uniform_(weight, -bound / fan.inputs, bound / fan.inputs)


def within(bound: float) -> Initialisation:
    """U(−bound, bound), whatever the fans."""
    return lambda weight, fan: nn.init.uniform_(weight, -bound, bound)


def _standard(weight: Tensor, fan: Fans) -> None:
    bound = 1 / math.sqrt(fan.inputs)
    nn.init.uniform_(weight, -bound, bound)


def _lecun(weight: Tensor, fan: Fans) -> None:
    nn.init.normal_(weight, std=math.sqrt(1 / fan.inputs))


def _xavier(weight: Tensor, fan: Fans) -> None:
    bound = math.sqrt(3) * math.sqrt(2 / (fan.inputs + fan.outputs))
    nn.init.uniform_(weight, -bound, bound)


def _he(weight: Tensor, fan: Fans) -> None:
    nn.init.normal_(weight, std=math.sqrt(2 / fan.inputs))


def _orthogonal(weight: Tensor, fan: Fans) -> None:
    nn.init.orthogonal_(weight)


# Each fills a weight in place, from torch's default generator and nothing else.
INITIALISATIONS: Mapping[str, Initialisation] = {
    "uniform": within(0.5),  # U(−½, ½), blind to the fans: what deep rectified nets vanish under
    "standard": _standard,  # U(−1/√n, 1/√n), n inputs a unit: what was usual before (Glorot & Bengio 2010, eq. 1)
    "lecun": _lecun,  # N(0, 1/n), n inputs a unit: keeps the variance of linear units (LeCun 1998, Efficient BackProp)
    "xavier": _xavier,  # U with variance 2/(n + m), m readers a unit (Glorot & Bengio 2010, eq. 16)
    "he": _he,  # N(0, 2/n): keeps the variance of rectified units (He 2015, eq. 10)
    "orthogonal": _orthogonal,  # orthonormal rows, or columns where those are fewer (Saxe 2014)
    "mitchell": within(0.1),  # U(−.1, .1), as Mitchell began his 8-3-8 (1997, section 4.6.4)
    "small": normal(0.01),  # what machines begin with that are then trained one by one (Hinton 2010, section 8)
}
