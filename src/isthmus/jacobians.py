"""The Jacobian of the code with respect to the row, and its squared norm: in closed form where there is one.

A perceptron's is the product J = diag(c) W_L diag(s_{L−1}) W_{L−1} … diag(s₁) W₁ at each row, s the hidden layers'
slopes and c the code's. Its norm is ⟨J, J⟩, whose gradient is twice that of ⟨J̄, J⟩ with J̄ held fixed: only one
of two equal factors is differentiated, which spares a third to a half of the work. What is multiplied first is a
function of the shapes, by the number of multiplications there and back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from isthmus.codes import Code
from isthmus.nn import ConvolutionalEncoder, Perceptron
from isthmus.passes import Pass


class Chain(NamedTuple):
    """The factors of J at N rows, from the input's end."""

    matrices: Sequence[Tensor]  # W₁ … W_L
    slopes: Sequence[Tensor]  # s₁ … s_{L−1}, (N, H) each
    bend: Tensor | None  # c, (N, K); None where it is 1


class Product(NamedTuple):
    """A Jacobian at N rows as what it does."""

    along: Callable[[Tensor], Tensor]  # r directions u, (N, r, D) → J u, (N, r, K)
    back: Callable[[Tensor], Tensor]  # r vectors v, (N, r, K) → vᵀ J, (N, r, D)

    @classmethod
    def of(cls, J: Tensor) -> Product:
        """Of matrices, (N, K, D)."""
        return cls(lambda u: u @ J.mT, lambda v: v @ J)


def product(encoder: nn.Module, code: Code, x: Tensor) -> Product:
    """∂z/∂x of the deterministic code at each row; a perceptron's is not written out, it is a product of layers."""
    chain = _chain(encoder, code, x)
    if chain is None:
        return Product.of(jacobian(encoder, code, x))
    return Product(partial(_carried, chain), lambda vectors: _backed(chain, vectors) @ chain.matrices[0])


def jacobian(encoder: nn.Module, code: Code, x: Tensor) -> Tensor:
    """∂z/∂x of the deterministic code at each row, (N, K, D)."""
    if isinstance(encoder, ConvolutionalEncoder) and has_closed_form(encoder, code):
        trail = encoder.trail(x)
        return encoder.pulled(_directions(code, trail[-1], None), trail)
    chain = _chain(encoder, code, x)
    if chain is None:
        x, z = _recomputed(encoder, code, x)
        return torch.stack(list(_pulled_by_autograd(z, x, _units(z))), dim=1)
    *others, last = chain.matrices
    product = _pulled(last, others, chain.slopes).expand(len(x), -1, -1)
    return product if chain.bend is None else product * chain.bend[:, :, None]


def squared_norm(encoder: nn.Module, code: Code, p: Pass, probes: int | None = None) -> Tensor:
    """‖∂z/∂x̃‖²_F at each row of a pass, (N,); it can be differentiated once.

    One layer: Σᵢ cᵢ² ‖Wᵢ‖² (Rifai 2011). Two layers and a linear code: s₁ᵀ[(W₂ᵀW₂)∘(W₁W₁ᵀ)]s₁. More: products of
    layers from the narrow end, the first layer entering as W₁W₁ᵀ where that is cheaper. Plain convolutions: the numbers
    of the code carried back through all layers, side by side. Other encoders and codes: one backward pass through the
    pass itself for each number of the code.

    With `probes`, and in a pass that has randomness, it is estimated without bias as the mean of ‖vᵀJ‖² over so many
    vectors v of random signs (Hutchinson 1990).
    """
    signs = None if probes is None or p.rng is None else _signs(p.z, probes, p.rng)
    if isinstance(encoder, ConvolutionalEncoder) and has_closed_form(encoder, code):
        trail = p.trail or encoder.trail(p.x_tilde)
        total = encoder.pulled(_directions(code, trail[-1], signs), trail).square().sum(dim=(1, 2))
        return total if signs is None else total / signs.shape[1]
    chain = _chain(encoder, code, p.x_tilde, p.trail)
    if chain is None:
        return _by_autograd(encoder, code, p, signs)
    return _exact(chain, len(p.x_tilde)) if signs is None else _estimate(chain, signs)


def squared_change(encoder: nn.Module, code: Code, p: Pass, moved: Tensor, probes: int | None = None) -> Tensor:
    """‖J(x′) − J(x̃)‖²_F, J = ∂z/∂x, for the rows of a pass and rows x′ near them, (N, D); (N,), differentiable once.

    `probes` are as in `squared_norm`. Of one layer it is Σᵢ (c′ᵢ − cᵢ)² ‖Wᵢ‖².
    """
    signs = None if probes is None or p.rng is None else _signs(p.z, probes, p.rng)
    here, there = _chain(encoder, code, p.x_tilde, p.trail), _chain(encoder, code, moved)
    if here is None or there is None:
        change = jacobian(encoder, code, moved) - jacobian(encoder, code, p.x_tilde)
        pulled = change if signs is None else signs @ change
    elif signs is None and len(here.matrices) == 1:
        turned = 0 * p.z if here.bend is None or there.bend is None else there.bend - here.bend
        return turned.square() @ here.matrices[0].square().sum(dim=1)
    else:
        along = torch.eye(p.z.shape[1]).to(p.z).expand(len(p.z), -1, -1) if signs is None else signs
        pulled = (_backed(there, along) - _backed(here, along)) @ here.matrices[0]
    total = pulled.square().sum(dim=(1, 2))
    return total if signs is None else total / signs.shape[1]


def has_closed_form(encoder: nn.Module, code: Code) -> bool:
    """Whether the Jacobian is known without automatic differentiation."""
    if not (isinstance(encoder, Perceptron) or (isinstance(encoder, ConvolutionalEncoder) and encoder.plain)):
        return False
    a = next(code.parameters(), torch.zeros(0)).new_zeros(1, code.width)
    return _is_linear(code) or _slope(code, a) is not None


def _directions(code: Code, a: Tensor, signs: Tensor | None) -> Tensor:
    """The unit vectors of the code, or those given, times its slope at a: (N, R, width)."""
    slope = None if _is_linear(code) else _slope(code, a)
    vectors = torch.eye(a.shape[1], dtype=a.dtype, device=a.device).expand(len(a), -1, -1) if signs is None else signs
    return vectors if slope is None else vectors * slope[:, None, :]


def _chain(encoder: nn.Module, code: Code, x: Tensor, trail: Sequence[Tensor] = ()) -> Chain | None:
    """The factors where they are known; without a `trail` of the encoder's layers at x, these are run."""
    if isinstance(encoder, Perceptron):
        trail = trail or encoder.trail(x)
        bend = _slope(code, trail[-1])
        if bend is not None or _is_linear(code):
            return Chain([layer.weight for layer in encoder.dense], encoder.slopes(trail), bend)
    return None


def _is_linear(code: Code) -> bool:
    """Whether z = a, as the base of all codes has it."""
    return type(code).forward is Code.forward


def _slope(code: Code, a: Tensor) -> Tensor | None:
    """dz/da; None also for a code with a `forward` of its own that says nothing about its slope."""
    return None if type(code).slope is Code.slope else code.slope(a)


def _exact(chain: Chain, n: int) -> Tensor:
    (first, *others), slopes, bend = chain
    if not others:
        units = first.square().sum(dim=1)  # (K,)
        return units.sum().expand(n) if bend is None else bend.square() @ units
    if bend is None and len(others) == 1 and _sums_the_code_first(first, others[0], n):
        gram = (others[0].detach().T @ others[0]) * (first.detach() @ first.T)  # (H, H)
        return _twice(((slopes[0].detach() @ gram) * slopes[0]).sum(dim=-1))
    if bend is None:
        (first, *others), slopes = _from_the_narrow_end(chain)
    weights = None if bend is None else bend.detach() * bend
    return _norms(_pulled(others[-1], others[:-1], slopes[1:]), slopes[0], first, weights)


def _estimate(chain: Chain, signs: Tensor) -> Tensor:
    (first, *others), slopes, bend = chain
    slope, *above = [*slopes, torch.ones_like(signs[:, 0]) if bend is None else bend]
    return _norms(_pulled(signs, others, above), slope, first) / signs.shape[1]


def _backed(chain: Chain, vectors: Tensor) -> Tensor:
    """R row vectors, (N, R, K), times all of J but its first matrix: (N, R, H)."""
    (_, *others), slopes, bend = chain
    slope, *above = [*slopes, torch.ones_like(vectors[:, 0]) if bend is None else bend]
    return _pulled(vectors, others, above) * slope[:, None, :]


def _carried(chain: Chain, directions: Tensor) -> Tensor:
    """J times R directions, (N, R, D): (N, R, K)."""
    for matrix, slope in zip(chain.matrices, [*chain.slopes, chain.bend], strict=True):
        directions = F.linear(directions, matrix)
        directions = directions if slope is None else directions * slope[:, None]
    return directions


def _sums_the_code_first(first: Tensor, last: Tensor, n: int) -> bool:
    (hidden, inputs), size = first.shape, len(last)
    return 2 * hidden * (n + inputs + size) < 3 * n * size * inputs


def _from_the_narrow_end(chain: Chain) -> tuple[Sequence[Tensor], Sequence[Tensor]]:
    """The matrices and slopes, or those of the transpose, which has the same norm."""
    if chain.matrices[0].shape[1] >= len(chain.matrices[-1]):
        return chain.matrices, chain.slopes
    return [matrix.T for matrix in reversed(chain.matrices)], chain.slopes[::-1]


def _pulled(vectors: Tensor, matrices: Sequence[Tensor], slopes: Sequence[Tensor]) -> Tensor:
    """R row vectors, (R, ·) or (N, R, ·), times the slopes and the matrix of each layer, from the last."""
    for matrix, slope in zip(reversed(matrices), reversed(slopes), strict=True):
        vectors = (vectors * slope[:, None, :]) @ matrix
    return vectors


def _norms(vectors: Tensor, slope: Tensor, matrix: Tensor, weights: Tensor | None = None) -> Tensor:
    """Σᵣ wᵣ ‖vᵣ diag(s) W‖², (N,), of R row vectors, (R, H) or (N, R, H), slopes (N, H) and a matrix (H, D)."""
    fixed = vectors.detach() * slope.detach()[:, None, :]
    (n, r, hidden), inputs = fixed.shape, matrix.shape[1]
    if 2 * hidden * (n * r + inputs) < 3 * n * r * inputs:
        back = fixed @ (matrix.detach() @ matrix.T)
    else:
        back = (fixed @ matrix.detach()) @ matrix.T
    inner = back * vectors  # (N, R, H)
    total = inner.sum(dim=1) if weights is None else (weights[:, None, :] @ inner).squeeze(1)
    return _twice((total * slope).sum(dim=-1))


def _twice(inner: Tensor) -> Tensor:
    """The same value with twice the gradient: of ⟨J̄, J⟩, where J̄ was held fixed, that of ‖J‖²."""
    return 2 * inner - inner.detach()


def _by_autograd(encoder: nn.Module, code: Code, p: Pass, signs: Tensor | None) -> Tensor:
    x, z = p.x_tilde, p.stats["mean"] if "gaussian" in code.gives else p.z
    if not (x.requires_grad and z.requires_grad):  # as on held-out rows: a pass without a graph
        x, z = _recomputed(encoder, code, x)
    vectors = _units(z) if signs is None else signs.unbind(dim=1)
    total = torch.stack([row.square().sum(dim=-1) for row in _pulled_by_autograd(z, x, vectors)]).sum(dim=0)
    return total if signs is None else total / len(vectors)


def _recomputed(encoder: nn.Module, code: Code, x: Tensor) -> tuple[Tensor, Tensor]:
    """Rows that can be differentiated by, and their deterministic code."""
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        return x, code(encoder(x))[0]


def _pulled_by_autograd(z: Tensor, x: Tensor, vectors: Iterable[Tensor]) -> Iterable[Tensor]:
    """vᵀ∂z/∂x, (N, D), for each (N, K) of vectors; 0 where no gradient reaches x (a quantised or constant code)."""
    for v in vectors:
        if z.requires_grad:
            again = torch.is_grad_enabled()
            with torch.enable_grad():
                along = (z * v).sum()  # in place of grad_outputs, for which torch imports a computer algebra system
            yield torch.autograd.grad(along, x, retain_graph=True, create_graph=again, materialize_grads=True)[0]
        else:
            yield torch.zeros_like(x)


def _units(z: Tensor) -> Sequence[Tensor]:
    """The K unit vectors, (N, K) each."""
    eye = torch.eye(z.shape[1], dtype=z.dtype, device=z.device)
    return [unit.expand_as(z) for unit in eye]


def _signs(z: Tensor, probes: int, rng: Generator) -> Tensor:
    """±1 with even odds, (N, probes, K)."""
    shape = (len(z), probes, z.shape[1])
    return 2 * (torch.rand(shape, generator=rng, dtype=z.dtype, device=z.device) < 0.5).to(z.dtype) - 1
