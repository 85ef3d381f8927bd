"""JAX without a library: an epoch is one compiled scan over its batches."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from speed.cases import Case, Rows
from speed.clock import Clock, Epochs, UnableError

BENDS = {"relu": jax.nn.relu, "sigmoid": jax.nn.sigmoid, "tanh": jnp.tanh}
State = tuple[Any, Any, Any, jax.Array]  # parameters, both moments, steps taken


def prepare(case: Case, X: Rows, device: str) -> Epochs:
    if device != "cpu" and jax.default_backend() == "cpu":
        raise UnableError("this JAX has no GPU")
    rows, rng = jnp.asarray(X), np.random.default_rng(0)
    loss = partial(squared_error, BENDS[case.activation])

    def step(state: State, index: jax.Array) -> tuple[State, jax.Array]:
        value, gradients = jax.value_and_grad(loss)(state[0], rows[index])
        return adam(state, gradients), value

    epoch = jax.jit(lambda state, order: jax.lax.scan(step, state, order), donate_argnums=0)
    state = begin(case, rng)

    def epochs(n: int) -> list[float]:
        nonlocal state
        clock = Clock("cpu")
        for _ in range(n + 1):
            order = rng.permutation(case.rows).astype(np.int32).reshape(case.steps, case.batch)
            state, losses = epoch(state, order)
            jax.block_until_ready((state, losses))
            clock.tick()
        return clock.seconds()

    return epochs


def begin(case: Case, rng: np.random.Generator) -> State:
    parameters = [
        (jnp.asarray(rng.normal(0, n**-0.5, (n, m)), jnp.float32), jnp.zeros(m, jnp.float32)) for n, m in case.layers
    ]
    zeros = jax.tree.map(jnp.zeros_like, parameters)
    return parameters, zeros, jax.tree.map(jnp.zeros_like, parameters), jnp.zeros((), jnp.float32)


def squared_error(bend: Any, parameters: Any, x: jax.Array) -> jax.Array:
    h = x
    for weight, bias in parameters[:-1]:
        h = bend(h @ weight + bias)
    weight, bias = parameters[-1]
    return jnp.mean(jnp.square(h @ weight + bias - x))


def adam(state: State, gradients: Any, rate: float = 1e-3, b1: float = 0.9, b2: float = 0.999) -> State:
    parameters, first, second, count = state
    count = count + 1
    first = jax.tree.map(lambda m, g: b1 * m + (1 - b1) * g, first, gradients)
    second = jax.tree.map(lambda v, g: b2 * v + (1 - b2) * g * g, second, gradients)
    scale, root = rate / (1 - b1**count), 1 / jnp.sqrt(1 - b2**count)
    parameters = jax.tree.map(lambda p, m, v: p - scale * m / (jnp.sqrt(v) * root + 1e-8), parameters, first, second)
    return parameters, first, second, count
