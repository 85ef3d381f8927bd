"""Tangents: found as they should be; a classifier punished along them as it should be, and what comes of it."""

import numpy as np
import pytest
import torch
from scipy.linalg import subspace_angles
from scipy.ndimage import rotate
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.model_selection import GridSearchCV, train_test_split
from torch import nn

from isthmus import (
    Autoencoder,
    Classifier,
    codes,
    corruptions,
    encoders,
    finetune,
    jacobians,
    load,
    networks,
    tangents,
    zoo,
)
from isthmus.errors import DataError, SettingError
from isthmus.jacobians import Product
from isthmus.nn.along import along
from isthmus.tangents import found

SHAPE = (1, 8, 8)


def small(**settings):
    how = {"network": networks.MLP((12,), "tanh"), "scaling": None, "max_epochs": 5, "random_state": 0, "device": "cpu"}
    return Classifier(**(how | settings))


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    return train_test_split((X / 16).astype(np.float64), y, random_state=0, stratify=y)


@pytest.fixture(scope="module")
def contracted(digits):
    return zoo.contractive(20, hidden=(), code=codes.Activation("sigmoid"), max_epochs=3, random_state=0).fit(digits[0])


# --- found -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("scaling", "of"), [(None, "code"), ("standard", "code"), ("standard", "reconstruction")])
def test_learned_are_the_singular_vectors_of_the_jacobian(digits, scaling, of):
    """Oracle: NumPy's, of the Jacobian by finite differences."""
    X = digits[0][:300] + 0.01
    ae = zoo.contractive(9, hidden=(7,), scaling=scaling, max_epochs=2, random_state=0, device="cpu").fit(X)
    rows, step = X[:4], 1e-5
    scale = ae.scaler_.scale
    ends = [rows + sign * step * e for sign in (1, -1) for e in np.eye(64)]
    found = [ae.transform(one) if of == "code" else ae.reconstruct(one) / scale for one in ends]
    J = (np.stack(found[:64], axis=-1) - np.stack(found[64:], axis=-1)) / (2 * step) * scale  # (4, ·, 64), scaled
    expected = np.linalg.svd(J)[2][:, :3]
    U = tangents.learned(ae, rows, 3, of) / scale
    signs = np.sign((U * expected).sum(axis=-1, keepdims=True))
    np.testing.assert_allclose(U, signs * expected, atol=1e-5)


def test_wide_jacobians_are_iterated_upon():
    rng = np.random.default_rng(0)
    J = torch.tensor(rng.normal(size=(3, 150, 140)) * 0.8 ** np.arange(140))
    exact, iterated = torch.linalg.svd(J).Vh[:, :5], found._iterated(Product.of(J), torch.zeros(3, 140).double(), 5)
    for one, other in zip(exact, iterated, strict=True):
        np.testing.assert_allclose((one @ other.T).abs(), np.eye(5), atol=1e-6)


@pytest.mark.parametrize(
    ("encoder", "code"),
    [
        (encoders.MLP(()), codes.Activation("sigmoid")),
        (encoders.MLP((9, 8), "tanh"), codes.Activation("tanh")),
        (encoders.MLP((9,), "gelu"), codes.Plain()),
        (encoders.Residual((9, 8)), codes.Plain()),
        (encoders.MLP((9,)), codes.Gaussian()),
    ],
    ids=repr,
)
def test_a_jacobian_s_products_are_those_of_its_matrix(encoder, code):
    """Oracle: autograd's Jacobian."""
    X = np.random.default_rng(0).normal(size=(40, 6))
    module = Autoencoder(4, encoder, code=code, max_epochs=1, random_state=0, device="cpu").fit(X).module_
    x, u, v = (torch.tensor(X[:size]).view(3, r, n) for size, r, n in ((3, 1, 6), (9, 3, 6), (6, 3, 4)))
    J = torch.func.vmap(torch.func.jacrev(lambda row: module.code(module.encoder(row[None]))[0][0]))(x[:, 0])
    with torch.no_grad():
        product = jacobians.product(module.encoder, module.code, x[:, 0])
        torch.testing.assert_close(product.along(u), u @ J.mT)
        torch.testing.assert_close(product.back(v), v @ J)


def test_tangents_of_a_wide_code_are_those_of_its_jacobian():
    X = np.random.default_rng(0).normal(size=(60, 140))
    ae = zoo.contractive(150, hidden=(), scaling=None, max_epochs=2, random_state=0, device="cpu").fit(X)
    ae.module_.encoder.dense[0].weight.data *= torch.tensor(0.8 ** np.arange(140))
    assert min(150, X.shape[1]) > found.EXACT
    expected = torch.linalg.svd(ae.module_.jacobian(torch.tensor(X[:4]))).Vh[:, :3].detach()
    cosines = tangents.learned(ae, X[:4], 3) @ expected.mT.numpy()
    np.testing.assert_allclose(np.abs(cosines), np.tile(np.eye(3), (4, 1, 1)), atol=1e-3)


def test_moves_are_those_of_the_image():
    """Oracles: differences of neighbours; SciPy's splines on a smooth image, turned and enlarged by little."""
    side = np.arange(25) - 12
    x, y = np.meshgrid(side, side)
    image = np.exp(-((x - 2) ** 2 + (y + 1) ** 2 / 2) / 32)
    right, down, turn, grow = tangents.moved(image.reshape(1, -1), (1, 25, 25))[0].reshape(4, 25, 25)
    inside = (slice(1, -1), slice(1, -1))
    np.testing.assert_allclose(right[inside], (image[1:-1, :-2] - image[1:-1, 2:]) / 2, atol=1e-12)
    np.testing.assert_allclose(down[inside], (image[:-2, 1:-1] - image[2:, 1:-1]) / 2, atol=1e-12)
    inner = (slice(4, -4), slice(4, -4))
    degrees = np.degrees(1 / 12) / 10  # a tenth of a pixel at the border
    turned = (rotate(image, degrees, reshape=False) - rotate(image, -degrees, reshape=False)) / 0.2
    np.testing.assert_allclose(turn[inner], turned[inner], atol=0.002)
    exact = (x * (x - 2) / 16 + y * (y + 1) / 32) * image / 12
    np.testing.assert_allclose(grow[inner], exact[inner], atol=0.002)
    assert min(np.abs(turn).max(), np.abs(grow).max()) > 0.03


def test_local_ones_are_the_plane_that_rows_lie_in():
    rng = np.random.default_rng(0)
    plane = rng.normal(size=(2, 6))
    X = rng.normal(size=(80, 2)) @ plane
    U = tangents.local(X, X[:5], directions=2, neighbours=12)
    assert max(subspace_angles(one.T, plane.T).max() for one in U) < 1e-6
    near = X[np.argsort(np.linalg.norm(X - X[0], axis=1))[:12]]
    np.testing.assert_allclose(np.abs(U[0] @ PCA(2).fit(near).components_.T), np.eye(2), atol=1e-6)


def test_what_is_caught():
    true = np.array([[[3.0, 4, 0], [0, 0, 2], [0, 0, 0]]])
    np.testing.assert_allclose(tangents.caught(true, [[[2, 0, 0], [4, 0, 0]]]), [[9 / 25, 0, 0]], atol=1e-12)
    np.testing.assert_allclose(tangents.caught(true, [[[1, 1, 0], [1, -1, 0], [0, 0, 0]]]), [[1, 0, 0]], atol=1e-12)


# --- propagated --------------------------------------------------------------------------------------------------

NETWORKS = {
    "ours": networks.MLP((9, 8), "silu"),
    "torch's": nn.Sequential(nn.Flatten(), nn.Linear(64, 9), nn.Tanh(), nn.Linear(9, 10)),
    "convolutions": nn.Sequential(nn.Conv2d(1, 3, 3), nn.Softplus(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(27, 10)),
}


@pytest.mark.parametrize("name", [*NETWORKS, "pretrained"])
def test_the_penalty_is_that_of_finite_differences(digits, contracted, name):
    X, _, y, _ = digits
    X, y, U = X[:60] + np.random.default_rng(0).random((60, 64)), np.arange(60) % 10, tangents.moved(X[:60], SHAPE)
    settings = {"propagation": tangents.Propagation(0.7), "max_epochs": 1, "validation_fraction": 0, "device": "cpu"}
    start = {"network": NETWORKS[name]} if name in NETWORKS else {}
    make = finetune if not start else small
    classifier = make(*([] if start else [contracted]), **start, **settings, input_shape=SHAPE, random_state=0)
    module = classifier.fit(X, y, tangents=U).module_.double()
    x, u = torch.tensor(X), torch.tensor(U)
    step = 1e-5
    with torch.no_grad():
        ends = [[module(x + sign * step * u[:, r]).logits.softmax(-1) for r in range(4)] for sign in (1, -1)]
    slopes = [(there - back) / (2 * step) for there, back in zip(*ends, strict=True)]
    expected = 0.7 * sum(slope.square().sum(dim=1) for slope in slopes).mean()
    terms = module.objective(module(x, torch.tensor(y), None, None, u))
    torch.testing.assert_close(terms["propagation"], expected, rtol=1e-5, atol=0)
    torch.testing.assert_close(module(x, None, None, None, u).logits, module(x).logits)


def test_codes_whose_slope_is_not_known_are_differentiated(digits):
    ae = zoo.topk(12, 4, max_epochs=1, random_state=0).fit(digits[0][:200])
    network = finetune(ae).network.build((64,), 3)
    x, u = torch.tensor(digits[0][:5]), torch.randn(5, 2, 64, dtype=torch.float64)
    y, change = along(network.double(), x, u)
    J = torch.func.vmap(torch.func.jacrev(lambda one: network(one[None])[0]))(x)  # (5, 3, 64)
    torch.testing.assert_close(change, u @ J.mT)
    torch.testing.assert_close(y, network(x))


def test_random_sums_of_tangents_are_unbiased(digits):
    X, U = digits[0][:3], tangents.moved(digits[0][:3], SHAPE)
    x, u, y = torch.tensor(X), torch.tensor(U), torch.tensor([0, 1, 2])
    many = small(propagation=tangents.Propagation(1.0, probes=3)).fit(X, y, tangents=U).module_.double()
    exact = many.objective(many(x, y, None, None, u))["propagation"]
    rng = torch.Generator().manual_seed(0)
    with torch.no_grad():
        some = torch.stack([many.objective(many(x, y, rng, None, u))["propagation"] for _ in range(4000)])
    assert abs(some.mean() - exact) < 4 * some.std() / 4000**0.5
    assert some.std() > 0.05 * exact


@pytest.mark.parametrize("probes", [None, 1])
def test_tangents_of_no_length_change_nothing(digits, probes):
    X, X_test, y, _ = digits
    plain = small().fit(X, y)
    still = small(propagation=tangents.Propagation(1.0)).fit(X, y, tangents=np.zeros((len(X), 2, 64)))
    np.testing.assert_allclose(still.predict_proba(X_test), plain.predict_proba(X_test), atol=1e-6)


@pytest.mark.parametrize("probes", [None, 1])
def test_tangents_of_translation_make_a_classifier_change_less_under_it(digits, probes):
    X, X_test, y, y_test = digits
    how = {"max_epochs": 30, "network": networks.MLP((40,), "tanh")}
    U = tangents.moved(X, SHAPE, ("right", "down"))
    plain = small(**how).fit(X, y)
    held = small(**how, propagation=tangents.Propagation(3.0, probes)).fit(X, y, tangents=U)
    step = 0.3 * tangents.moved(X_test, SHAPE, ("right",))[:, 0]
    change = [np.abs(one.predict_proba(X_test + step) - one.predict_proba(X_test)).mean() for one in (plain, held)]
    assert change[1] < 0.6 * change[0]
    assert held.score(X_test, y_test) > 0.9


def test_the_unit_of_scaling_does_not_matter(digits):
    """The same rows, in other units and scaled back by the classifier."""
    X, _, y, _ = digits
    X, y = X[:200], y[:200]
    U = tangents.moved(X, SHAPE)
    how = {"propagation": tangents.Propagation(0.1), "validation_fraction": 0}
    scale = np.sqrt(X.var(axis=0).mean())
    one = small(**how, scaling="global").fit(X, y, tangents=U)
    other = small(**how).fit((X - X.mean(axis=0)) / scale, y, tangents=U / scale)
    np.testing.assert_allclose(one.predict_proba(X), other.predict_proba((X - X.mean(axis=0)) / scale), atol=1e-6)


def test_steps_are_recorded_and_give_what_they_are(digits):
    X, _, y, _ = digits
    U = tangents.moved(X, SHAPE)
    how = {"propagation": tangents.Propagation(0.1, probes=1), "augmentation": corruptions.Gaussian(0.1)}
    fits = [small(**how, engine=engine).fit(X, y, tangents=U) for engine in ("eager", "recorded")]
    np.testing.assert_allclose(*(fit.predict_proba(X) for fit in fits), atol=1e-6)
    assert fits[1].engine_.startswith("recorded")
    own = small(**how, network=NETWORKS["torch's"]).fit(X, y, tangents=U)
    assert own.engine_.startswith("eager")


def test_it_is_cloned_searched_and_saved(digits, contracted, tmp_path):
    X, X_test, y, _ = digits
    U = tangents.learned(contracted, X, 4)
    classifier = finetune(contracted, propagation=tangents.Propagation(0.1, 1), max_epochs=2, random_state=0)
    search = GridSearchCV(classifier, {"propagation__strength": [0.1, 1000.0]}, cv=2).fit(X, y, tangents=U)
    assert search.best_params_ == {"propagation__strength": 0.1}
    assert clone(search.best_estimator_).propagation == tangents.Propagation(0.1, 1)
    search.best_estimator_.save(tmp_path)
    again = load(tmp_path)
    assert again.propagation == tangents.Propagation(0.1, 1)
    np.testing.assert_array_equal(again.predict_proba(X_test), search.best_estimator_.predict_proba(X_test))
    before = again.history_[-1]["epoch"]
    assert again.partial_fit(X, y, tangents=U).history_[-1]["epoch"] == before + 1


def test_weights_count_for_tangents_too(digits):
    X, _, y, _ = digits
    X, y, U = X[:40], y[:40], tangents.moved(X[:40], SHAPE)
    how = {"propagation": tangents.Propagation(0.1), "batch_size": None, "max_epochs": 20, "validation_fraction": 0}
    weight = np.repeat([1.0, 2.0, 0.0], [20, 10, 10])
    one = small(**how).fit(X, y, weight, tangents=U)
    twice = np.r_[np.arange(30), np.arange(20, 30)]
    other = small(**how).fit(X[twice], y[twice], tangents=U[twice])
    np.testing.assert_allclose(one.predict_proba(X), other.predict_proba(X), atol=1e-6)


# --- refused -----------------------------------------------------------------------------------------------------


def test_tangents_and_their_propagation_belong_together(digits):
    X, _, y, _ = digits
    with pytest.raises(SettingError) as caught:
        small().fit(X, y, tangents=np.zeros((len(X), 1, 64)))
    assert str(caught.value) == (
        "nothing hears of tangents; in Classifier; set propagation=tangents.Propagation(0.1), or leave tangents out"
    )
    with pytest.raises(SettingError) as caught:
        small(propagation=tangents.Propagation()).fit(X, y)
    assert str(caught.value) == (
        "propagation needs the tangents of each row; in fit; fit(X, y, tangents=tangents.learned(ae, X))"
    )


@pytest.mark.parametrize(
    ("U", "message"),
    [
        (np.zeros((4, 2, 64)), "tangents have shape (4, 2, 64); in tangents; (5, r, 64), r directions a row"),
        (np.zeros((5, 64)), "tangents have shape (5, 64); in tangents; (5, r, 64), r directions a row"),
        (np.full((5, 1, 64), np.nan), "tangents contain NaN or infinity; in tangents; finite numbers"),
    ],
)
def test_bad_tangents(digits, U, message):
    with pytest.raises(DataError) as caught:
        small(propagation=tangents.Propagation()).fit(digits[0][:5], [0, 1, 0, 1, 0], tangents=U)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda ae, X: tangents.learned(ae, X, 21),
            "directions must be a whole number >= 1 and <= 20; got 21; in tangents.learned",
        ),
        (
            lambda ae, X: tangents.moved(X, SHAPE, ("left",)),
            (
                "moves must be a sequence of at least 1, each one of 'right', 'down', 'turn', 'grow'; "
                "got ('left',); in tangents.moved"
            ),
        ),
        (
            lambda ae, X: tangents.moved(X, (1, 8, 9)),
            "rows of 64 numbers; in tangents.moved; images of shape (1, 8, 9)",
        ),
        (
            lambda ae, X: tangents.local(X[:9], directions=5, neighbours=5),
            "5 neighbours of 64 numbers have 4 directions; in tangents.local; at least 5",
        ),
        (
            lambda ae, X: tangents.local(X[:9], neighbours=10),
            "neighbours must be a whole number >= 2 and <= 9; got 10; in tangents.local",
        ),
        (
            lambda ae, X: tangents.moved(X[0], SHAPE),
            "rows of shape (64,); in X; finite numbers of shape (N, D)",
        ),
    ],
)
def test_what_cannot_be_found(digits, contracted, call, message):
    with pytest.raises((SettingError, DataError)) as caught:
        call(contracted, digits[0])
    assert str(caught.value) == message
