"""Isthmus trains every kind of autoencoder and tells, with evidence, whether the code it learned is any good.

Names are loaded when they are first used, so that the command line can answer before torch is imported.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from isthmus import (
        beyond,
        codes,
        corruptions,
        decoders,
        encoders,
        evidence,
        likelihoods,
        mixtures,
        networks,
        penalties,
        priors,
        samplers,
        tangents,
        zoo,
    )
    from isthmus.anomaly import AnomalyDetector
    from isthmus.boltzmann import BoltzmannMachine
    from isthmus.classifier import Classifier
    from isthmus.estimators import Autoencoder
    from isthmus.loading import load
    from isthmus.pretraining import finetune
    from isthmus.regressor import Regressor
    from isthmus.stacking import stack
    from isthmus.sweeping import sweep

__version__ = "0.1.0"

_NAMES = {
    "AnomalyDetector": "anomaly",
    "Autoencoder": "estimators",
    "BoltzmannMachine": "boltzmann",
    "Classifier": "classifier",
    "Regressor": "regressor",
    "finetune": "pretraining",
    "load": "loading",
    "stack": "stacking",
    "sweep": "sweeping",
}
_MODULES = (
    "beyond",
    "codes",
    "corruptions",
    "decoders",
    "encoders",
    "evidence",
    "likelihoods",
    "mixtures",
    "networks",
    "penalties",
    "priors",
    "samplers",
    "tangents",
    "zoo",
)

__all__ = [
    "AnomalyDetector",
    "Autoencoder",
    "BoltzmannMachine",
    "Classifier",
    "Regressor",
    "beyond",
    "codes",
    "corruptions",
    "decoders",
    "encoders",
    "evidence",
    "finetune",
    "likelihoods",
    "load",
    "mixtures",
    "networks",
    "penalties",
    "priors",
    "samplers",
    "stack",
    "sweep",
    "tangents",
    "zoo",
]


def __getattr__(name: str) -> Any:
    if name in _NAMES:
        return getattr(import_module(f"isthmus.{_NAMES[name]}"), name)
    if name in _MODULES:
        return import_module(f"isthmus.{name}")
    raise AttributeError(f"module 'isthmus' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
