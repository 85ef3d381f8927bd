"""PyOD: the autoencoder behind its detector."""

from __future__ import annotations

from pyod.models.auto_encoder import AutoEncoder

from speed.cases import Case, Rows
from speed.clock import Clock, Epochs


class Watched(AutoEncoder):
    """`epoch_update` is the hook that the base class calls at an epoch's end."""

    clock: Clock

    def epoch_update(self) -> None:
        self.clock.tick()


def prepare(case: Case, X: Rows, device: str) -> Epochs:
    def epochs(n: int) -> list[float]:
        detector = Watched(
            preprocessing=False,
            lr=1e-3,
            epoch_num=n + 1,
            batch_size=case.batch,
            device=device,
            verbose=0,
            optimizer_params={},
            hidden_neuron_list=list(case.widths[1:]),
            hidden_activation_name=case.activation,
            batch_norm=False,
            dropout_rate=0.0,
        )
        detector.clock = Clock(device)
        detector.fit(X)
        return detector.clock.seconds()

    return epochs
