"""Reading back what was saved; nothing from the files is executed, classes are looked up in a table."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import torch

from isthmus import (
    beyond,
    codes,
    corruptions,
    decoders,
    encoders,
    likelihoods,
    networks,
    penalties,
    pretraining,
    priors,
    saving,
    stacking,
    tangents,
)
from isthmus._spec import Spec
from isthmus.anomaly import AnomalyDetector
from isthmus.assembly import SLOTS, Blueprint, assemble
from isthmus.beyond.importance import ImportanceWeighted, weighted
from isthmus.boltzmann import BoltzmannMachine
from isthmus.classifier import Classifier
from isthmus.corruptions import Columns
from isthmus.errors import RunError, SettingError, nearest
from isthmus.estimators import Autoencoder
from isthmus.regressor import Regressor
from isthmus.scaling import Scaler
from isthmus.stacking import StackedAutoencoder
from isthmus.supervised import Supervised

Config = dict[str, Any]
Tensors = dict[str, torch.Tensor]
# what damaged or foreign values run into
FAULTS = (LookupError, TypeError, AttributeError, RuntimeError, ValueError, OverflowError)
MODULES = {
    module.__name__.rpartition(".")[2]: module
    for module in (
        beyond,
        codes,
        corruptions,
        decoders,
        encoders,
        likelihoods,
        networks,
        penalties,
        pretraining,
        priors,
        stacking,
        tangents,
    )
}


def load(folder: str | Path, **parts: Any) -> Any:
    """Read a saved estimator of ours, whichever it is.

    Parameters
    ----------
    folder : path
        What `save` or `isthmus train` wrote.
    **parts : torch.nn.Module or callable
        Networks of your own, by the name of their slot: `load("model/", encoder=MyNet())`.

    Raises
    ------
    RunError
        Where the folder is missing, damaged or foreign.
    SettingError
        Where a network of your own is needed and not given.
    """
    folder = Path(folder)
    config = saving.read_config(folder)
    reader = READERS.get(str(config.get("estimator")))
    if reader is None:
        raise RunError(
            f"no estimator called {config.get('estimator')!r}", where=str(folder), expected=" or ".join(READERS)
        )
    return reader(folder, config, parts)


def load_autoencoder(
    folder: Path, config: dict[str, Any], parts: dict[str, Any], make: Callable[..., Autoencoder] = Autoencoder
) -> Autoencoder:
    """Rebuild a fitted estimator; `parts` holds the user's own networks by slot."""
    unknown = set(parts) - set(SLOTS)
    if unknown:
        name = min(unknown)
        raise SettingError(f"no slot called {name!r}", where="in load", hint=nearest(name, SLOTS))
    saved = saving.read_tensors(folder / "model.safetensors")
    try:
        ae = make(**{name: decode(value, name, parts) for name, value in config["params"].items()})
        ae.validate()
        _learned(ae, config, saved, parts)
    except SettingError:
        raise
    except FAULTS as fault:
        raise _misfit(folder, fault) from fault
    return ae


def _misfit(folder: Path, fault: Exception) -> RunError:
    reason = next(iter(str(fault).splitlines()), type(fault).__name__)
    return RunError(
        f"config.json and model.safetensors do not fit ({reason})", where=f"in {folder}", hint="train again"
    )


def _learned(ae: Autoencoder, config: dict[str, Any], saved: Tensors, parts: dict[str, Any]) -> None:
    built = config["built"]
    slots = {name: decode(value, name, parts) for name, value in built["slots"].items()}
    low, high = saved["low"].numpy(), saved["high"].numpy()
    ae.scaler_ = Scaler(saved["scaler.shift"].numpy(), saved["scaler.scale"].numpy())
    units = (low, high, ae.scaler_.shift, ae.scaler_.scale)
    ae.blueprint_ = Blueprint(slots, built["code_size"], tuple(built["input_shape"]), *units, built.get("groups", 0))
    ae.mean_ = saved["mean"].numpy()
    if {a.shape for a in (low, high, ae.mean_, ae.scaler_.shift, ae.scaler_.scale)} != {(len(low),)}:
        raise ValueError("the columns' statistics have different widths")
    if prod(built["input_shape"]) != len(low):
        raise ValueError(f"input_shape is {built['input_shape']!r} for {len(low)} columns")
    _note(ae, config["learned"])
    if ae.n_features_in_ != len(low):
        raise ValueError(f"n_features_in_ is {ae.n_features_in_!r} for {len(low)} columns")
    weights, dtype = _weights(saved)
    module = assemble(ae.blueprint_, ae.seed_, dtype, torch.device("cpu")).eval()
    module.load_state_dict(weights)
    ae.module_ = module


def _weights(saved: Tensors) -> tuple[Tensors, torch.dtype]:
    """The module's own tensors, and the precision of its weights."""
    weights = {name.removeprefix("module."): t for name, t in saved.items() if name.startswith("module.")}
    return weights, {t.dtype for t in weights.values() if t.is_floating_point()}.pop()


def load_weighted(folder: Path, config: Config, parts: dict[str, Any]) -> Autoencoder:
    """Rebuild a fitted estimator of the importance-weighted bound."""
    ae = load_autoencoder(folder, config, parts, ImportanceWeighted)
    try:
        ae.module_ = weighted(ae.module_, ae.blueprint_.slots).eval()
    except FAULTS as fault:
        raise _misfit(folder, fault) from fault
    return ae


def load_stacked(folder: Path, config: Config, parts: dict[str, Any]) -> Autoencoder:
    """Rebuild a fitted stack, without the layers as they were before they were trained on as one."""
    return load_autoencoder(folder, config, parts, StackedAutoencoder)


def load_supervised(
    folder: Path, config: Config, parts: dict[str, Any], make: Callable[..., Supervised] = Classifier
) -> Supervised:
    """Rebuild a fitted estimator of answers; `parts` holds the user's own networks by name."""
    slots = make().slots()
    if unknown := set(parts) - set(slots):
        name = min(unknown)
        raise SettingError(f"no slot called {name!r}", where="in load", hint=nearest(name, slots))
    saved = saving.read_tensors(folder / "model.safetensors")
    try:
        estimator = make(**{name: decode(value, name, parts) for name, value in config["params"].items()})
        estimator.validate()
        _relearned(estimator, config, saved)
    except SettingError:
        raise
    except FAULTS as fault:
        raise _misfit(folder, fault) from fault
    return estimator


def _relearned(estimator: Any, config: Config, saved: Tensors) -> None:
    built = config["built"]
    estimator.hear(built)
    estimator.scaler_ = Scaler(saved["scaler.shift"].numpy(), saved["scaler.scale"].numpy())
    estimator.mean_ = saved["mean"].numpy()
    _note(estimator, config["learned"])
    weights, dtype = _weights(saved)
    units = (saved["scaler.shift"], saved["scaler.scale"])
    columns = Columns(saved["low"], saved["high"], tuple(built["shape"]), *units)
    module = estimator.build(columns, estimator.seed_).to(dtype).eval()
    module.load_state_dict(weights)
    estimator.module_ = module


def load_regressor(folder: Path, config: Config, parts: dict[str, Any]) -> Supervised:
    """Rebuild a fitted regressor."""
    return load_supervised(folder, config, parts, Regressor)


def load_boltzmann(folder: Path, config: Config, parts: dict[str, Any]) -> BoltzmannMachine:
    """Rebuild a fitted Boltzmann machine, which has no slots."""
    if parts:
        raise SettingError(f"no slot called {min(parts)!r}", where="in load", expected="none, for a Boltzmann machine")
    saved = saving.read_tensors(folder / "model.safetensors")
    try:
        machine = BoltzmannMachine(**{name: decode(value, name, {}) for name, value in config["params"].items()})
        machine.validate()
        machine.scaler_ = Scaler(saved["scaler.shift"].numpy(), saved["scaler.scale"].numpy())
        machine.mean_ = saved["mean"].numpy()
        _note(machine, config["learned"])
        built = BoltzmannMachine(**config["built"])
        built.validate()
        weights, dtype = _weights(saved)
        module = built.build(saved["mean"], machine.seed_).to(dtype).eval()
        module.load_state_dict(weights)
        machine.module_ = module
    except SettingError:
        raise
    except FAULTS as fault:
        raise _misfit(folder, fault) from fault
    return machine


def _note(estimator: Any, learned: Config) -> None:
    for name in set(learned) & set(saving.LEARNED):
        value = learned[name]
        setattr(estimator, name, _READ.get(name, _as_it_is)(value))


def load_detector(folder: Path, config: Config, parts: dict[str, Any]) -> AnomalyDetector:
    """Rebuild a fitted detector around its autoencoder."""
    around: Callable[..., Autoencoder] = READERS.get(str(config.get("autoencoder")), load_autoencoder)
    return restore_detector(folder, around(folder, config, parts), config.get("detector"))


def restore_detector(folder: Path, ae: Autoencoder, saved: Any) -> AnomalyDetector:
    """A detector around a loaded autoencoder, from the calibration that a folder's configuration holds.

    Raises
    ------
    RunError
        Where it is damaged.
    """
    try:
        return AnomalyDetector.restore(ae, saved)
    except FAULTS as fault:
        raise _misfit(folder, fault) from fault


def decode(value: Any, slot: str, parts: dict[str, Any]) -> Any:
    """The inverse of `encode`: classes are looked up in a table, never imported by name."""
    if slot in parts:
        return parts[slot]
    if isinstance(value, dict) and "own" in value:
        raise SettingError(
            f"the {slot} of this model is a network of your own ({value['own']})",
            where=f"in the slot {slot}",
            hint=f"pass it again: load(folder, {slot}=...)",
        )
    if isinstance(value, dict) and "part" in value:
        module, _, name = value["part"].partition(".")
        part = getattr(MODULES[module], name)
        if not (isinstance(part, type) and issubclass(part, Spec)):
            raise KeyError(value["part"])
        return part(**{k: decode(v, "", {}) for k, v in value["params"].items()})
    if isinstance(value, dict) and "estimator" in value:
        return LAYERS[value["estimator"]](**{k: decode(v, "", {}) for k, v in value["params"].items()})
    return tuple(decode(inner, "", {}) for inner in value) if isinstance(value, list) else value


def _as_it_is(value: Any) -> Any:
    return value


_READ: dict[str, Callable[[Any], Any]] = {
    "feature_names_in_": lambda names: np.array(names, dtype=object),
    "groups_": np.array,
}
READERS: dict[str, Callable[[Path, Config, dict[str, Any]], Any]] = {
    "Autoencoder": load_autoencoder,
    "Classifier": load_supervised,
    "Regressor": load_regressor,
    "AnomalyDetector": load_detector,
    "BoltzmannMachine": load_boltzmann,
    "ImportanceWeighted": load_weighted,
    "StackedAutoencoder": load_stacked,
}
LAYERS = {kind.__name__: kind for kind in (Autoencoder, BoltzmannMachine, ImportanceWeighted)}
