"""What a decoder's unit paints: the output with it less the output without it."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from isthmus.seeing.layers import no_such_layer
from isthmus.seeing.watching import Event, Watch, at_rest, kindred


def drawn(network: nn.Module, name: str, x: Any, units: Any) -> Tensor:
    """What one unit of a layer adds to the output of each row.

    In the last linear layer that is its activation times its column; below, what follows is not linear, and what units
    add need not sum to the output.

    Parameters
    ----------
    network : torch.nn.Module
        Maps rows (n, …) to outputs (n, …).
    name : str
        A layer.
    x : array or tensor of shape (n, …)
        Rows.
    units : sequence or array of int, (n,)
        A unit for each row: it is set to 0, in all places.

    Returns
    -------
    Tensor
        As the output.

    Raises
    ------
    SettingError
        Where no such layer runs.
    """
    rows = kindred(network, x)
    passed: list[str] = []

    def silence(event: Event) -> Tensor | None:
        passed.append(event.name)
        if event.name != name:
            return None
        changed = event.output.clone()
        changed[torch.arange(len(changed)), torch.as_tensor(units)] = 0
        return changed

    with at_rest(network), torch.no_grad():
        full: Tensor = network(rows.clone())
        with Watch(network, len(rows), silence):
            without: Tensor = network(rows)
    if name not in passed:
        raise no_such_layer(name, passed)
    return full - without
