"""Keras, on the backend that KERAS_BACKEND names."""

from __future__ import annotations

import keras

from speed.cases import Case, Rows
from speed.clock import Clock, Epochs, UnableError

MOST_AT_ONCE = 32


def prepare(case: Case, X: Rows, device: str) -> Epochs:
    on_jax = keras.backend.backend() == "jax"
    if on_jax and device != "cpu":
        refuse_without_gpu()
    last = len(case.layers) - 1
    model = keras.Sequential(
        [
            keras.Input((case.widths[0],)),
            *(
                keras.layers.Dense(m, activation=case.activation if i < last else None)
                for i, (_, m) in enumerate(case.layers)
            ),
        ]
    )
    at_once = steps_at_once(case) if on_jax else 1  # only compiled backends can
    model.compile(optimizer=keras.optimizers.Adam(1e-3), loss="mse", steps_per_execution=at_once)

    def epochs(n: int) -> list[float]:
        clock = Clock("cpu" if on_jax else device)
        watch = keras.callbacks.LambdaCallback(on_epoch_end=clock.tick)
        model.fit(X, X, batch_size=case.batch, epochs=n + 1, shuffle=True, verbose=0, callbacks=[watch])
        return clock.seconds()

    return epochs


def steps_at_once(case: Case) -> int:
    """Steps in one compiled call, as its documentation advises for small models; a divisor of the epoch's steps."""
    return max(n for n in range(1, MOST_AT_ONCE + 1) if case.steps % n == 0)


def refuse_without_gpu() -> None:
    import jax

    if jax.default_backend() == "cpu":
        raise UnableError("this JAX has no GPU")
