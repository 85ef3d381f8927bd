"""A network as named stages in a row, with auxiliary heads on some of them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping

from torch import Tensor, nn

from isthmus.errors import SettingError, nearest
from isthmus.nn.along import Along, along, in_forward_mode


class Network(nn.Module):
    """Stages one after another, (N, *shape) → logits (N, outputs).

    In training mode a network with auxiliary heads gives (logits, head, …), each (N, outputs), the heads in the order
    of their stages; else the logits alone.

    Parameters
    ----------
    stages : mapping of str to module
        In their order.
    heads : mapping of str to module
        Auxiliary heads by the stage they read (Szegedy 2015).
    family : str
        Whose names `load_weights` goes by; empty where nobody has published weights.

    Attributes
    ----------
    auxiliary_weight : float
        What the loss of each auxiliary head counts beside that of the logits.
    """

    def __init__(
        self, stages: Mapping[str, nn.Module], heads: Mapping[str, nn.Module] | None = None, family: str = ""
    ) -> None:
        super().__init__()
        self.trunk = nn.Sequential(OrderedDict(stages))
        self.heads = nn.ModuleDict(dict(heads or {}))
        self.family = family
        self.auxiliary_weight = 0.3

    @property
    def stages(self) -> tuple[str, ...]:
        """The names of the stages, in order."""
        return tuple(name for name, _ in self.trunk.named_children())

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, ...]:
        heard = []
        for name, stage in self.trunk.named_children():
            x = stage(x)
            if self.training and name in self.heads:
                heard.append(self.heads[name](x))
        return (x, *heard) if heard else x

    def along(self, x: Tensor, u: Tensor) -> Along:
        """What it gives, and how the logits change along directions u, (N, r, *shape): (N, r, outputs)."""
        return in_forward_mode(self, x, u) if self.training and self.heads else along(self.trunk, x, u)

    def upto(self, name: str) -> nn.Sequential:
        """The stages up to and including the named one, which gives features (N, C, H, W) or (N, F).

        The weights are this network's own, not copies.

        Raises
        ------
        SettingError
            Where there is no such stage, with the nearest name.
        """
        names = self.stages
        if name not in names:
            raise SettingError(f"no stage called {name!r}", where="in the network", hint=nearest(name, names))
        return nn.Sequential(OrderedDict(list(self.trunk.named_children())[: names.index(name) + 1]))
