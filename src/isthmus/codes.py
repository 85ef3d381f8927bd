"""Codes: the encoder's output a → (z, stats), and what each code gives to penalties."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Generator, Tensor, nn

from isthmus._constraints import Constraint, OneOf, count
from isthmus._spec import Spec
from isthmus.errors import SettingError
from isthmus.nn import ACTIVATIONS

Coded = tuple[Tensor, dict[str, Tensor]]


class Code(nn.Module):
    """Base of built codes.

    Attributes
    ----------
    size : int
        K, the numbers in z.
    width : int
        How many numbers a row the encoder must emit.
    gives : frozenset of str
        What a penalty can count on: "unit interval" (z in (0, 1), stats has `logits`), "gaussian" (stats has `mean`
        and `log_variance`; the prior is N(0, I)).
    """

    gives: frozenset[str] = frozenset()

    def __init__(self, size: int, width: int | None = None) -> None:
        super().__init__()
        self.size = size
        self.width = size if width is None else width

    def forward(self, a: Tensor, context: Tensor | None = None, rng: Generator | None = None) -> Coded:
        """Code rows a, (N, width), as z, (N, K). Without `rng` the code is deterministic."""
        return a, {}

    def slope(self, a: Tensor) -> Tensor | None:
        """dz/da, (N, K), where z is a function of a entry by entry; None where it is not."""
        return torch.ones_like(a)

    def sample(self, n: int, rng: Generator) -> Tensor | None:
        """n codes drawn from the prior, (n, K); None where there is no prior."""
        return None


@dataclass
class Plain(Spec):
    """z = a."""

    def build(self, size: int) -> Code:
        return Code(size)


@dataclass
class Activation(Spec):
    """z = s(a), s one of the activations by name; "sigmoid" keeps z in (0, 1), as a sparsity target needs."""

    name: str = "sigmoid"
    constraints: ClassVar[Mapping[str, Constraint]] = {"name": OneOf(tuple(ACTIVATIONS))}

    def build(self, size: int) -> Code:
        return _Activation(size, self.name)


class _Activation(Code):
    def __init__(self, size: int, name: str) -> None:
        super().__init__(size)
        self.name = name
        self.gives = frozenset({"unit interval"}) if name == "sigmoid" else frozenset()

    def forward(self, a: Tensor, context: Tensor | None = None, rng: Generator | None = None) -> Coded:
        return ACTIVATIONS[self.name].function(a), {"logits": a}

    def slope(self, a: Tensor) -> Tensor | None:
        bend = ACTIVATIONS[self.name]
        return bend.slope(a, bend.function(a))


@dataclass
class TopK(Spec):
    """z keeps the k largest positive activations of each row, the rest are exactly 0 (Makhzani & Frey 2013)."""

    k: int = 8
    constraints: ClassVar[Mapping[str, Constraint]] = {"k": count()}

    def build(self, size: int) -> Code:
        if self.k > size:
            raise SettingError(
                f"codes.TopK keeps k={self.k} of {size} units", where="code", expected="k at most code_size"
            )
        return _TopK(size, self.k)


class _TopK(Code):
    def __init__(self, size: int, k: int) -> None:
        super().__init__(size)
        self.k = k

    def kept(self, a: Tensor) -> Tensor:
        top = torch.topk(a, self.k, dim=-1, sorted=False).indices
        return torch.zeros_like(a).scatter(-1, top, 1.0) * (a > 0)

    def forward(self, a: Tensor, context: Tensor | None = None, rng: Generator | None = None) -> Coded:
        return torch.where(self.kept(a) > 0, a, 0.0), {}

    def slope(self, a: Tensor) -> Tensor | None:
        return self.kept(a)


@dataclass
class Gaussian(Spec):
    """z = μ + σ⊙ε, ε ~ N(0, I), where a = (μ, log σ²); without sampling z = μ (Kingma & Welling 2014)."""

    def build(self, size: int) -> Code:
        return _Gaussian(size, 2 * size)


class _Gaussian(Code):
    gives = frozenset({"gaussian"})

    def forward(self, a: Tensor, context: Tensor | None = None, rng: Generator | None = None) -> Coded:
        mean, log_variance = a.chunk(2, dim=-1)
        log_variance = log_variance.clamp(-30, 20)  # beyond, exp leaves float32
        stats = {"mean": mean, "log_variance": log_variance}
        if rng is None:
            return mean, stats
        noise = torch.randn(mean.shape, generator=rng, device=mean.device, dtype=mean.dtype)
        return mean + noise * torch.exp(log_variance / 2), stats

    def slope(self, a: Tensor) -> Tensor | None:
        return None

    def sample(self, n: int, rng: Generator) -> Tensor | None:
        return torch.randn(n, self.size, generator=rng, device=rng.device)
