"""What a fitted autoencoder makes: rows from its prior, swaps, translations; and how likely it finds given rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isthmus import _fitting as fitting
from isthmus import bounds, generating
from isthmus._constraints import check, count
from isthmus._groups import read_groups
from isthmus.errors import DataError, SettingError
from isthmus.fitted import Fitted

Array = NDArray[np.floating]


class Generative(Fitted):
    """The methods that go from codes to new rows."""

    def sample(self, n_samples: int = 1, random_state: int | None = None, group: object = None) -> Array:
        """Rows generated from the code's prior, in input units, (n_samples, D).

        Parameters
        ----------
        group : label, optional
            The group they are to be of, where the decoder hears groups.

        Raises
        ------
        SettingError
            Where the code has no prior.
        """
        check("sample", {"n_samples": n_samples}, {"n_samples": count()})
        Z = fitting.sample_codes(self._module(), n_samples, random_state)
        return self.inverse_transform(Z, None if group is None else np.repeat(np.asarray([group]), n_samples))

    def interpolate(
        self, a: ArrayLike, b: ArrayLike, steps: int = 9, how: str | None = None, groups: ArrayLike | None = None
    ) -> Array:
        """Rows between rows a and b, (P, D) each, by way of the code: (P, steps, D) in input units.

        `how` is "linear" or "spherical"; None chooses by the code's prior. See `generating.interpolate`.
        """
        return generating.interpolate(self, a, b, steps, how, groups=groups)

    def traverse(
        self,
        X: ArrayLike | None = None,
        units: Sequence[int] | None = None,
        steps: int = 9,
        reach: float = 3.0,
        groups: ArrayLike | None = None,
    ) -> Array:
        """Rows whose code differs from that of X, (N, D), in one unit: (N, units, steps, D) in input units.

        Units default to those that move rows most. See `generating.traverse`.
        """
        return generating.traverse(self, X, units, steps, reach, groups=groups)

    def swap(self, content_of: ArrayLike, style_of: ArrayLike, groups: ArrayLike | None = None) -> Array:
        """Rows with what their group shares from `content_of`, and all else from `style_of`, in input units, (N, D).

        With `codes.Grouped` that is the content's part of the code; with a decoder that hears groups, such as
        `decoders.PerGroup`, it is whose decoder is used.

        Parameters
        ----------
        content_of, style_of : array-like of shape (N, D)
            Row i of one is put together with row i of the other; a single row goes with all.
        groups : array-like of shape (N,), optional
            Groups of `content_of`: the rows of a group pool what they say of its content. Decoders that hear groups
            need them.

        Raises
        ------
        SettingError
            Where no part of the model tells content from style.
        DataError
            Where there are not as many rows of the one as of the other.
        """
        content = getattr(self._module().code, "content", 0)
        hears = fitting.needs_groups(self.blueprint_.slots.get("decoder"))
        if not content and not hears:
            raise SettingError(
                "this model does not tell content from style",
                where="in swap",
                expected="code=codes.Grouped(...) or decoder=decoders.PerGroup(), fitted with groups",
            )
        if hears and groups is None:
            raise DataError("no groups", where="in swap", expected="the group of each row of content_of")
        shared = self.transform(content_of, groups)
        own = self.transform(style_of)
        labels = None if groups is None or not hears else np.asarray(groups)
        shared, own, labels = _paired(shared, own, labels)
        return self.inverse_transform(np.concatenate([shared[:, :content], own[:, content:]], axis=1), labels)

    def translate(self, X: ArrayLike, to: object) -> Array:
        """Rows X, (N, D), decoded as rows of the group `to`, in input units, (N, D).

        Raises
        ------
        SettingError
            Where the decoder hears no groups.
        """
        if not fitting.needs_groups(self.blueprint_.slots.get("decoder")):
            raise SettingError(
                "this decoder is the same for all groups",
                where="in translate",
                expected="decoder=decoders.PerGroup() or decoders.Conditional(), fitted with groups",
            )
        Z = self.transform(X)
        return self.inverse_transform(Z, np.repeat(np.asarray([to]), len(Z)))

    def log_likelihood(
        self, X: ArrayLike, samples: int = 100, random_state: int | None = None, groups: ArrayLike | None = None
    ) -> Array:
        """log p(x) of each row in nats and scaled units, (N,), estimated from below with so many samples a row.

        The importance-weighted bound (Burda, Grosse & Salakhutdinov 2016): its mean grows with `samples` towards the
        truth, and is the evidence bound at one sample. With `groups`, where the decoder hears them, log p(x | c). A
        code's content is never pooled here: each row is judged by itself.

        Raises
        ------
        SettingError
            Where the code has no posterior or no prior.
        DataError
            Where the likelihood has probabilities for whole numbers or levels alone, and rows hold others.
        """
        check("log_likelihood", {"samples": samples}, {"samples": count()})
        module, rows = self._module(), self.scale(X)
        self._check_grid(X, "in log_likelihood")
        hears = groups is not None and fitting.needs_groups(self.blueprint_.slots.get("decoder"))
        context = self._for_decoder(read_groups(groups, len(rows))) if groups is not None and hears else None
        return bounds.log_likelihood(module, rows, samples, fitting.seed_from(random_state), context).value


def _paired(shared: Array, own: Array, labels: NDArray[Any] | None) -> tuple[Array, Array, NDArray[Any] | None]:
    """Both with as many rows as the longer; a single one is repeated."""
    sizes = {len(shared), len(own)} - {1}
    if len(sizes) > 1:
        raise DataError(
            f"{len(shared)} rows of content and {len(own)} of style",
            where="in swap",
            expected="as many of one as of the other, or a single row",
        )
    n = max(sizes, default=1)
    spread = [np.repeat(part, n, axis=0) if len(part) == 1 else part for part in (shared, own)]
    return spread[0], spread[1], None if labels is None else np.repeat(labels, n) if len(labels) == 1 else labels
