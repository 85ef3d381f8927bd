"""What every measure looks at: one fitted autoencoder, the test rows, and what it makes of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from isthmus.errors import DataError
from isthmus.estimators import Autoencoder
from isthmus.evidence.reference import Reference, as_labels, subset
from isthmus.inference import batched

Array = NDArray[np.floating]
MOST_ROWS = 2000  # for measures whose cost grows faster than the rows


@dataclass
class Subject:
    """N test rows x in scaled units, (N, D), their classes y, (N,), and the reference, where there are any."""

    ae: Autoencoder
    x: Array
    y: NDArray[np.generic] | None
    reference: Reference | None

    @classmethod
    def of(cls, ae: Autoencoder, reference: Reference | None, X: ArrayLike, y: ArrayLike | None = None) -> Subject:
        x = ae.scale(X)
        return cls(ae, x, as_labels(y, len(x), "y_test"), reference)

    def encode(self, x: Array) -> Array:
        """Codes, (N, K), of scaled rows."""
        return batched(self.ae.module_, self.ae.module_.encode, x)

    def decode(self, z: Array, x: Array | None = None) -> Array:
        """Scaled rows, (N, D), of codes; of those of rows x, which may have a size beside their code."""
        module = self.ae.module_
        x_hat = batched(module, module.decode, z)
        if x is None or not module.likelihood.views:
            return x_hat
        like = next(module.parameters())
        with torch.no_grad():
            sized = module.likelihood.resized(torch.as_tensor(x_hat).to(like), torch.as_tensor(x).to(like))
        return sized.cpu().numpy().astype(x_hat.dtype)

    @cached_property
    def z(self) -> Array:
        return self.encode(self.x)

    @cached_property
    def x_hat(self) -> Array:
        return self.decode(self.z, self.x)

    @cached_property
    def reference_z(self) -> Array | None:
        return None if self.reference is None else self.encode(self.reference.rows)

    @cached_property
    def seen_z(self) -> Array:
        """Codes of the test rows and of the training rows at hand."""
        return self.z if self.reference_z is None else np.concatenate([self.z, self.reference_z])

    @cached_property
    def seen_x(self) -> Array:
        return self.x if self.reference is None else np.concatenate([self.x, self.reference.rows])

    def draw(self, x: Array, seed: int = 0) -> Array:
        """One code of each scaled row, (N, K), drawn from its posterior where it has one."""
        return self._posterior(x, lambda z, stats: z, seed)

    @cached_property
    def divergence(self) -> Array | None:
        """KL(q(z|x) ‖ p(z)) of the rows seen, as (N, J) parts in nats; None where the code knows none."""
        code = self.ae.module_.code
        return self._posterior(self.seen_x, code.divergence) if "divergence" in code.gives else None

    @cached_property
    def noise(self) -> Array:
        """Of a Gaussian code the variance that each unit has around its mean, over the rows seen, (K,)."""
        found = self._posterior(self.seen_x, lambda z, stats: stats["log_variance"].exp())
        noise: Array = found.mean(axis=0, dtype=np.float64)
        return noise

    def _posterior(self, x: Array, answer: Callable[[Tensor, dict[str, Tensor]], Tensor], seed: int = 0) -> Array:
        module = self.ae.module_
        rng = torch.Generator(device=next(module.parameters()).device)
        rng.manual_seed(seed)
        return batched(module, lambda rows: answer(*module.code(module.encoder(rows), None, rng)), x)

    @cached_property
    def some(self) -> NDArray[np.intp]:
        """Numbers of at most 2,000 test rows."""
        return subset(len(self.x), MOST_ROWS)

    @property
    def classes(self) -> NDArray[np.generic]:
        """Classes of `some`, (n,).

        Raises
        ------
        DataError
            Where there are none.
        """
        if self.y is None:
            raise DataError("no classes", where="in y", hint="pass them, or ask for what needs none")
        return self.y[self.some]

    @property
    def code_size(self) -> int:
        return int(self.z.shape[1])

    @cached_property
    def spent(self) -> int:
        """Numbers a row is really coded with: K, less the units that are exactly 0 on this row but not on all.

        A top-k code of 64 units that keeps 8 spends 8. Units that are 0 on every row count: they were paid for.
        """
        z = self.seen_z
        silent = (z == 0).all(axis=0)
        return max(1, round(float(((z != 0) | silent).sum(axis=1).mean())))

    @property
    def gaussian(self) -> bool:
        return "gaussian" in self.ae.module_.code.gives

    @property
    def bounds(self) -> tuple[float, float] | None:
        """The ends between which the code's activation is squeezed, where there are any."""
        if "unit interval" in self.ae.module_.code.gives:
            return 0.0, 1.0
        return (-1.0, 1.0) if getattr(self.ae.module_.code, "name", None) == "tanh" else None


def squared(difference: Array) -> Array:
    """Squared length of each row, (N,), in float64."""
    return np.einsum("nd,nd->n", difference, difference, dtype=np.float64)
