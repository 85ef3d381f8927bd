"""Small policies on whatever is seen of cart-poles, and the cross-entropy method that finds them by their returns.

gymnasium, of the extra `lab`, is imported where it is used.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus.data.reading import needs

Array = NDArray[np.floating]
Sight = Callable[[Array, Array], Array]  # states now and a few steps ago, (n, 4) each → what is seen, (n, F)
SEEDS = 2**31


@dataclass(frozen=True)
class Search:
    """How the cross-entropy method looks for the best of vectors.

    Attributes
    ----------
    members, elite : int
        How many are drawn in each generation, and how many of the best the next one is drawn from.
    generations : int
    widening : float
        Added to the standard deviations at first, and less each generation, so that they do not shrink too soon
        (Szita & Lőrincz 2006).
    """

    members: int = 100
    elite: int = 20
    generations: int = 20
    widening: float = 0.5


def cross_entropy(score: Callable[[Array], Array], size: int, search: Search, rng: np.random.Generator) -> Array:
    """A vector of `size` numbers with a high score: the mean of the last generation's best (Rubinstein 1999).

    Generations are drawn from a normal distribution of independent numbers, at first N(0, I), then with the mean and
    the deviations of the last elite. `score` maps vectors (members, size) to numbers (members,), the larger the better.
    """
    mean, deviation = np.zeros(size), np.ones(size)
    for generation in range(search.generations):
        drawn = mean + deviation * rng.standard_normal((search.members, size))
        best = drawn[np.argsort(-score(drawn), kind="stable")[: search.elite]]
        left = 1 - 1.5 * generation / search.generations
        mean, deviation = best.mean(axis=0), best.std(axis=0) + search.widening * max(left, 0)
    return mean


def returns(weights: Array, see: Sight, ago: int, steps: int, seed: int, episodes: int = 1) -> Array:
    """How many steps each linear policy keeps its pole up, (n,), on the average of episodes of its own.

    Parameters
    ----------
    weights : array of shape (n, F + 1)
        A policy a row: it pushes to the right where what is seen, times its weights, plus the last of them, is > 0.
    see : callable
    ago : int
        Steps between the two states that are seen; before so many steps the first state stands for the earlier one.
    steps : int
        After which an episode ends, 500 at most.
    seed : int
        Of where the poles start.
    episodes : int
        Of each policy. Where most policies keep their poles up, one does not tell the good from the best.

    Raises
    ------
    DataError
        Where gymnasium is not installed.
    """
    weights = weights.repeat(episodes, axis=0)
    poles = cart_poles(len(weights))
    state, _ = poles.reset(seed=seed)
    past = np.repeat(state[None], ago + 1, axis=0)
    up, total = np.arange(len(weights)), np.zeros(len(weights))
    for _ in range(steps):
        push = np.zeros(len(weights), dtype=np.int64)
        seen = see(past[-1, up], past[0, up])
        push[up] = np.einsum("nf,nf->n", seen, weights[up, :-1]) + weights[up, -1] > 0
        state, _, fallen, _, _ = poles.step(push)
        total[up] += 1
        up = up[~fallen[up]]
        past = np.concatenate([past[1:], state[None]])
        if not len(up):
            break
    return np.asarray(total.reshape(-1, episodes).mean(axis=1))


def explored(rows: int, ago: int, held: float, rng: np.random.Generator) -> Array:
    """States now and `ago` steps before, (rows, 2, 4), while carts are pushed at random, without any aim.

    A push is drawn anew with probability 1 / held at each step, else it goes on.
    """
    n = 64
    poles = cart_poles(n)
    state, _ = poles.reset(seed=int(rng.integers(SEEDS)))
    past, age, push = np.repeat(state[None], ago + 1, axis=0), np.zeros(n, dtype=np.int64), rng.integers(2, size=n)
    found: list[Array] = []
    while sum(map(len, found)) < rows:
        push = np.where(rng.random(n) < 1 / held, rng.integers(2, size=n), push)
        state, _, fallen, late, _ = poles.step(push)
        age += 1
        past = np.concatenate([past[1:], state[None]])
        found.append(past[[-1, 0]][:, (age >= ago) & ~fallen].swapaxes(0, 1))
        age[fallen | late] = -1  # the next step begins a new episode
    return np.concatenate(found)[:rows]


def cart_poles(n: int) -> Any:
    """n cart-poles of gymnasium, stepped together; one that has fallen begins anew with its next step.

    Raises
    ------
    DataError
        Where gymnasium is not installed.
    """
    try:
        import gymnasium
    except ImportError as fault:
        raise needs("gymnasium", "lab", "balance poles") from fault
    return gymnasium.make_vec("CartPole-v1", num_envs=n, vectorization_mode="vector_entry_point")


@dataclass(frozen=True)
class Whitened:
    """What is seen, turned and scaled so that it has mean 0, variance 1 and no correlations on some rows."""

    see: Sight
    mean: Array
    inward: Array  # (F, F)

    @classmethod
    def of(cls, see: Sight, states: Array, least: float = 1e-3) -> Whitened:
        """Learned on pairs of states, (N, 2, 4); those of less than `least` of the largest deviation are damped."""
        seen = see(states[:, 0], states[:, 1]).astype(np.float64)
        mean = seen.mean(axis=0)
        _, spread, axes = np.linalg.svd(seen - mean, full_matrices=False)
        deviation = np.hypot(spread, least * spread[0]) / np.sqrt(len(seen))
        return cls(see, mean, axes.T / deviation)

    def __call__(self, now: Array, before: Array) -> Array:
        return np.asarray((self.see(now, before) - self.mean) @ self.inward)


def random_returns(n: int, rng: np.random.Generator) -> Array:
    """How many steps n poles stay up while they are pushed at random, (n,)."""
    poles = cart_poles(n)
    poles.reset(seed=int(rng.integers(SEEDS)))
    total, up = np.zeros(n), np.ones(n, dtype=bool)
    while up.any():
        total += up
        up &= ~poles.step(rng.integers(2, size=n))[2]
    return total
