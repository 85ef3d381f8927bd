"""pythae: its plain autoencoder and its base trainer."""

from __future__ import annotations

import logging
import shutil
import tempfile

import torch
from pythae.data.datasets import BaseDataset
from pythae.models import AE, AEConfig
from pythae.models.base.base_utils import ModelOutput
from pythae.models.nn import BaseDecoder, BaseEncoder
from pythae.trainers import BaseTrainer, BaseTrainerConfig
from pythae.trainers.training_callbacks import TrainingCallback

from speed import nets
from speed.cases import Case, Rows
from speed.clock import Clock, Epochs


class Encoder(BaseEncoder):
    def __init__(self, network: torch.nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: torch.Tensor) -> ModelOutput:
        return ModelOutput(embedding=self.network(x))


class Decoder(BaseDecoder):
    def __init__(self, network: torch.nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, z: torch.Tensor) -> ModelOutput:
        return ModelOutput(reconstruction=self.network(z))


class Watch(TrainingCallback):
    def __init__(self, clock: Clock) -> None:
        self.clock = clock

    def on_epoch_end(self, training_config: BaseTrainerConfig, **kwargs: object) -> None:
        self.clock.tick()


def prepare(case: Case, X: Rows, device: str) -> Epochs:
    rows = torch.from_numpy(X).reshape(-1, *nets.shape(case))
    dataset = BaseDataset(rows, torch.ones(len(rows)))

    def epochs(n: int) -> list[float]:
        encoder, decoder = nets.halves(case)
        model = AE(AEConfig(input_dim=nets.shape(case), latent_dim=case.widths[-1]), Encoder(encoder), Decoder(decoder))
        folder = tempfile.mkdtemp()
        config = BaseTrainerConfig(
            output_dir=folder,
            num_epochs=n + 1,
            per_device_train_batch_size=case.batch,
            learning_rate=1e-3,
            keep_best_on_train=True,
            no_cuda=device == "cpu",
        )
        clock = Clock(device)
        try:
            trainer = BaseTrainer(model, dataset, training_config=config, callbacks=[Watch(clock)])
            _silence()
            trainer.train()
        finally:
            shutil.rmtree(folder)
        return clock.seconds()

    return epochs


def _silence() -> None:
    """Its loggers are set to INFO as they are made."""
    for name in [name for name in logging.root.manager.loggerDict if name.startswith("pythae")]:
        logging.getLogger(name).setLevel(logging.ERROR)
