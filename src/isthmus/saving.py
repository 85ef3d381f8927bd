"""Models as a folder of `config.json` and `model.safetensors`: how they are written and their files read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from sklearn.base import BaseEstimator
from torch import nn

from isthmus._files import atomic, atomic_write_text
from isthmus._spec import Spec, family
from isthmus.errors import RunError
from isthmus.foreign import is_foreign

if TYPE_CHECKING:
    from isthmus.boltzmann import BoltzmannMachine
    from isthmus.estimators import Autoencoder
    from isthmus.supervised import Supervised

FORMAT = 1
LEARNED = (
    "n_features_in_",
    "feature_names_in_",
    "seed_",
    "n_iter_",
    "stopped_",
    "engine_",
    "history_",
    "n_train_",
    "n_validation_",
    "groups_",
)


def save_autoencoder(ae: Autoencoder, folder: Path, extra: dict[str, Any] | None = None) -> None:
    """Write the two files, each beside and then renamed. `extra` goes into the configuration as it is."""
    _save(folder, {"estimator": ae.saved_as, **describe(ae), **(extra or {})}, tensors(ae))


def save_supervised(estimator: Supervised, folder: Path) -> None:
    """Write the two files of an estimator of answers; what an answer is, it says itself."""
    columns = estimator.columns_
    built = {"shape": list(columns.shape), **{key: plain(value) for key, value in estimator.answers().items()}}
    config = {"estimator": type(estimator).__name__, "params": _params(estimator), "built": built}
    tensors = _state(estimator) | {"low": columns.low, "high": columns.high}
    _save(folder, config | {"learned": _noted(estimator)}, tensors)


def save_boltzmann(machine: BoltzmannMachine, folder: Path) -> None:
    """Write the two files of a Boltzmann machine."""
    config = {"estimator": "BoltzmannMachine", "params": _params(machine), "learned": _noted(machine)}
    _save(folder, config | {"built": machine.structure()}, _state(machine))


def _save(folder: Path, config: dict[str, Any], tensors: dict[str, torch.Tensor]) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as fault:
        raise RunError(
            f"cannot make the folder ({fault.strerror})", where=f"at {folder}", hint="choose another one"
        ) from fault
    with atomic(folder / "model.safetensors") as beside:
        beside.write_bytes(save(tensors))
    text = json.dumps({"format": FORMAT, **config}, indent=1, allow_nan=False)
    atomic_write_text(folder / "config.json", text + "\n")


def describe(ae: Autoencoder) -> dict[str, Any]:
    """Parameters and learned values of a fitted estimator as plain JSON."""
    built = ae.blueprint_
    blueprint = {"code_size": built.code_size, "input_shape": plain(built.input_shape), "groups": built.groups}
    slots = {name: encode(part) for name, part in ae.blueprint_.slots.items()}
    return {"params": _params(ae), "built": blueprint | {"slots": slots}, "learned": _noted(ae)}


def _params(estimator: BaseEstimator) -> dict[str, Any]:
    return {name: encode(value) for name, value in estimator.get_params(deep=False).items()}


def _noted(estimator: BaseEstimator) -> dict[str, Any]:
    return {name: plain(getattr(estimator, name)) for name in LEARNED if hasattr(estimator, name)}


def tensors(ae: Autoencoder) -> dict[str, torch.Tensor]:
    arrays = {"low": ae.blueprint_.low, "high": ae.blueprint_.high}
    return _state(ae) | {name: torch.as_tensor(np.ascontiguousarray(array)) for name, array in arrays.items()}


def _state(estimator: Any) -> dict[str, torch.Tensor]:
    """Weights, scaling and mean of a fitted estimator."""
    state = estimator.module_.state_dict()
    named = {
        f"module.{name}": t.detach().cpu().clone(memory_format=torch.contiguous_format) for name, t in state.items()
    }
    scaler = estimator.scaler_
    arrays = {"scaler.shift": scaler.shift, "scaler.scale": scaler.scale, "mean": estimator.mean_}
    return named | {name: torch.as_tensor(np.ascontiguousarray(array)) for name, array in arrays.items()}


def read_config(folder: Path) -> dict[str, Any]:
    """The configuration of a saved model.

    Raises
    ------
    RunError
        Where the folder holds none, or one that is damaged or foreign.
    """
    path = folder / "config.json"
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as fault:
        raise RunError(
            "no config.json", where=str(folder), expected="a folder that `save` or `isthmus train` wrote"
        ) from fault
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, RecursionError) as fault:
        raise RunError(f"config.json cannot be read ({fault})", where=str(folder), hint="train again") from fault
    if not isinstance(config, dict) or config.get("format") != FORMAT or "params" not in config:
        raise RunError("config.json is not of this program", where=str(folder), expected=f"format {FORMAT}")
    return config


def read_tensors(path: Path) -> dict[str, torch.Tensor]:
    """The tensors of a safetensors file.

    Raises
    ------
    RunError
        Where it is missing or damaged.
    """
    try:
        return load_file(path)
    except FileNotFoundError as fault:
        raise RunError(f"no {path.name}", where=str(path.parent), hint="train again") from fault
    except (SafetensorError, OSError) as fault:
        raise RunError(f"{path.name} is damaged ({fault})", where=str(path.parent), hint="train again") from fault


def encode(value: Any) -> Any:
    """A parameter as plain JSON: specifications and estimators by the name of their class, own networks by a mark."""
    if isinstance(value, Spec):
        name = f"{family(value)}.{type(value).__name__}"
        return {"part": name, "params": {k: encode(v) for k, v in value.get_params(deep=False).items()}}
    if isinstance(value, BaseEstimator):
        return {"estimator": type(value).__name__, "params": _params(value)}
    if is_foreign(value):
        return {"own": type(value).__name__ if isinstance(value, nn.Module) else getattr(value, "__name__", "callable")}
    if isinstance(value, torch.dtype):
        return str(value).removeprefix("torch.")
    if isinstance(value, list | tuple):
        return [encode(inner) for inner in value]
    return plain(value)


def plain(value: Any) -> Any:
    """NumPy values as plain Python ones."""
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.random.RandomState):
        return None  # a generator has no value to keep; `seed_` holds the number drawn
    return value
