"""Weights that others trained: the state dicts of torchvision, by a table of names a family."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from isthmus.errors import DataError, SettingError
from isthmus.nn.classic.network import Network

Names = tuple[tuple[str, str], ...]  # ours and theirs, replaced one after the other
SHOWN = 3  # names that an error lists


def load_weights(module: nn.Module, source: str | os.PathLike[str] | Mapping[str, Tensor], head: bool = True) -> None:
    """Fill a network with weights under torchvision's names.

    For `networks.AlexNet(towers=1)`, `networks.VGG`, `networks.GoogLeNet(norm=True)` and `networks.ResNet`, on its own
    or within another module. Every weight must be there, nothing else may, and each has its shape; only counters of
    batch normalisation may lack, as they do in old files. Numbers take the network's own type.

    torchvision's own weights expect colours less (0.485, 0.456, 0.406), divided by (0.229, 0.224, 0.225); those of
    GoogLeNet expect them between −1 and 1.

    Parameters
    ----------
    module : Module
    source : path or mapping
        A .safetensors file, or tensors by name.
    head : bool
        False leaves the layers that give the classes, auxiliary heads' too, as they are.

    Raises
    ------
    DataError
        Where the file cannot be read, is a pickle, or the weights do not fit.
    SettingError
        Where torchvision has no such network.
    """
    network = _network(module)
    state = network.state_dict()
    names = _theirs(network, state)
    given = _read(source)
    if not head:
        skipped = {names.pop(name) for name in _classes(network)}
        given = {name: tensor for name, tensor in given.items() if name not in skipped}
    _check(names, state, given)
    with torch.no_grad():
        for name, theirs in names.items():
            if theirs in given:
                state[name].copy_(given[theirs])


def _network(module: nn.Module) -> Network:
    found = [inner for inner in module.modules() if isinstance(inner, Network)]
    if len(found) != 1 or found[0].family not in TABLES:
        raise SettingError(
            "torchvision has no weights for this network",
            where="in load_weights",
            expected="networks.AlexNet(towers=1), networks.VGG, networks.GoogLeNet(norm=True) or networks.ResNet",
        )
    return found[0]


def _theirs(network: Network, ours: Iterable[str]) -> dict[str, str]:
    """Our names with torchvision's."""
    table = TABLES[network.family](network)
    return {name: _translate(name, table) for name in ours}


def _translate(name: str, table: Names) -> str:
    for ours, theirs in table:
        name = name.replace(ours, theirs)
    return name


def _classes(network: Network) -> list[str]:
    """The names of what gives the classes: the last layer of the trunk and of every head."""
    return [name for name in network.state_dict() if name.startswith("trunk.output.") or ".fc2." in name]


def _read(source: str | os.PathLike[str] | Mapping[str, Any]) -> Mapping[str, Tensor]:
    if isinstance(source, Mapping):
        wrong = next((name for name, value in source.items() if not torch.is_tensor(value)), None)
        if wrong is not None:
            raise DataError(f"{wrong} is no tensor", where="in load_weights", expected="tensors by name")
        return source
    path = Path(source)
    if path.suffix != ".safetensors":
        raise DataError(
            f"{path.name} is not read: a pickle can run any program",
            where=f"at {path}",
            expected="a .safetensors file or a mapping of tensors",
            hint="convert it: safetensors.torch.save_file(torch.load(path, weights_only=True), 'weights.safetensors')",
        )
    try:
        return load_file(path)
    except (SafetensorError, OSError) as fault:
        raise DataError(f"the weights cannot be read ({fault})", where=f"at {path}", hint="fetch the file again") from (
            fault
        )


def _check(names: Mapping[str, str], state: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> None:
    needed = {theirs: tuple(state[ours].shape) for ours, theirs in names.items()}
    missing = [name for name in needed if name not in given and not name.endswith("num_batches_tracked")]
    unexpected = [name for name in given if name not in needed]
    misshapen = [
        f"{name} of shape {tuple(given[name].shape)} instead of {shape}"
        for name, shape in needed.items()
        if name in given and tuple(given[name].shape) != shape
    ]
    faults = (("missing ", missing), ("unexpected ", unexpected), ("", misshapen))
    told = [f"{what}{_listed(listed)}" for what, listed in faults if listed]
    if told:
        raise DataError(
            f"the weights do not fit: {', '.join(told)}",
            where="in load_weights",
            expected="the state dict of the same network",
            hint=_cure(missing, unexpected, misshapen),
        )


def _listed(items: list[str]) -> str:
    more = len(items) - SHOWN
    return " and ".join(items[:SHOWN]) + (f" and {more} more" if more > 0 else "")


def _cure(missing: list[str], unexpected: list[str], misshapen: list[str]) -> str:
    heads = [name for name in (*missing, *unexpected) if name.startswith("aux")]
    if heads and len(heads) == len(missing) + len(unexpected):
        return f"networks.GoogLeNet(auxiliary={bool(unexpected)})"
    if misshapen and not missing and not unexpected:
        return "head=False where only the number of classes differs"
    return "check depth, norm and width"


def _alexnet(network: Network) -> Names:
    convolutions = zip(range(1, 6), (0, 3, 6, 8, 10), strict=True)
    return (
        *((f"trunk.conv{i}.conv.", f"features.{place}.") for i, place in convolutions),
        ("trunk.fc6.0.", "classifier.1."),
        ("trunk.fc7.0.", "classifier.4."),
        ("trunk.output.", "classifier.6."),
    )


def _vgg(network: Network) -> Names:
    """The convolutions, what normalises them, rectifiers and pools of torchvision's are numbered in one row."""
    names, place = [], 0
    for stage, layer in network.trunk.named_children():
        if stage.startswith("conv"):
            names += [
                (f"trunk.{stage}.conv.", f"features.{place}."),
                (f"trunk.{stage}.bn.", f"features.{place + 1}."),
            ]
            place += len(list(layer.children()))
        elif stage.startswith("pool"):
            place += 1
    dense = (("fc6.0", 0), ("fc7.0", 3), ("output", 6))
    return (*names, *((f"trunk.{ours}.", f"classifier.{place}.") for ours, place in dense))


def _googlenet(network: Network) -> Names:
    return (
        ("trunk.conv2.", "conv3."),
        ("trunk.conv2_reduce.", "conv2."),
        ("trunk.output.1.", "fc."),
        ("heads.inception4a.", "aux1."),
        ("heads.inception4d.", "aux2."),
        ("trunk.", ""),
    )


def _resnet(network: Network) -> Names:
    return (
        ("trunk.conv1.conv.", "conv1."),
        ("trunk.conv1.bn.", "bn1."),
        *((f"trunk.conv{level + 1}.", f"layer{level}.") for level in range(1, 5)),
        (".branch.", "."),
        (".shortcut.", ".downsample."),
        ("trunk.output.", "fc."),
    )


TABLES: Mapping[str, Callable[[Network], Names]] = {
    "alexnet": _alexnet,
    "googlenet": _googlenet,
    "resnet": _resnet,
    "vgg": _vgg,
}
