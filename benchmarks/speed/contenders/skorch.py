"""skorch: a net wrapped as a scikit-learn regressor of its own input."""

from __future__ import annotations

import torch
from skorch import NeuralNetRegressor
from skorch.callbacks import Callback

from speed import nets
from speed.cases import Case, Rows
from speed.clock import Clock, Epochs


class Watch(Callback):
    def __init__(self, clock: Clock) -> None:
        self.clock = clock

    def on_epoch_end(self, net: NeuralNetRegressor, **kwargs: object) -> None:
        self.clock.tick()


def prepare(case: Case, X: Rows, device: str) -> Epochs:
    rows = X.reshape(-1, *nets.shape(case))

    def epochs(n: int) -> list[float]:
        clock = Clock(device)
        net = NeuralNetRegressor(
            nets.whole(case),
            criterion=torch.nn.MSELoss,
            optimizer=torch.optim.Adam,
            lr=1e-3,
            max_epochs=n + 1,
            batch_size=case.batch,
            iterator_train__shuffle=True,
            train_split=None,
            verbose=0,
            device=device,
            callbacks=[Watch(clock)],
            callbacks__epoch_timer=None,
            callbacks__train_loss=None,
            callbacks__valid_loss=None,
            callbacks__print_log=None,
        )
        net.fit(rows, rows)
        return clock.seconds()

    return epochs
