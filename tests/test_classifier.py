"""The classifier: scikit-learn's checks, its loss, the same loop, and what comes of trained encoders."""

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import load_digits, load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks
from torch import nn

from isthmus import Classifier, codes, corruptions, encoders, finetune, load, networks, zoo
from isthmus.classification import Classification, OnMaps
from isthmus.errors import DataError, SettingError
from isthmus.populations import fit_together

# training draws rows by their number: a weight of 2 and a row given twice are not the same batches
EXCUSED = {
    "check_sample_weight_equivalence_on_dense_data": "batches are random",
    "check_sample_weight_equivalence_on_sparse_data": "batches are random",
}


def small(**settings):
    return Classifier(
        **({"network": networks.MLP((8,)), "max_epochs": 30, "random_state": 0, "device": "cpu"} | settings)
    )


@parametrize_with_checks(
    [small(), small(network=networks.MLP(()), batch_size=None, max_epochs=100, learning_rate=0.05)],
    expected_failed_checks=lambda estimator: {} if estimator.batch_size is None else EXCUSED,
)
def test_scikit_learns_checks(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    return train_test_split((X / 16).astype(np.float32), y, random_state=0, stratify=y)


def test_without_a_hidden_layer_it_is_logistic_regression():
    """Oracle: scikit-learn's, without a penalty on the weights but for a small one that makes both unique."""
    X, y = load_iris(return_X_y=True)
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    ours = Classifier(
        networks.MLP(()),
        scaling=None,
        batch_size=None,
        max_epochs=3000,
        learning_rate=0.05,
        validation_fraction=0,
        early_stopping=False,
        random_state=0,
        device="cpu",
    ).fit(X, y % 2)
    theirs = LogisticRegression(C=1e10, tol=1e-10, max_iter=10_000).fit(X, y % 2)
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=1e-4)


class Fixed(nn.Module):
    def __init__(self, *answers):
        super().__init__()
        self.answers, self.auxiliary_weight = answers, 0.25

    def forward(self, x):
        return self.answers if self.training and len(self.answers) > 1 else self.answers[0]


def test_the_loss_is_the_cross_entropy_of_torch():
    rng = np.random.default_rng(0)
    logits, first, second = (torch.tensor(rng.normal(size=(7, 4))) for _ in range(3))
    y, weight = torch.tensor(rng.integers(4, size=7)), torch.tensor(rng.random(7))
    module = Classification(corruptions.Corruption(), OnMaps(Fixed(logits, first, second), (3,)), 0.1)
    terms = module.objective(module(torch.zeros(7, 3), y, None, weight))

    def oracle(logits):
        return (nn.functional.cross_entropy(logits, y, reduction="none", label_smoothing=0.1) * weight).mean()

    torch.testing.assert_close(terms["cross_entropy"], oracle(logits))
    torch.testing.assert_close(terms["auxiliary"], 0.25 * (oracle(first) + oracle(second)))
    assert [*module.eval().objective(module(torch.zeros(7, 3), y))] == ["cross_entropy"]


def test_rows_are_augmented_in_training_only():
    module = Classification(corruptions.Gaussian(1.0).build(None), OnMaps(nn.Identity(), (3,)), 0.0)
    rng = torch.Generator().manual_seed(0)
    x = torch.zeros(5, 3)
    assert module(x, None, rng).logits.abs().min() > 0
    assert torch.equal(module.eval()(x, None, rng).logits, x)
    assert torch.equal(module.train()(x).logits, x)


def test_digits_are_told_apart(digits):
    X, X_test, y, y_test = digits
    classifier = small(network=networks.MLP((64,)), max_epochs=60).fit(X, y)
    assert classifier.score(X_test, y_test) >= 0.95
    probability = classifier.predict_proba(X_test)
    np.testing.assert_allclose(probability.sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_array_equal(classifier.classes_[probability.argmax(axis=1)], classifier.predict(X_test))


def test_classes_may_be_texts_and_are_saved(digits, tmp_path):
    X, X_test, y, _ = digits
    names = np.array(["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"])
    classifier = small(augmentation=corruptions.Gaussian(0.1), max_epochs=3).fit(X, names[y])
    classifier.save(tmp_path)
    again = load(tmp_path)
    assert set(again.predict(X_test)) <= set(names)
    np.testing.assert_array_equal(again.predict_proba(X_test), classifier.predict_proba(X_test))
    assert again.get_params()["augmentation"] == corruptions.Gaussian(0.1)


def test_a_network_of_ones_own_is_passed_in_again(digits, tmp_path):
    X, _, y, _ = digits
    network = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 10))
    classifier = small(network=network, input_shape=(1, 8, 8), max_epochs=2).fit(X, y)
    classifier.save(tmp_path)
    np.testing.assert_array_equal(load(tmp_path, network=network).predict(X), classifier.predict(X))
    with pytest.raises(SettingError) as caught:
        load(tmp_path)
    assert str(caught.value) == (
        "the network of this model is a network of your own (Sequential); in the slot network; "
        "pass it again: load(folder, network=...)"
    )


@pytest.mark.parametrize("engine", ["eager", "recorded"])
def test_products_in_bfloat16_leave_the_loss_in_float32(digits, engine):
    X, _, y, _ = (part[:200] for part in digits)
    fits = [
        Classifier(networks.MLP((16,)), max_epochs=8, random_state=0, engine=engine, dtype=dtype).fit(X, y)
        for dtype in ("bfloat16", "float32")
    ]
    coarse, fine = (np.array([row["loss"] for row in fit.history_]) for fit in fits)
    assert np.allclose(coarse, fine, rtol=0.05)


def test_partial_fit_goes_on(digits):
    X, _, y, _ = digits
    classifier = small()
    losses = [classifier.partial_fit(X, y, classes=np.arange(10)).history_[-1]["loss"] for _ in range(4)]
    assert losses == sorted(losses, reverse=True)
    with pytest.raises(DataError) as caught:
        classifier.partial_fit(X[:20], np.full(20, 11))
    assert str(caught.value) == (
        "class 11 was not there; in y; the classes of the first call; "
        "name all classes in the first call: partial_fit(X, y, classes=...)"
    )


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (None, "Classifier requires y to be passed, but the target y is None; pass a class for each row"),
        (np.arange(5) % 2, "5 classes for 8 rows; in y; one class a row"),
    ],
)
def test_bad_classes(y, message):
    with pytest.raises(DataError) as caught:
        small().fit(np.random.default_rng(0).normal(size=(8, 3)), y)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"label_smoothing": 1.0}, "label_smoothing must be a number >= 0 and < 1; got 1.0; in Classifier"),
        (
            {"network": nn.Linear(5, 3)},
            (
                "the network cannot read rows of 4 numbers (mat1 and mat2 shapes cannot be multiplied (2x4 and 5x3)); "
                "in the slot network; check its first layer, and input_shape"
            ),
        ),
        ({"network": nn.Linear(4, 7)}, "the network gives 7 numbers a row; in the slot network; 3 numbers a row"),
    ],
)
def test_bad_settings(settings, message):
    X, y = load_iris(return_X_y=True)
    with pytest.raises(SettingError) as caught:
        small(**settings).fit(X, y)
    assert str(caught.value) == message


def test_a_classifier_starts_as_the_encoder_ended(digits):
    X, X_test, y, _ = digits
    ae = zoo.variational(6, hidden=(20,), max_epochs=3, random_state=0, device="cpu").fit(X)
    tuned = finetune(ae, frozen=True, max_epochs=2, random_state=0, device="cpu").fit(X, y)
    flatten, level, head = tuned.module_.network.network
    z = level(flatten(torch.tensor(X_test))).detach().numpy()
    np.testing.assert_allclose(z, ae.transform(X_test), rtol=1e-4, atol=1e-5)
    assert [p.requires_grad for p in head.parameters()] == [True, True]
    assert not any(p.requires_grad for p in level.parameters())


def test_a_stack_is_trained_layer_by_layer_and_then_whole(digits, tmp_path):
    X, X_test, y, y_test = digits
    layers = [zoo.denoising(size, hidden=(), max_epochs=10, random_state=0, device="cpu") for size in (40, 20)]
    layers = [layer.set_params(code=codes.Activation("sigmoid")) for layer in layers]
    stack = make_pipeline(*layers).fit(X)
    tuned = finetune(stack, max_epochs=40, random_state=0, device="cpu")
    start = clone(tuned).set_params(max_epochs=1, learning_rate=1e-12).fit(X, y)
    flatten, first, second, _ = start.module_.network.network
    np.testing.assert_allclose(
        second(first(flatten(torch.tensor(X_test)))).detach().numpy(), stack.transform(X_test), atol=1e-5
    )
    assert tuned.fit(X, y).score(X_test, y_test) >= 0.93
    tuned.save(tmp_path)
    np.testing.assert_array_equal(load(tmp_path).predict_proba(X_test), tuned.predict_proba(X_test))


def test_a_search_keeps_the_trained_weights(digits):
    X, _, y, _ = digits
    ae = zoo.undercomplete(16, hidden=(64,), max_epochs=30, random_state=0, device="cpu").fit(X[:900])
    search = GridSearchCV(
        finetune(ae, frozen=True, random_state=0, max_epochs=10, device="cpu"), {"label_smoothing": [0.0, 0.1]}, cv=2
    ).fit(X[900:], y[900:])
    untrained = finetune(ae.untrained(), frozen=True, random_state=0, max_epochs=10, device="cpu")
    assert (
        search.best_score_ > GridSearchCV(untrained, {"label_smoothing": [0.0]}, cv=2).fit(X[900:], y[900:]).best_score_
    )


def test_what_cannot_be_finetuned(digits):
    with pytest.raises(SettingError) as caught:
        finetune(LogisticRegression())
    assert str(caught.value) == (
        "LogisticRegression has no encoder; in finetune; a fitted Autoencoder or BoltzmannMachine, or several of them"
    )
    own = zoo.linear(3, encoder=nn.Linear(64, 3), max_epochs=1, device="cpu").fit(digits[0])
    with pytest.raises(SettingError) as caught:
        finetune(own)
    assert str(caught.value) == (
        "the encoder is a network of your own; in finetune; a specification; pass the module itself: "
        "Classifier(network=nn.Sequential(ae.module_.encoder, ...))"
    )


def test_a_convolutional_encoder_is_finetuned_in_its_shape(digits):
    X, _, y, _ = digits
    ae = zoo.convolutional(8, channels=(4, 8), input_shape=(1, 8, 8), max_epochs=2, random_state=0, device="cpu").fit(X)
    tuned = finetune(ae, max_epochs=1, random_state=0, device="cpu").fit(X, y)
    assert tuned.input_shape == (1, 8, 8)
    assert encoders.Convolutional((4, 8)) == tuned.network.levels[0].encoder


def test_a_population_of_classifiers_is_what_each_is_alone(digits):
    X, _, y, _ = digits
    X, y = X[:120].astype(np.float64), y[:120]

    def crew():
        return [
            Classifier(
                networks.MLP((6,)),
                corruptions.Gaussian(amount),
                label_smoothing=amount,
                learning_rate=rate,
                max_epochs=5,
                random_state=seed,
                device="cpu",
            )
            for seed, amount, rate in [(0, 0.1, 1e-3), (1, 0.2, 1e-2), (2, 0.0, 3e-3)]
        ]

    together, alone = crew(), crew()
    assert fit_together(together, X, y=y) == [None, None, None]
    for one, other in zip(together, alone, strict=True):
        other.fit(X, y)
        np.testing.assert_allclose(one.predict_proba(X), other.predict_proba(X), rtol=1e-8)
        assert "one by one" not in one.engine_
