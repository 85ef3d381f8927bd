"""Deconvolution with switches: an activation projected back to the input (Zeiler & Fergus 2014).

The signal starts as the activation itself at one unit and place, 0 elsewhere, and goes back through the adjoint of each
layer at this row. Convolutions are transposed; a maximum puts the signal where it was taken from (its switch); a
normalisation multiplies by the gain it had; a code that keeps some units keeps the same ones; a mean, a sum or a resize
is its own adjoint's affair. Only activations differ from the gradient, by the rule:

* "deconvnet": a rectifier and its kin (ReLU, leaky ReLU, ELU, softplus, SiLU, GELU …) rectify the signal, as they do
  what goes forward, whatever went forward here.
* "guided": they rectify it and let it pass where they let their input pass (Springenberg 2015).
* "gradient": the slope (Simonyan 2014).

Sigmoid and tanh, which rectify nothing, multiply by their slope under each rule.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from isthmus.errors import SettingError, nearest
from isthmus.seeing.layers import run_to
from isthmus.seeing.pulling import pulled
from isthmus.seeing.swapping import Stand, Swap
from isthmus.seeing.watching import at_rest, kindred

RECTIFIERS = (
    *("relu", "relu6", "leaky_relu", "rrelu", "prelu", "elu", "selu", "celu"),
    *("gelu", "silu", "mish", "softplus", "hardswish", "threshold"),
)
Back = Callable[[Tensor], Tensor]  # what a layer does with the signal


def project(network: nn.Module, name: str, x: Any, units: Any, places: Any = None, rule: str = "deconvnet") -> Tensor:
    """What in each row drives a unit of a layer.

    Parameters
    ----------
    network : torch.nn.Module
        Maps rows (N, …).
    name : str
        A layer.
    x : array or tensor of shape (N, …)
        Rows.
    units : sequence of int, (N,)
        A unit for each row.
    places : array of int, (N, dims), optional
        A place in the layer's map for each row; nothing for a dense layer.
    rule : {"deconvnet", "guided", "gradient"}
        What activations do with the signal.

    Returns
    -------
    Tensor of shape (N, …)
        The projections, in the units of the input times those of the activation.

    Raises
    ------
    SettingError
        Where no such layer runs, or no such rule exists.
    """
    spot = [torch.as_tensor(units), *(torch.as_tensor(np.asarray(places)).T if places is not None else ())]

    def alone(a: Tensor) -> Tensor:
        index = (torch.arange(len(a)), *spot)
        return torch.zeros_like(a).index_put([i.to(a.device) for i in index], a[index])

    return pull(network, name, x, alone, rule)


def pull(network: nn.Module, name: str, x: Any, signal: Callable[[Tensor], Tensor], rule: str = "deconvnet") -> Tensor:
    """A signal at a layer, (n, units, *places), brought back to the input of rows x, (n, …).

    `signal` makes it from the layer's activations.

    Raises
    ------
    SettingError
        Where no such layer runs, or no such rule exists.
    """
    if rule not in RULES:
        raise SettingError(f"no rule called {rule!r}", where="in seeing.project", hint=nearest(rule, RULES))
    rows = kindred(network, x).detach().requires_grad_()
    with at_rest(network), torch.enable_grad():
        with Swap(RULES[rule]):
            a = run_to(network, rows.clone(), name)  # a clone: the first layer may work in place
        return pulled((a * signal(a.detach())).sum(), rows)


class _Backwards(torch.autograd.Function):
    """A layer whose value is known and whose way back is given."""

    @staticmethod
    def forward(ctx: Any, a: Tensor, value: Tensor, back: Back) -> Tensor:
        ctx.back = back
        return value.clone()

    @staticmethod
    def backward(ctx: Any, *signal: Tensor) -> tuple[Tensor, None, None]:
        return ctx.back(signal[0]), None, None


def _with_back(func: Any, a: Tensor, back: Back, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Tensor:
    with torch.no_grad():
        value = func(a.detach().clone(), *args, **kwargs)  # a clone: the function may work in place
    return cast("Tensor", _Backwards.apply(a, value, back))  # type: ignore[no-untyped-call]


def _rectifying(func: Any, a: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    return _with_back(func, a, F.relu, args, kwargs)


def _clipped(func: Any, a: Tensor, low: float = -1.0, *args: Any, **kwargs: Any) -> Tensor:
    """ReLU6 is hardtanh from 0; from below 0 it is no rectifier."""
    low = kwargs.pop("min_val", low)
    return _rectifying(func, a, low, *args, **kwargs) if low >= 0 else func(a, low, *args, **kwargs)


def _guided(func: Any, a: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    passed = (a.detach() > 0).to(a.dtype)
    return _with_back(func, a, lambda signal: F.relu(signal) * passed, args, kwargs)


def _by_gain(func: Any, a: Tensor, gain: Tensor, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Tensor:
    return _with_back(func, a, lambda signal: signal * gain, args, kwargs)


def _group_norm(func: Any, a: Tensor, num_groups: int, weight: Any = None, bias: Any = None, eps: float = 1e-5) -> Any:
    grouped = a.detach().reshape(len(a), num_groups, -1)
    gain = torch.rsqrt(grouped.var(dim=-1, unbiased=False, keepdim=True) + eps).expand_as(grouped).reshape(a.shape)
    return _by_gain(func, a, gain * _per_channel(weight, a), (num_groups, weight, bias, eps), {})


def _instance_norm(func: Any, a: Tensor, *args: Any, **kwargs: Any) -> Any:
    """Where a row's own statistics are used; with running ones its gradient is exact."""
    names = ("running_mean", "running_var", "weight", "bias", "use_input_stats", "momentum", "eps")
    told = dict(zip(names, args, strict=False)) | kwargs
    if not told.get("use_input_stats", True):
        return func(a, **told)
    flat = a.detach().flatten(2)
    gain = torch.rsqrt(flat.var(dim=-1, unbiased=False, keepdim=True) + told.get("eps", 1e-5))
    gain = gain.expand_as(flat).reshape(a.shape) * _per_channel(told.get("weight"), a)
    return _by_gain(func, a, gain, (), told)


def _layer_norm(
    func: Any, a: Tensor, normalized_shape: Sequence[int], weight: Any = None, bias: Any = None, eps: float = 1e-5
) -> Any:
    axes = tuple(range(a.ndim - len(normalized_shape), a.ndim))
    gain = torch.rsqrt(a.detach().var(dim=axes, unbiased=False, keepdim=True) + eps).expand_as(a)
    return _by_gain(
        func, a, gain if weight is None else gain * weight.detach(), (normalized_shape, weight, bias, eps), {}
    )


def _local_response_norm(func: Any, a: Tensor, *args: Any, **kwargs: Any) -> Any:
    """AlexNet's division by the neighbours' strength; the gain at 0 is read a hair beside it."""
    with torch.no_grad():
        hair = 1e-4 * a.abs().max().clamp(min=torch.finfo(a.dtype).tiny * 1e8)
        beside = torch.where(a == 0, hair, a)
        gain = func(beside, *args, **kwargs) / beside
    return _by_gain(func, a, gain, args, kwargs)


def _per_channel(weight: Tensor | None, a: Tensor) -> Tensor:
    if weight is None:
        return a.new_ones(())
    return weight.detach().reshape(1, -1, *(1 for _ in a.shape[2:]))


_NORMS: dict[str, Stand] = {
    "group_norm": _group_norm,
    "instance_norm": _instance_norm,
    "layer_norm": _layer_norm,
    "local_response_norm": _local_response_norm,
}
RULES: Mapping[str, Mapping[str, Stand]] = {
    "deconvnet": _NORMS | dict.fromkeys(RECTIFIERS, _rectifying) | {"hardtanh": _clipped},
    "guided": _NORMS | dict.fromkeys(RECTIFIERS, _guided),
    "gradient": {},
}
