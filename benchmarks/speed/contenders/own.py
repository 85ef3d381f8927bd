"""Isthmus: the estimator as a user calls it."""

from __future__ import annotations

from typing import Any

from isthmus import Autoencoder, codes, decoders, encoders, penalties, priors
from isthmus.errors import SettingError
from isthmus.populations import fit_together
from speed import nets
from speed.cases import Case, Rows
from speed.clock import Clock, Epochs, UnableError


def default(case: Case, X: Rows, device: str) -> Epochs:
    if case.group == "transform":
        return _transform(case, X, device)
    return _fit(case, X, device, code=codes.Activation(case.activation))


def eager(case: Case, X: Rows, device: str) -> Epochs:
    if "engine" not in Autoencoder().get_params(deep=False):
        raise UnableError("this Isthmus has no setting `engine`: its one step is eager")
    return _fit(case, X, device, code=codes.Activation(case.activation), engine="eager")


def plain(case: Case, X: Rows, device: str) -> Epochs:
    return _fit(case, X, device, code=_code(case))


def contraction(case: Case, X: Rows, device: str) -> Epochs:
    return _fit(case, X, device, code=_code(case), penalty=penalties.Contraction(0.1))


def probe(case: Case, X: Rows, device: str) -> Epochs:
    if "probes" not in penalties.Contraction().get_params():
        raise UnableError("penalties.Contraction has no setting `probes`")
    return _fit(case, X, device, code=_code(case), penalty=penalties.Contraction(0.1, probes=1))


def kl(case: Case, X: Rows, device: str) -> Epochs:
    return _fit(case, X, device, code=codes.Activation("sigmoid"), penalty=penalties.KL())


def l1(case: Case, X: Rows, device: str) -> Epochs:
    return _fit(case, X, device, penalty=penalties.L1())


def top_k(case: Case, X: Rows, device: str) -> Epochs:
    return _fit(case, X, device, code=codes.TopK(8))


def gaussian(case: Case, X: Rows, device: str) -> Epochs:
    return _fit(case, X, device, code=codes.Gaussian(), penalty=penalties.Divergence())


def mixture(case: Case, X: Rows, device: str) -> Epochs:
    return _fit(case, X, device, code=codes.Gaussian(priors.Mixture(10)), penalty=penalties.Divergence())


def correlation(case: Case, X: Rows, device: str) -> Epochs:
    both = penalties.Sum(divergence=penalties.Divergence(), correlation=penalties.TotalCorrelation(5.0))
    return _fit(case, X, device, code=codes.Gaussian(), penalty=both)


def together(case: Case, X: Rows, device: str) -> Epochs:
    """A population's seconds are the sum of its members' shares."""

    def epochs(n: int) -> list[float]:
        members = [
            estimator(case, device, epochs=n + 1, code=codes.Activation(case.activation), random_state=seed)
            for seed in range(case.members)
        ]
        faults = fit_together(members, X)
        epochs.how = engine_of(members[0])
        if any(faults):
            raise UnableError(f"{sum(fault is not None for fault in faults)} members diverged")
        return [sum(ae.history_[epoch]["seconds"] for ae in members) for epoch in range(1, n + 1)]

    return epochs


def estimator(case: Case, device: str, epochs: int, **more: Any) -> Autoencoder:
    """The case's net; nothing is scaled, held out, or stopped early."""
    common: dict[str, Any] = {
        "scaling": None,
        "max_epochs": epochs,
        "batch_size": case.batch,
        "learning_rate": 1e-3,
        "schedule": "constant",
        "validation_fraction": 0.0,
        "early_stopping": False,
        "random_state": 0,
        "device": device,
        "engine": "recorded",
    }
    if case.dtype != "float32":
        common["dtype"] = case.dtype
    settings = common | _slots(case) | more
    known = Autoencoder().get_params(deep=False)
    return Autoencoder(**{name: value for name, value in settings.items() if name in known})


def engine_of(ae: Autoencoder) -> str:
    """How its steps were run."""
    return getattr(ae, "engine_", "")


def _slots(case: Case) -> dict[str, Any]:
    if case.group == "convolution":
        return {
            "code_size": nets.CONVOLVED,
            "encoder": nets.convolutional_encoder(),
            "decoder": nets.convolutional_decoder(),
            "code": None,
            "input_shape": nets.shape(case),
        }
    hidden = case.widths[1:-1]
    encoder = encoders.MLP(hidden, case.activation) if hidden else encoders.Linear()
    decoder = decoders.MLP(hidden[::-1], case.activation) if hidden else decoders.Linear()
    return {"code_size": case.widths[-1], "encoder": encoder, "decoder": decoder}


def _code(case: Case) -> codes.Activation | None:
    """One contractive layer has sigmoid units; deeper nets have a linear code."""
    return codes.Activation(case.activation) if len(case.widths) == 2 else None


def _fit(case: Case, X: Rows, device: str, **more: Any) -> Epochs:
    if case.group == "convolution":
        more.pop("code")

    def epochs(n: int) -> list[float]:
        clock = Clock(device)
        ae = _fitted(case, X, device, n + 1, clock, more)
        epochs.how = engine_of(ae)
        return clock.seconds()

    return epochs


def _fitted(case: Case, X: Rows, device: str, epochs: int, clock: Clock, more: dict[str, Any]) -> Autoencoder:
    """With a recorded step, as "auto" takes where a fit has 50 steps or more; as "auto" where that cannot be."""
    try:
        return estimator(case, device, epochs, **more).fit(X, observers=(clock.tick,))
    except SettingError:
        return estimator(case, device, epochs, **more | {"engine": "auto"}).fit(X, observers=(clock.tick,))


def _transform(case: Case, X: Rows, device: str) -> Epochs:
    ae = estimator(case, device, epochs=1, code=codes.Activation(case.activation)).fit(X[: 4 * case.batch])

    def epochs(n: int) -> list[float]:
        clock = Clock(device)
        for _ in range(n + 1):
            ae.transform(X)
            clock.tick()
        return clock.seconds()

    return epochs
