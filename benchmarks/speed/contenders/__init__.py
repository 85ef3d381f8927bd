"""Who takes part: each contender is a function `prepare(case, X, device)` that returns `epochs(n)`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec

from speed.cases import Case, Rows
from speed.clock import Epochs, UnableError

Prepare = Callable[[Case, Rows, str], Epochs]


@dataclass(frozen=True)
class Contender:
    """One entry of the table.

    Parameters
    ----------
    label : str
        What tables and the picture call it.
    place : str
        "file:function" under this folder.
    process : str
        The worker process it runs in; those that are compared within a few per cent share one.
    needs : str
        The package without which it is absent.
    how : str
        How it is set up, for the note.
    alone : bool
        In a population it trains one member at a time; its seconds are multiplied by the members.
    """

    label: str
    place: str
    process: str
    needs: str = "torch"
    how: str = ""
    kind: str = "peer"
    alone: bool = False
    environment: dict[str, str] = field(default_factory=dict)

    def load(self) -> Prepare:
        if find_spec(self.needs) is None:
            raise UnableError(f"{self.needs} is not installed")
        file, _, function = self.place.partition(":")
        prepare: Prepare = getattr(import_module(f"speed.contenders.{file}"), function)
        return prepare


def _own(label: str, function: str, how: str = "", alone: bool = False) -> Contender:
    return Contender(label, f"own:{function}", "isthmus", "isthmus", how, "own", alone)


CONTENDERS: dict[str, Contender] = {
    "floor": Contender(
        "bare products",
        "floor:prepare",
        "floor",
        how="the matrix products of a step and nothing else: one a dense layer forward, two backward, without the "
        "first layer's input gradient, `out=` into buffers made once; with 1 thread where that is quicker. For the "
        "convolutional net the bare convolutions instead, for a population batched products, for penalties the plain "
        "net's products",
        kind="floor",
    ),
    "by-hand": Contender(
        "written by hand",
        "by_hand:prepare",
        "by-hand",
        how="forward and backward written out for a perceptron, buffers made once, one fused Adam over one flat vector "
        "(through a private function of torch)",
        kind="reference",
    ),
    "jax-scan": Contender(
        "JAX, one scan an epoch",
        "jax:prepare",
        "jax-scan",
        "jax",
        "data on the device, `jax.jit` of one `lax.scan` over an epoch's batches, Adam written out, buffers donated",
        "reference",
    ),
    "resident": Contender(
        "resident torch loop",
        "loops:resident",
        "resident",
        how="rows in one tensor, a gather a batch, `Adam(fused=True)`, no `.item()`",
        kind="reference",
    ),
    "dataloader": Contender(
        "DataLoader loop",
        "loops:dataloader",
        "dataloader",
        how="the loop of the tutorials: `DataLoader(TensorDataset(X), shuffle=True)`, `Adam`, `loss.item()` every step",
        kind="reference",
        alone=True,
    ),
    "isthmus": _own(
        "Isthmus",
        "default",
        "`Autoencoder.fit`, nothing scaled, held out or stopped early; `engine='recorded'`, which 'auto' is wherever a "
        "fit has 50 steps or more",
    ),
    "isthmus-eager": Contender(
        "Isthmus, eager",
        "own:eager",
        "isthmus-eager",
        "isthmus",
        "the same with `engine='eager'`",
        "own",
    ),
    "pythae": Contender(
        "pythae",
        "pythae:prepare",
        "pythae",
        "pythae",
        "`AE` with its own encoder and decoder classes around the case's modules, `BaseTrainer`, no evaluation, no "
        "checkpoints, its progress bar and log off; it copies the model after every better epoch, which has no switch",
    ),
    "pyod": Contender(
        "PyOD AutoEncoder",
        "pyod:prepare",
        "pyod",
        "pyod",
        "`AutoEncoder` without preprocessing, batch norm, dropout and weight decay; epochs are timed in its hook "
        "`epoch_update`",
    ),
    "skorch": Contender(
        "skorch",
        "skorch:prepare",
        "skorch",
        "skorch",
        "`NeuralNetRegressor`, `train_split=None`, no callback but the clock; `compile=True`, tried here and in PyOD, "
        "gained on one net and lost on another, so both keep their default",
    ),
    "keras-torch": Contender(
        "Keras on torch",
        "keras:prepare",
        "keras-torch",
        "keras",
        "`Sequential`, `compile` and `fit`, verbose=0; eager, its default (in a trial `jit_compile=True` took a sixth "
        "less time a step, and minutes to compile)",
        environment={"KERAS_BACKEND": "torch"},
    ),
    "keras-jax": Contender(
        "Keras on JAX",
        "keras:prepare",
        "keras-jax",
        "jax",
        "the same, compiled by XLA, with `steps_per_execution` as near 32 as divides an epoch, which its documentation "
        "advises for small models",
        environment={"KERAS_BACKEND": "jax"},
    ),
    "sklearn": Contender(
        "scikit-learn MLPRegressor",
        "sklearn:prepare",
        "sklearn",
        "sklearn",
        "fitted to its own input; a call of `partial_fit` an epoch, `assume_finite`",
    ),
    "population": _own("Isthmus, as one population", "together", "`isthmus.populations.fit_together`"),
    "one-by-one": _own("Isthmus, one by one", "default", "one `fit` after another", alone=True),
    "plain": _own("plain step", "plain", "no penalty"),
    "KL": _own("KL sparsity", "kl", "`codes.Activation('sigmoid')`, `penalties.KL`"),
    "L1": _own("L1", "l1", "`penalties.L1`, the decoder's columns at unit length"),
    "TopK": _own("TopK", "top_k", "`codes.TopK(8)`"),
    "Gaussian": _own("Gaussian code", "gaussian", "`codes.Gaussian()`, `penalties.Divergence`"),
    "mixture": _own(
        "Gaussian code, mixture prior",
        "mixture",
        "`codes.Gaussian(priors.Mixture(10))`, `penalties.Divergence`",
    ),
    "correlation": _own(
        "Gaussian code, total correlation",
        "correlation",
        "`codes.Gaussian()`, `penalties.Divergence` and `penalties.TotalCorrelation`",
    ),
    "exact": _own("contraction, exact", "contraction", "`penalties.Contraction(0.1)`"),
    "one-probe": _own("contraction, one probe", "probe", "`penalties.Contraction(0.1, probes=1)`"),
    "jacrev": Contender(
        "plain torch, vmap(jacrev)",
        "loops:jacrev",
        "jacrev",
        how="the resident loop with `vmap(jacrev(encoder))` of each row",
        kind="reference",
    ),
    "plain-torch": Contender(
        "plain torch",
        "loops:forward",
        "plain-torch",
        how="the encoder on all rows at once under `inference_mode`",
        kind="reference",
    ),
}
