"""Rows through a fitted network: the numbers of a plain pass over all rows, whatever the batches, layout and memory."""

import tracemalloc
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
import torch
from members import KINDS, rows, small
from scipy import sparse
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from isthmus import Autoencoder, encoders, inference, scaling
from isthmus.inference import batch_rows, batched
from isthmus.scaling import Scaler, fit_scaler

METHODS = ("transform", "reconstruct", "score_samples", "jacobian", "score")
TOLERANCE = {np.float32: {"rtol": 2e-5, "atol": 2e-5}, np.float64: {"rtol": 1e-12, "atol": 1e-12}}


@pytest.fixture
def narrow(monkeypatch):
    """Batches of a few rows: 7 for the widths of `members.SMALL`, 1 for a Jacobian."""
    monkeypatch.setattr(inference, "NUMBERS", {"cpu": 7 * 8})
    monkeypatch.setattr(inference, "LEAST_ROWS", 1)


def quick(**settings):
    return small("undercomplete", **settings)


def plain(ae, X, method):
    """What a method should give: one pass over all rows, in arrays made anew."""
    module, scaler = ae.module_, ae.scaler_
    scaled = ((X - scaler.shift) / scaler.scale).astype(X.dtype)
    with torch.no_grad():
        x = torch.tensor(scaled).to(next(module.parameters()).dtype)
        z = module.encode(x)
        if method == "transform":
            return z.numpy().astype(X.dtype)
        if method == "jacobian":
            return module.jacobian(x).detach().numpy().astype(X.dtype)
        if method == "score_samples":
            return -module.surprise(module(x)).numpy().astype(X.dtype)
        restored = module.decode(z).numpy().astype(X.dtype)
    if method == "reconstruct":
        return (restored * scaler.scale + scaler.shift).astype(X.dtype)
    error, spread = ((scaled - other).astype(np.float64) for other in (restored, ae.mean_))
    return 1 - np.square(error).sum() / np.square(spread).sum()


@pytest.mark.parametrize("asked", [None, "float32", "float64"])
@pytest.mark.parametrize("given", [np.float32, np.float64])
@pytest.mark.parametrize("kind", KINDS)
def test_batches_give_the_numbers_of_one_plain_pass(kind, given, asked, narrow):
    X = rows(121, dtype=given)
    ae = small(kind, dtype=asked, scaling="minmax").fit(X)  # where the mean is not 0
    near = TOLERANCE[np.float32 if "float32" in (np.dtype(given).name, asked) else np.float64]
    for method in METHODS:
        found, expected = getattr(ae, method)(X), plain(ae, X, method)
        np.testing.assert_allclose(found, expected, **near, err_msg=method)
        if method != "score":
            assert found.dtype == given
            assert found.shape == expected.shape
    Z = ae.transform(X)
    np.testing.assert_allclose(ae.inverse_transform(Z), plain(ae, X, "reconstruct"), **near)


@pytest.mark.parametrize("asked", ["float32", "float64"])
@pytest.mark.parametrize("given", [np.float32, np.float64])
def test_in_one_batch_they_are_the_same_bits(given, asked):
    X = rows(dtype=given)
    ae = quick(dtype=asked).fit(X)
    for method in METHODS[:-1]:
        assert np.array_equal(getattr(ae, method)(X), plain(ae, X, method)), method


@pytest.mark.parametrize("n", [1, 6, 7, 8, 14, 15, 120])
def test_every_row_is_seen_once_and_in_its_place(n, narrow):
    X, seen = rows(n), []

    def function(x):
        seen.append(len(x))
        return x * 2

    found = batched(nn.Linear(6, 8), function, X)
    np.testing.assert_array_equal(found, 2 * X.astype(np.float32))
    assert sum(seen) == n
    assert set(seen[:-1]) <= {7}
    assert 1 <= seen[-1] <= 7


@pytest.mark.parametrize("n", [5, 120])
@pytest.mark.parametrize("shape", [(), (3,), (2, 3)])
def test_results_of_any_shape(shape, n, narrow):
    found = batched(nn.Linear(6, 8), lambda x: x[:, 0].reshape(-1, *[1] * len(shape)).expand(-1, *shape), rows(n))
    assert found.shape == (n, *shape)
    np.testing.assert_array_equal(found.reshape(n, -1)[:, 0], rows(n)[:, 0].astype(np.float32))


def test_no_codes_decode_to_no_rows():
    ae = quick().fit(rows())
    assert ae.inverse_transform(np.empty((0, 2), np.float32)).shape == (0, 6)
    assert ae.inverse_transform(np.empty((0, 2), np.float32)).dtype == np.float32


def test_a_row_is_judged_alike_alone_and_among_others(narrow):
    X = rows(50)
    ae = quick().fit(X)
    for method in METHODS[:-1]:
        alone = np.concatenate([getattr(ae, method)(X[i : i + 1]) for i in range(50)])
        np.testing.assert_allclose(getattr(ae, method)(X), alone, rtol=1e-12, atol=1e-12)


def read_only(X):
    X = X.copy()
    X.flags.writeable = False
    return X


LAYOUTS = {
    "every other row": lambda X: np.repeat(X, 2, axis=0)[::2],
    "every other column": lambda X: np.repeat(X, 2, axis=1)[:, ::2],
    "backwards": lambda X: X[::-1, ::-1].copy()[::-1, ::-1],
    "fortran": np.asfortranarray,
    "read-only": read_only,
    "another byte order": lambda X: X.astype(X.dtype.newbyteorder()),
    "pandas": pd.DataFrame,
    "csr": sparse.csr_array,
    "torch": torch.tensor,
    "torch, transposed": lambda X: torch.tensor(np.ascontiguousarray(X.T)).T,
    "torch, with a gradient": lambda X: torch.tensor(X, requires_grad=True),
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("lay", LAYOUTS.values(), ids=LAYOUTS)
def test_layout_changes_nothing_and_the_input_stays(lay, dtype, narrow):
    X = rows(dtype=dtype)
    ae = quick(dtype="float64").fit(X)
    given = lay(X)
    for method in METHODS[:-1]:
        found = getattr(ae, method)(given)
        if lay is LAYOUTS["another byte order"]:  # scikit-learn reads these as float64
            np.testing.assert_allclose(found, getattr(ae, method)(X), rtol=1e-5)
            continue
        assert np.array_equal(found, getattr(ae, method)(X)), method
        assert found.dtype == dtype
    after = given.toarray() if sparse.issparse(given) else given.detach() if torch.is_tensor(given) else given
    assert np.array_equal(np.asarray(after), X)


@pytest.mark.parametrize("n", [5, 120])
def test_results_own_their_memory(n, narrow):
    X = rows(n)
    ae = quick().fit(rows())
    codes = ae.transform(X)
    for found in (codes, ae.reconstruct(X), ae.inverse_transform(codes), ae.score_samples(X), ae.jacobian(X)):
        assert found.flags.owndata
        assert found.flags.writeable
        assert found.flags.c_contiguous
    kept = codes.copy()
    ae.transform(rows(n, seed=1))
    assert np.array_equal(codes, kept)


@pytest.mark.parametrize("scaling_", [None, "standard"])
def test_a_network_that_writes_into_its_input_does_not_reach_the_callers(scaling_):
    X = rows()
    kept = X.copy()
    ae = quick(encoder=nn.Sequential(nn.ReLU(inplace=True), nn.Linear(6, 2)), scaling=scaling_).fit(X)
    ae.transform(X)
    batched(ae.module_, ae.module_.encode, X)  # as evidence does, on rows scaled before
    assert np.array_equal(X, kept)


def test_a_network_that_gives_its_own_weights_keeps_them():
    """Results are brought back to input units in a copy."""

    class Constant(nn.Module):
        def __init__(self):
            super().__init__()
            self.x = nn.Parameter(torch.arange(6.0))

        def forward(self, z):
            return self.x.expand(len(z), -1)

    ae = quick(decoder=Constant()).fit(rows())
    weights = ae.module_.decoder.network.x.numpy(force=True)
    kept = weights.copy()
    found = ae.reconstruct(rows(1))
    assert np.array_equal(found, kept[None] * ae.scaler_.scale + ae.scaler_.shift)
    assert np.array_equal(weights, kept)


def test_no_graph_is_kept_and_gradients_come_back_on():
    ae, seen = quick().fit(rows()), []

    def function(x):
        z = ae.module_.encode(x)
        seen.append((z.requires_grad, torch.is_grad_enabled()))
        return z

    batched(ae.module_, function, rows())
    assert seen == [(False, False)]
    assert torch.is_grad_enabled()


def test_what_a_network_keeps_from_a_call_can_be_trained_with():
    class Remembering(nn.Module):
        """Keeps a tensor made at the first call, as tables of positions are."""

        def __init__(self):
            super().__init__()
            self.inner, self.kept = nn.Linear(6, 2), None

        def forward(self, x):
            if self.kept is None:
                self.kept = x.new_ones(2)
            return self.inner(x) * self.kept

    ae = quick(encoder=Remembering()).fit(rows())
    ae.module_.encoder.network.kept = None
    ae.transform(rows())
    ae.partial_fit(rows())
    assert ae.n_iter_ == 4


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def test_threads_are_a_function_of_the_work_and_are_put_back(two_threads):
    net, seen = nn.Linear(64, 64), []

    def function(x):
        seen.append(torch.get_num_threads())
        if len(x) == 2:
            raise ValueError("no")
        return x

    for n in (1, 2000):
        batched(net, function, np.zeros((n, 64)))
        assert torch.get_num_threads() == 2
    assert seen == [1, 2]
    with pytest.raises(ValueError, match=r"^no$"):
        batched(net, function, np.zeros((2, 64)))
    assert torch.get_num_threads() == 2


def parameters(*shapes):
    return [torch.empty(shape, device="meta") for shape in shapes]


@pytest.mark.parametrize("hint", [1, 8, 5000])
@pytest.mark.parametrize("columns", [1, 20, 784, 5000, 3_000_000])
@pytest.mark.parametrize("layers", [(20, 64, 8), (784, 512, 256, 32), (5000, 5000), (3_000_000, 2)])
def test_batches_are_bounded_by_the_widest_layer(layers, columns, hint):
    shapes = [s for m, n in pairwise(layers) for s in ((n, m), (n,))]
    size, width = batch_rows(parameters(*shapes), columns, hint), max(*layers, columns) * hint
    assert size == 1 or size * width <= inference.LEAST_NUMBERS
    if size < inference.LEAST_ROWS:
        assert (size + 1) * width > inference.LEAST_NUMBERS
    if size > inference.LEAST_ROWS:
        assert size * width <= inference.NUMBERS["cpu"] < (size + 1) * width


def test_a_network_without_matrices_is_as_wide_as_its_rows():
    bare = batch_rows(parameters((7,)), 20)
    assert bare == batch_rows(parameters((20, 20)), 20) == batch_rows(parameters(()), 20)
    assert np.array_equal(batched(nn.Identity(), lambda x: x, rows(dtype=np.float32)), rows(dtype=np.float32))


def test_filters_widen_rows():
    """3 to 64 channels at the same resolution; a step that narrows counts as the one that widens it back."""
    columns = 3 * 32 * 32
    wide = batch_rows(parameters((64, 3, 3, 3), (64,)), columns)
    assert wide == batch_rows(parameters((3, 64, 3, 3), (3,)), columns)
    assert wide * 64 * 32 * 32 <= inference.LEAST_NUMBERS < (wide + 1) * 64 * 32 * 32


class Largest(TorchDispatchMode):
    """Notes how many operations ran and the most numbers that one of them gave."""

    def __init__(self):
        super().__init__()
        self.numbers = self.operations = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        self.operations += 1
        for part in result if isinstance(result, list | tuple) else [result]:
            self.numbers = max(self.numbers, part.numel() if torch.is_tensor(part) else 0)
        return result


@pytest.mark.parametrize("method", ["transform", "reconstruct", "score_samples", "score", "scale"])
def test_beside_the_result_memory_does_not_grow_with_the_rows(method):
    X = np.random.default_rng(0).normal(size=(200_000, 20)).astype(np.float32)  # 15 MiB
    ae = Autoencoder(8, encoders.MLP((64,)), max_epochs=1, random_state=0).fit(X[:300])
    with Largest() as seen:
        getattr(ae, method)(X)
    tracemalloc.start()
    found = getattr(ae, method)(X)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < getattr(found, "nbytes", 0) + (6 << 20)  # the squares of `score` are 5 MiB
    assert 0 < seen.numbers <= inference.NUMBERS["cpu"]
    assert seen.operations > 5 * 200_000 * 20 / scaling.BLOCK


@pytest.mark.parametrize("how", scaling.HOW)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_scaling_in_blocks_is_the_arithmetic_of_whole_arrays(dtype, how, monkeypatch):
    monkeypatch.setattr(scaling, "BLOCK", 7 * 6)
    X = np.asfortranarray(rows(121, dtype=dtype))
    scaler = fit_scaler(X, how)
    scaled = ((X - scaler.shift) / scaler.scale).astype(dtype)
    assert np.array_equal(scaler.apply(X), scaled)
    assert np.array_equal(scaler.undo(scaled), (scaled * scaler.scale + scaler.shift).astype(dtype))
    assert scaler.apply(X).dtype == scaler.undo(scaled).dtype == dtype
    assert scaler.apply(X[:0]).shape == (0, 6)
    locked = Scaler(read_only(scaler.shift), read_only(scaler.scale))
    assert np.array_equal(locked.apply(read_only(X)), scaled)


def test_columns_far_from_0_are_scaled_in_float64():
    X = (1e6 + np.random.default_rng(0).choice([-1.0, -0.5, 0.5, 1.0], size=(300, 6))).astype(np.float32)
    ae = quick().fit(X)
    exact = (X.astype(np.float64) - ae.scaler_.shift) / ae.scaler_.scale
    np.testing.assert_allclose(ae.scale(X), exact, rtol=1e-7)
    with torch.no_grad():
        expected = ae.module_.encode(torch.tensor(exact.astype(np.float32))).numpy()
    assert np.array_equal(ae.transform(X), expected)
