"""Networks set by hand, against the functions that they are."""

import numpy as np
import pytest
import torch

from isthmus import seeing
from isthmus.nn.folding import folding, zigzag


def hat(x):
    return np.minimum(2 * x, 2 - 2 * x)


@pytest.mark.parametrize("depth", [1, 2, 3, 6])
def test_a_fold_is_the_hat_applied_so_often(depth):
    x = np.linspace(0, 1, 1025)
    y = x
    for _ in range(depth):
        y = hat(y)
    found = folding(depth).double()(torch.as_tensor(x)[:, None]).detach().numpy()[:, 0]
    np.testing.assert_allclose(found, y, atol=1e-9)
    assert seeing.pieces(folding(depth), 0, 1).count == 2**depth


def test_without_relu_nothing_folds():
    assert seeing.pieces(folding(5, "identity"), 0, 1).count == 1


@pytest.mark.parametrize("n", [1, 2, 7, 16])
def test_a_zigzag_bends_at_every_unit(n):
    found = seeing.pieces(zigzag(n), 0, 1)
    np.testing.assert_allclose(found.ends, np.arange(n + 2) / (n + 1), atol=1e-6)
    np.testing.assert_allclose(found.slopes[:, 0], [4.0 * (i % 2) for i in range(n + 1)], atol=1e-6)
