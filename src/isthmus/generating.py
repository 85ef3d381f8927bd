"""New rows by way of the code: between two rows, along one unit, and from a sampler that was fitted to codes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy.stats import norm

from isthmus import paths
from isthmus._constraints import Constraint, Each, Number, OneOf, check, count, optional, positive
from isthmus.errors import DataError, SettingError

if TYPE_CHECKING:
    from isthmus.fitted import Fitted

Array = NDArray[np.floating]
MOST_UNITS = 10  # that are walked along unless asked for
STILL = 1e-3  # of the strongest unit's effect: one that moves rows less is not active
AT_ONCE = 64  # units whose effect is measured together
DRAWN = 2000  # codes of the prior that say how far a unit ranges
ROUND = 1e-3  # a prior's log-density differs less than that between directions where all are alike
_SETTINGS: Mapping[str, Constraint] = {
    "how": OneOf((None, *paths.HOW)),
    "steps": count(2),
    "reach": positive(),
    "units": optional(Each(Number(0, whole=True), least=1)),
    "n_samples": count(),
}


class Sampler(Protocol):
    """What draws codes: those of `isthmus.samplers` do."""

    def sample(self, n_samples: int = 1, random_state: int | None = None) -> Array: ...


def interpolate(
    ae: Fitted,
    a: ArrayLike,
    b: ArrayLike,
    steps: int = 9,
    how: str | None = None,
    *,
    groups: ArrayLike | None = None,
) -> Array:
    """Rows between rows a and b, (P, D) each, by way of the code: (P, steps, D) in input units.

    The first and the last of each are the reconstructions of a and b.

    Parameters
    ----------
    how : {"linear", "spherical"}, optional
        As `isthmus.paths` has them. None: "spherical" where the code has a prior to which all directions are alike,
        such as N(0, I), else "linear".
    groups : array-like of shape (P,), optional
        The group of each pair, for codes and decoders that need one.

    Raises
    ------
    SettingError, DataError
        Where a setting does not fit, or a and b are not P rows of D numbers each.
    """
    check("interpolate", {"steps": steps, "how": how}, _SETTINGS)
    start, end = (ae.transform(rows, **_told(groups)) for rows in (a, b))
    if len(start) != len(end):
        raise DataError(f"{len(start)} rows and {len(end)}", "in interpolate", "pairs: as many rows of a as of b")
    return _decoded(ae, paths.HOW[how or default_path(ae)](start, end, steps), groups)


def default_path(ae: Fitted) -> str:
    """The name of a path: "spherical" where the code has a prior to which all directions are alike, else "linear"."""
    code = ae.module_.code
    if "density" not in code.gives:
        return "linear"
    like = next(ae.module_.parameters())
    ways = np.random.default_rng(0).normal(size=(16, code.size))
    ways *= np.sqrt(code.size) / np.linalg.norm(ways, axis=1, keepdims=True)
    with torch.no_grad():
        heights = code.log_prior(torch.as_tensor(np.concatenate([ways, -ways])).to(like))
    return "spherical" if float(heights.max() - heights.min()) < ROUND else "linear"


def traverse(
    ae: Fitted,
    X: ArrayLike | None = None,
    units: Sequence[int] | None = None,
    steps: int = 9,
    reach: float = 3.0,
    *,
    rows: ArrayLike | None = None,
    groups: ArrayLike | None = None,
) -> Array:
    """Rows whose code differs from that of X, (N, D), in one unit: (N, units, steps, D) in input units.

    Parameters
    ----------
    X : array-like of shape (N, D), optional
        Where to start; None starts at one code, the median of each unit.
    units : sequence of int, optional
        Units of the code, counted from 0; None takes those of `active_units`.
    steps, reach : int, float
        A unit is set to `steps` values, evenly spaced between its quantiles at Φ(−reach) and Φ(reach): for Gaussian
        units its mean ± `reach` standard deviations, and never beyond what the unit does.
    rows : array-like of shape (M, D), optional
        Rows such as those of training, which say how each unit is spread; None asks the prior, or X where there is
        none.
    groups : array-like of shape (N,), optional
        The group of each of X, for codes and decoders that need one; of one group where X is None.

    Raises
    ------
    SettingError, DataError
        Where a setting does not fit, there is no such unit, or nothing says how units are spread.
    """
    check("traverse", {"steps": steps, "reach": reach, "units": units}, _SETTINGS)
    seen = spread_codes(ae, X if rows is None and not has_prior(ae) else rows)
    starts = np.median(seen, axis=0, keepdims=True) if X is None else ae.transform(X, **_told(groups))
    chosen = active_units(ae, seen, reach, groups) if units is None else list(units)
    return walked(ae, starts, chosen, walk(seen, chosen, steps, reach), groups)


def walked(ae: Fitted, Z: Array, units: Sequence[int], values: Array, groups: ArrayLike | None = None) -> Array:
    """Rows of codes Z, (N, K), with each unit in turn set to its S values, (units, S): (N, units, S, D)."""
    ways = [paths.traversal(Z, unit, steps) for unit, steps in zip(units, values, strict=True)]
    return _decoded(ae, np.stack(ways, axis=1), groups)


def has_prior(ae: Fitted) -> bool:
    """Whether codes can be drawn from a distribution that the code itself has."""
    return _from_prior(ae, 1) is not None


def spread_codes(ae: Fitted, rows: ArrayLike | None = None) -> Array:
    """Codes that say how units are spread, (M, K): of rows, or drawn from the prior.

    Raises
    ------
    SettingError
        Where there is neither.
    """
    codes = _from_prior(ae, DRAWN) if rows is None else ae.transform(rows)
    if codes is None:
        raise SettingError(
            "nothing says how far units range: this code has no prior",
            "in traverse",
            "rows, such as those of training",
            "traverse(ae, rows=X)",
        )
    return codes


def _from_prior(ae: Fitted, n: int) -> Array | None:
    """n codes, (n, K), the same every time."""
    like = next(ae.module_.parameters())
    rng = torch.Generator(device=like.device)
    rng.manual_seed(0)
    with torch.no_grad():
        drawn = ae.module_.code.sample(n, rng)
    return None if drawn is None else drawn.to(like.dtype).cpu().numpy()


def active_units(ae: Fitted, seen: Array, reach: float = 3.0, groups: ArrayLike | None = None) -> list[int]:
    """At most 10 units, those first whose walk moves the decoded row most; one that hardly moves it is left out.

    The effect on rows is compared, not the codes' variances, since units of a plain code have no common scale.

    Parameters
    ----------
    seen : array of shape (M, K)
        Codes that say how units are spread.
    """
    centre = np.median(seen, axis=0, keepdims=True).astype(seen.dtype)
    effects = []
    for start in range(0, seen.shape[1], AT_ONCE):
        some = range(start, min(start + AT_ONCE, seen.shape[1]))
        ends = walked(ae, centre, some, walk(seen, some, 2, reach), _one(groups))[0]  # units 2 D
        effects.append(np.linalg.norm((ends[:, 1] - ends[:, 0]) / ae.scaler_.scale, axis=1))
    effect = np.concatenate(effects)  # K
    order = np.argsort(-effect, kind="stable")[:MOST_UNITS]
    return [int(unit) for unit in order if effect[unit] > STILL * effect.max()] or [int(order[0])]


def sample_with(
    ae: Fitted,
    sampler: Sampler,
    n_samples: int = 1,
    random_state: int | None = None,
    *,
    groups: ArrayLike | None = None,
) -> Array:
    """Rows decoded from a sampler's codes, (n_samples, D) in input units.

    Parameters
    ----------
    sampler : of `isthmus.samplers`
        Fitted to codes, such as `samplers.GaussianMixture().fit(ae.transform(X))`.
    groups : array-like of shape (n_samples,), optional
        The group of each, for decoders that need one.
    """
    check("sample_with", {"n_samples": n_samples}, _SETTINGS)
    return np.asarray(ae.inverse_transform(sampler.sample(n_samples, random_state), **_told(groups)))


def walk(seen: Array, units: Sequence[int], steps: int = 9, reach: float = 3.0) -> Array:
    """The values each unit is set to, (units, steps): evenly spaced between its quantiles at Φ(±reach).

    Raises
    ------
    SettingError
        Where there is no such unit among the K of the codes seen, (M, K).
    """
    size = seen.shape[1]
    if beyond := [unit for unit in units if unit >= size]:
        raise SettingError(f"no unit {beyond[0]}", "in traverse", f"units of the code: 0 to {size - 1}")
    low, high = np.quantile(seen[:, list(units)], norm.cdf([-reach, reach]), axis=0)
    return np.linspace(low, high, steps, axis=1)


def _told(groups: ArrayLike | None) -> dict[str, Any]:
    """Groups as an argument, where there are any: what needs none may not take it."""
    return {} if groups is None else {"groups": np.asarray(groups)}


def _one(groups: ArrayLike | None) -> Array | None:
    return None if groups is None else np.asarray(groups)[:1]


def _decoded(ae: Fitted, codes: Array, groups: ArrayLike | None) -> Array:
    """Codes (N, …, K), the groups of each of the N, as rows (N, …, D)."""
    each = None if groups is None else np.repeat(np.asarray(groups), int(np.prod(codes.shape[1:-1])))
    rows = ae.inverse_transform(codes.reshape(-1, codes.shape[-1]), **_told(each))
    return np.asarray(rows).reshape(*codes.shape[:-1], -1)
