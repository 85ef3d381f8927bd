"""Keras, on the backend that KERAS_BACKEND names."""

from __future__ import annotations

import keras

from speed.cases import Case, Rows
from speed.clock import Clock, Epochs


def prepare(case: Case, X: Rows, device: str) -> Epochs:
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
    model.compile(optimizer=keras.optimizers.Adam(1e-3), loss="mse")

    def epochs(n: int) -> list[float]:
        clock = Clock("cpu" if keras.backend.backend() == "jax" else device)
        watch = keras.callbacks.LambdaCallback(on_epoch_end=clock.tick)
        model.fit(X, X, batch_size=case.batch, epochs=n + 1, shuffle=True, verbose=0, callbacks=[watch])
        return clock.seconds()

    return epochs
