from functools import cached_property

import numpy as np
import pytest
import torch
from sklearn.datasets import load_breast_cancer, load_digits, load_wine
from sklearn.model_selection import train_test_split

from isthmus import zoo

IMAGES = {"input_shape": (1, 8, 8), "random_state": 0}


class Shelf:
    """Data and fits that several tests share: each is (X_train, X_test, y_test), or an estimator."""

    @cached_property
    def digits(self):
        return self._split(load_digits(), np.float32)

    @cached_property
    def wine(self):
        return self._split(load_wine(), np.float64)

    @cached_property
    def breast_cancer(self):
        return self._split(load_breast_cancer(), np.float64)

    @cached_property
    def manifold(self):
        """A curved sheet of 3 dimensions in 20, with a little noise."""
        rng = np.random.default_rng(0)
        inner, outer = rng.normal(size=(3, 40)), rng.normal(size=(40, 20)) / 6
        X = np.tanh(rng.uniform(-1, 1, size=(600, 3)) @ inner) @ outer + 0.05 * rng.normal(size=(600, 20))
        return X[:400].astype(np.float32), X[400:].astype(np.float32), None

    @cached_property
    def plane(self):
        """4 linear dimensions in 20, with a little noise."""
        rng = np.random.default_rng(0)
        X = rng.normal(size=(600, 4)) @ rng.normal(size=(4, 20)) + 0.1 * rng.normal(size=(600, 20))
        return X[:400], X[400:], None

    @cached_property
    def noise(self):
        X = np.random.default_rng(0).normal(size=(800, 20))
        return X[:500], X[500:], None

    @cached_property
    def digits_net(self):
        return zoo.undercomplete(8, max_epochs=60, **IMAGES).fit(self.digits[0])

    @cached_property
    def plane_net(self):
        return zoo.linear(4, max_epochs=150, batch_size=64, learning_rate=5e-3, random_state=0).fit(self.plane[0])

    @cached_property
    def manifold_net(self):
        return zoo.undercomplete(4, max_epochs=150, batch_size=64, learning_rate=5e-3, random_state=0).fit(
            self.manifold[0]
        )

    @staticmethod
    def _split(bunch, dtype):
        X_train, X_test, _, y_test = train_test_split(
            bunch.data.astype(dtype), bunch.target, test_size=0.3, random_state=0
        )
        return X_train, X_test, y_test


@pytest.fixture(scope="session")
def shelf():
    return Shelf()


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
