"""The scikit-learn face of a restricted Boltzmann machine."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

from isthmus import _fitting as fitting
from isthmus import codes, decoders, encoders, likelihoods, saving
from isthmus._constraints import Constraint, OneOf, check, count, optional
from isthmus._fitting import Learned, Table
from isthmus._inputs import read_rows, read_weights
from isthmus.errors import DataError
from isthmus.estimators import Autoencoder
from isthmus.inference import batched
from isthmus.nn.boltzmann import VISIBLE, Boltzmann, Partition
from isthmus.scaling import HOW
from isthmus.training.loop import Observer

Array = NDArray[np.floating]
_LENT = (  # settings that mean the same for an autoencoder
    *("max_epochs", "batch_size", "learning_rate", "weight_decay", "schedule", "validation_fraction"),
    *("random_state", "device", "dtype", "engine", "verbose"),
)


class BoltzmannMachine(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """A restricted Boltzmann machine, as a scikit-learn transformer (Smolensky 1986, Hinton 2002).

    A distribution over rows v and hidden bits h with p(v, h) ∝ exp(c·v + b·h + hᵀWv), for Gaussian v times
    exp(−½‖v‖²), trained by contrastive divergence. The code of a row is the probability of each hidden bit. A deep
    belief net is a stack of these, each trained on the codes of the one before (Hinton, Osindero & Teh 2006):
    `make_pipeline(BoltzmannMachine(500), BoltzmannMachine(500))`; `finetune` makes a classifier of it.

    Parameters
    ----------
    n_hidden : int
        K, the hidden bits.
    visible : {"binary", "gaussian"}
        What a column is: a bit, or the probability of one, in [0, 1]; or a real number of unit variance.
    steps : int
        k, the steps of Gibbs sampling from the rows that each step of training takes (CD-k).
    chains : int, optional
        Instead of at the rows, sampling goes on from where so many chains of its own were left: persistent contrastive
        divergence (Tieleman 2008), which gives a better distribution. None: from the rows.
    scaling : {"auto", "standard", "minmax", "global", None}
        "auto": for bits, None where the rows lie in [0, 1] already, else "minmax"; for real numbers "standard".
    max_epochs, batch_size, learning_rate, weight_decay, schedule, validation_fraction, random_state, device, dtype, \
engine, verbose
        As in `Autoencoder`. The loss of training rows, the free energy of rows less that of samples, is no measure of
        success. Held-out rows are judged by the pseudo-likelihood (Besag 1975) of bits, or by score matching
        (Hyvärinen 2005) of real numbers; the weights that were best by that are kept.

    Attributes
    ----------
    module_ : torch.nn.Module
        The machine, in scaled units.
    scaler_ : isthmus.scaling.Scaler
    history_ : list of dict
        One entry an epoch.
    n_features_in_ : int
        D, the columns of a row.
    """

    constraints: ClassVar[Mapping[str, Constraint]] = {
        "n_hidden": count(),
        "visible": OneOf(tuple(VISIBLE)),
        "steps": count(),
        "chains": optional(count()),
        "scaling": OneOf(("auto", *HOW)),
        **{name: Autoencoder.constraints[name] for name in _LENT},
    }
    # settings of the loop that are not offered: the loss of training rows says nothing about when to stop
    input_shape, clip_norm, early_stopping, patience = None, None, False, 1

    def __init__(  # noqa: PLR0913  # the flat face that scikit-learn's users expect
        self,
        n_hidden: int = 64,
        visible: str = "binary",
        steps: int = 1,
        chains: int | None = None,
        *,
        scaling: str | None = "auto",
        max_epochs: int | str = "auto",
        batch_size: int | str | None = "auto",
        learning_rate: float = 5e-3,
        weight_decay: float = 0.0,
        schedule: str = "cosine",
        validation_fraction: float = 0.1,
        random_state: int | np.random.RandomState | None = None,
        device: str = "auto",
        dtype: str | None = None,
        engine: str = "auto",
        verbose: int = 0,
    ) -> None:
        self.n_hidden = n_hidden
        self.visible = visible
        self.steps = steps
        self.chains = chains
        self.scaling = scaling
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.schedule = schedule
        self.validation_fraction = validation_fraction
        self.random_state = random_state
        self.device = device
        self.dtype = dtype
        self.engine = engine
        self.verbose = verbose

    module_: Boltzmann

    def validate(self) -> None:
        """Check every setting.

        Raises
        ------
        SettingError
            Listing every value that does not fit.
        """
        check(type(self).__name__, self.get_params(deep=False), self.constraints)

    def fit(
        self,
        X: ArrayLike,
        y: object = None,
        sample_weight: ArrayLike | None = None,
        *,
        observers: Sequence[Observer] = (),
        resume: Path | None = None,
    ) -> Self:
        """Train on rows X, (N, D); the arguments are those of `Autoencoder.fit`.

        Raises
        ------
        SettingError
            Where a setting does not fit.
        DataError
            Where rows cannot be learned from: bits outside [0, 1] under a scaling that leaves them there.
        DivergenceError
            Where a loss or a gradient is not finite; the estimator keeps its last good weights.
        """
        self.validate()
        rows = read_rows(self, X, reset=True)
        fitting.fit(self, Table(rows, read_weights(sample_weight, rows)), observers, resume)
        return self

    def partial_fit(self, X: ArrayLike, y: object = None, sample_weight: ArrayLike | None = None) -> Self:
        """Train one epoch on rows X, (N, D), at the full learning rate; the first call learns the scaling too."""
        first = not hasattr(self, "module_")
        if first:
            self.validate()
        rows = read_rows(self, X, reset=first)
        fitting.partial_fit(self, Table(rows, read_weights(sample_weight, rows)))
        return self

    def build_module(self, known: Learned, seed: int, dtype: torch.dtype, device: torch.device) -> Boltzmann:
        """The machine with its first weights."""
        return self.build(torch.as_tensor(np.array(known.mean)), seed).to(device=device, dtype=dtype)

    def build(self, mean: torch.Tensor, seed: int) -> Boltzmann:
        """The machine for rows of such a mean, (D,), with its first random weights, which depend on the seed alone."""
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            return Boltzmann(self.visible, mean, self.n_hidden, self.steps, self.chains)

    @property
    def unit_interval(self) -> bool:
        """Whether rows have to lie in [0, 1]."""
        return self.visible == "binary"

    @property
    def likelihood(self) -> Any:
        """What a row is given the hidden bits, as an autoencoder's part."""
        return likelihoods.Bernoulli() if self.visible == "binary" else likelihoods.Gaussian()

    def transform(self, X: ArrayLike) -> Array:
        """The probability of each hidden bit given the row, (N, K)."""
        return self._apply(X, self._module().encode)

    def inverse_transform(self, X: ArrayLike) -> Array:
        """The mean of each column given hidden bits, or their probabilities, X, (N, K): (N, D) in input units."""
        module = self._module()
        H = np.asarray(X if not isinstance(X, torch.Tensor) else X.detach().cpu())
        if H.ndim != 2 or H.shape[1] != self._n_features_out:
            raise DataError(
                f"codes of shape {H.shape}", where="in inverse_transform", expected=f"(N, {self._n_features_out})"
            )
        H = H if H.dtype in (np.float32, np.float64) else H.astype(np.float64)
        return batched(module, module.decode, H, after=self.scaler_)

    def reconstruct(self, X: ArrayLike) -> Array:
        """Each row encoded and decoded by means, in input units, (N, D)."""
        module = self._module()
        return batched(
            module,
            lambda x: module.decode(module.encode(x)),
            read_rows(self, X, reset=False),
            before=self.scaler_,
            after=self.scaler_,
        )

    def score_samples(self, X: ArrayLike) -> Array:
        """Minus the free energy of each row in scaled units, (N,): log p(row) plus log Z, the same for all rows."""
        module = self._module()
        return self._apply(X, lambda x: -module.free_energy(x))

    def score(self, X: ArrayLike, y: object = None, sample_weight: ArrayLike | None = None) -> float:
        """How well rows are foreseen, the higher the better; comparable between machines on the same scaled rows.

        For bits the mean log pseudo-likelihood, estimated from one column a row, the same ones at every call; for real
        numbers minus the score matching loss.
        """
        module = self._module()
        rng = torch.Generator(device=module.weight.device)
        rng.manual_seed(self.seed_)
        surprise = self._apply(X, lambda x: module.surprise(x, rng)).astype(np.float64)
        return -float(np.average(surprise, weights=read_weights(sample_weight, surprise)))

    def partition(self, random_state: int | None = None, chains: int = 100, temperatures: int = 1000) -> Partition:
        """log Z and its standard error: `score_samples(X) - partition().log` is log p, of rows in scaled units.

        Exact, with error 0, where one side has at most 16 bits; else estimated by annealed importance sampling
        (Salakhutdinov & Murray 2008) with so many chains and temperatures.
        """
        given = {"chains": chains, "temperatures": temperatures}
        check("partition", given, {"chains": count(2), "temperatures": count()})
        return self._module().partition(self._generator(random_state), chains, temperatures)

    def sample(self, n_samples: int = 1, steps: int = 1000, random_state: int | None = None) -> Array:
        """Rows drawn from the machine, in input units, (n_samples, D): Gibbs chains of so many steps each."""
        check("sample", {"n_samples": n_samples, "steps": steps}, {"n_samples": count(), "steps": count()})
        module = self._module()
        with torch.no_grad():
            drawn = module.sample(n_samples, steps, self._generator(random_state))
        return self.scaler_.undo(drawn.cpu().numpy())

    def encoding(self) -> tuple[Any, Any, int, tuple[int, ...], dict[str, torch.Tensor]]:
        """The same code as an autoencoder's parts: encoder, code, K, the shape of a row, and the weights."""
        module = self._module()
        hidden, columns = module.weight.shape
        weights = {"encoder.layers.0.matrix": module.weight, "encoder.layers.0.bias": module.hidden_bias}
        state = {name: weight.detach() for name, weight in weights.items()}
        return encoders.Linear(), codes.Activation("sigmoid"), hidden, (columns,), state

    def decoding(self) -> tuple[Any, Any, dict[str, torch.Tensor]]:
        """The means of rows given codes as an autoencoder's parts: decoder, likelihood, and the weights."""
        module = self._module()
        weights = {
            "decoder.network.layers.0.matrix": module.weight.T,
            "decoder.network.layers.0.bias": module.visible_bias,
        }
        state = {name: weight.detach() for name, weight in weights.items()}
        return decoders.Linear(), self.likelihood, state

    def structure(self) -> dict[str, Any]:
        """The settings that the fitted machine was built from."""
        module = self._module()
        chains = None if module.chains is None else len(module.chains)
        return {
            "n_hidden": len(module.hidden_bias),
            "visible": module.visible.name,
            "steps": module.steps,
            "chains": chains,
        }

    def save(self, folder: str | Path) -> None:
        """Write `config.json` and `model.safetensors` into a folder; `isthmus.load` reads them back."""
        check_is_fitted(self, "module_")
        saving.save_boltzmann(self, Path(folder))

    def _module(self) -> Boltzmann:
        check_is_fitted(self, "module_")
        return self.module_

    def _generator(self, random_state: int | None) -> torch.Generator:
        rng = torch.Generator(device=self.module_.weight.device)
        rng.manual_seed(fitting.seed_from(random_state))
        return rng

    def _apply(self, X: ArrayLike, function: Callable[[torch.Tensor], torch.Tensor]) -> Array:
        check_is_fitted(self, "module_")
        return batched(self.module_, function, read_rows(self, X, reset=False), before=self.scaler_)

    @property
    def _n_features_out(self) -> int:
        return self.module_.weight.shape[0]

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "module_")

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        tags.non_deterministic = False
        return tags
