"""The cross-entropy method finds known optima; poles are gymnasium's; what is seen is whitened."""

from __future__ import annotations

import sys

import gymnasium
import numpy as np
import pytest

from isthmus.errors import DataError
from isthmus.policies import Search, Whitened, cart_poles, cross_entropy, explored, random_returns, returns

BALANCING = np.array([0.1, 0.5, 10.0, 2.0, 0.0])  # weights of the state that keep a pole up: push to where it falls


def state_now(now, before):
    return now


@pytest.mark.parametrize("seed", range(3))
def test_the_cross_entropy_method_finds_the_top_of_a_hill(seed):
    """A quadratic's maximum, off the start and of unequal curvature."""
    top = np.array([1.5, -0.7, 0.2, -1.1])

    def score(w):
        return -(np.square(w - top) * [1, 3, 10, 0.5]).sum(axis=1)

    found = cross_entropy(score, 4, Search(80, 16, 40, 0.3), np.random.default_rng(seed))
    np.testing.assert_allclose(found, top, atol=0.05)


def test_generations_are_drawn_from_the_last_elite():
    """The first one from N(0, I), the second about the mean of the best and, without widening, as wide as they were."""
    seen = []

    def score(w):
        seen.append(w)
        return w[:, 0]

    cross_entropy(score, 2, Search(4000, 400, 2, 0.0), np.random.default_rng(0))
    np.testing.assert_allclose([seen[0].mean(), seen[0].std()], [0, 1], atol=0.03)
    best = seen[0][np.argsort(-seen[0][:, 0])[:400]]
    np.testing.assert_allclose(seen[1].mean(axis=0), best.mean(axis=0), atol=0.06)
    np.testing.assert_allclose(seen[1].std(axis=0), best.std(axis=0), rtol=0.06)


def alone(weights, steps, state):
    """An episode of gymnasium's single cart-pole from a given state."""
    env = gymnasium.make("CartPole-v1").unwrapped
    env.reset(seed=0)
    env.state, seen = state.astype(np.float64), state
    for step in range(1, steps + 1):
        seen, _, fallen, _, _ = env.step(int(seen @ weights[:-1] + weights[-1] > 0))
        if fallen:
            return step
    return steps


def test_returns_are_those_of_gymnasium_s_own_episodes():
    rng = np.random.default_rng(0)
    weights = np.concatenate([rng.normal(size=(10, 5)), BALANCING[None]])
    starts, _ = cart_poles(len(weights)).reset(seed=5)
    expected = [alone(w, 120, state) for w, state in zip(weights, starts, strict=True)]
    np.testing.assert_array_equal(returns(weights, state_now, 1, 120, seed=5), expected)
    assert expected[-1] == 120
    assert min(expected) < 40


def test_the_return_of_several_episodes_is_their_mean():
    """Each policy's poles stand side by side, each with a start of its own."""
    weights = np.stack([BALANCING, BALANCING * [0, 0, 1, 0, 0]])
    starts, _ = cart_poles(6).reset(seed=5)
    expected = [[alone(w, 120, state) for state in starts[3 * i : 3 * i + 3]] for i, w in enumerate(weights)]
    np.testing.assert_allclose(returns(weights, state_now, 1, 120, seed=5, episodes=3), np.mean(expected, axis=1))
    assert expected[0] == [120] * 3
    assert len(set(expected[1])) > 1


def test_a_sight_is_of_states_so_many_steps_apart():
    seen = []

    def see(now, before):
        seen.append((now.copy(), before.copy()))
        return now

    returns(np.tile(BALANCING, (2, 1)), see, 3, 10, seed=1)
    assert len(seen) == 10
    for i, (_, before) in enumerate(seen):
        np.testing.assert_array_equal(before, seen[max(0, i - 3)][0])


def test_random_pushes_keep_a_pole_up_for_a_score_of_steps():
    """Gymnasium's episodes of random actions last 22 steps on the average."""
    assert random_returns(400, np.random.default_rng(0)).mean() == pytest.approx(22, abs=2)


@pytest.mark.parametrize("ago", [0, 1, 3])
def test_explored_pairs_belong_to_one_episode(ago):
    """Between them lie `ago` steps: places differ by what speeds of at most 3 m/s allow, and grow as τ × speed."""
    pairs = explored(500, ago, 2.0, np.random.default_rng(0))
    assert pairs.shape == (500, 2, 4)
    now, before = pairs[:, 0].astype(float), pairs[:, 1].astype(float)
    if ago == 0:
        np.testing.assert_array_equal(now, before)
    if ago == 1:
        np.testing.assert_allclose(now[:, [0, 2]] - before[:, [0, 2]], 0.02 * before[:, [1, 3]], atol=1e-5)
    most = 0.02 * ago * (np.abs(before[:, 1]) + 0.3 * ago)  # a push changes the speed by less than 0.3 m/s a step
    assert np.all(np.abs(now[:, 0] - before[:, 0]) <= most + 1e-6)
    assert np.abs(now[:, 2]).max() <= 0.2095 + 1e-6


def test_what_is_seen_is_whitened():
    rng = np.random.default_rng(0)
    turn = rng.normal(size=(4, 3))
    states = rng.normal(size=(2000, 2, 4)) * [1, 2, 3, 4] + 5

    def see(now, before):
        return (now - 0.5 * before) @ turn

    seen = Whitened.of(see, states, least=1e-6)(states[:, 0], states[:, 1])
    np.testing.assert_allclose(seen.mean(axis=0), 0, atol=1e-9)
    np.testing.assert_allclose(seen.T @ seen / len(seen), np.eye(3), atol=1e-6)


def test_what_hardly_moves_is_damped():
    rng = np.random.default_rng(0)
    states = rng.normal(size=(5000, 2, 4)) * [1, 1, 1e-3, 0]
    seen = Whitened.of(state_now, states, least=0.1)(states[:, 0], states[:, 1])
    np.testing.assert_allclose(np.sort(seen.std(axis=0)), [0, 0.01, 0.995, 0.995], atol=0.03)


def test_without_gymnasium_it_is_one_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "gymnasium", None)
    with pytest.raises(DataError) as caught:
        cart_poles(1)
    assert str(caught.value) == (
        "gymnasium is not installed; to balance poles; expected the package gymnasium; pip install 'isthmus[lab]'"
    )
