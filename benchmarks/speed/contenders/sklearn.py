"""scikit-learn's perceptron, fitted to its own input."""

from __future__ import annotations

import sklearn
from sklearn.neural_network import MLPRegressor

from speed.cases import Case, Rows
from speed.clock import Clock, Epochs

BENDS = {"relu": "relu", "sigmoid": "logistic", "tanh": "tanh"}


def prepare(case: Case, X: Rows, device: str) -> Epochs:
    net = MLPRegressor(
        hidden_layer_sizes=[m for _, m in case.layers[:-1]],
        activation=BENDS[case.activation],
        solver="adam",
        alpha=0.0,
        batch_size=case.batch,
        learning_rate_init=1e-3,
        random_state=0,
    )

    def epochs(n: int) -> list[float]:
        clock = Clock(device)
        with sklearn.config_context(assume_finite=True):
            for _ in range(n + 1):
                net.partial_fit(X, X)
                clock.tick()
        return clock.seconds()

    return epochs
