"""Two-sample tests against closed forms and their own size, the sections made of them, and collapse."""

import copy

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm
from scipy.stats import kstest, norm

from isthmus import Autoencoder, codes, encoders, evidence, likelihoods, penalties, zoo
from isthmus.evidence.intervals import of_halves
from isthmus.evidence.reference import Reference
from isthmus.evidence.subject import Subject
from isthmus.evidence.two_sample import classifier_test, energy_test, frechet


def draws(seed, n=200, d=3, shift=0.0, scale=1.0):
    return shift + scale * np.random.default_rng(seed).normal(size=(n, d))


def test_the_frechet_distance_is_its_formula():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(300, 4)) @ rng.normal(size=(4, 4)), 1 + rng.normal(size=(200, 4))
    cov_a, cov_b = np.cov(a.T), np.cov(b.T)
    shift = a.mean(axis=0) - b.mean(axis=0)
    expected = shift @ shift + np.trace(cov_a + cov_b - 2 * sqrtm(cov_a @ cov_b).real)
    assert frechet(a, b) == pytest.approx(expected, rel=1e-8)
    assert frechet(a[:3], b[:3]) >= 0  # fewer rows than columns
    assert frechet(a, a) == pytest.approx(0, abs=1e-9)


def test_the_frechet_distance_of_known_normals():
    """‖Δμ‖² + Σ(σ − σ′)², within its interval."""
    a, b = draws(0, 4000), draws(1, 4000, shift=0.5, scale=2.0)
    found = of_halves(4000, lambda rows: frechet(a[rows], b[rows]))
    assert found.low < 3 * 0.25 + 3 * 1.0 < found.high
    assert found.high - found.low < 0.6


def test_the_energy_distance_is_its_definition():
    a, b = draws(0, 30), draws(1, 40, shift=1.0)

    def mean(x, y):
        return np.mean([np.linalg.norm(p - q) for p in x for q in y])

    share, p_value = energy_test(a, b)
    assert share == pytest.approx(1 - (mean(a, a) + mean(b, b)) / (2 * mean(a, b)))
    assert p_value == 1 / 200
    assert energy_test(np.zeros((25, 2)), np.ones((25, 2)))[0] == pytest.approx(1)


@pytest.mark.parametrize("test", ["classifier", "energy"])
def test_p_values_are_right_where_nothing_differs(test):
    """No more often small than they say; the classifier's, doubled for the choice of judges, are above their rank."""
    found = np.array(
        [
            classifier_test(draws(2 * s), draws(2 * s + 1)).p_value
            if test == "classifier"
            else energy_test(draws(2 * s, 60), draws(2 * s + 1, 60), seed=s)[1]
            for s in range(60)
        ]
    )
    assert kstest(found, "uniform", alternative="greater").pvalue > 0.01
    assert found.min() < 0.2


def test_shifts_scales_and_turned_axes_are_seen():
    rng = np.random.default_rng(5)
    sign = rng.choice([-1.0, 1.0], size=(600, 1))
    crossed = np.hstack([np.abs(draws(3, 600, 1)), draws(4, 600, 1)]) * np.hstack([sign, np.ones((600, 1))])
    tied = np.hstack([crossed[:, :1], np.abs(crossed[:, 1:]) * np.sign(crossed[:, :1])])
    pairs = {
        "shift": (draws(0, 600), draws(1, 600, shift=0.5)),
        "scale": (draws(0, 600), draws(1, 600, scale=1.5)),
        "sides": (crossed, tied),  # columns alike, signs tied to each other
    }
    for name, (a, b) in pairs.items():
        told = classifier_test(a, b)
        assert told.p_value < 1e-3, name
        assert told.auc.low > 0.5, name
        assert energy_test(a, b)[1] < 0.05, name


def test_the_classifier_is_as_good_as_the_best_there_is():
    """Of N(0, 1) and N(1, 1) the best possible AUC is Φ(1/√2)."""
    told = classifier_test(draws(0, 3000, 1), draws(1, 3000, 1, shift=1.0))
    best = norm.cdf(1 / np.sqrt(2))
    assert told.auc.low < best < told.auc.high


@pytest.fixture(scope="module")
def blobs():
    """Rows of a linear Gaussian model of three numbers, each as strong as the others."""
    rng = np.random.default_rng(0)
    axes = np.linalg.qr(rng.normal(size=(8, 3)))[0].T
    return 2 * rng.normal(size=(900, 3)) @ axes + 0.3 * rng.normal(size=(900, 8))


@pytest.fixture(scope="module")
def gaussian(blobs):
    """Probabilistic PCA in closed form (Tipping & Bishop 1999), whose aggregate posterior is the prior."""
    x = blobs[:600]
    ae = zoo.variational(3, likelihood=likelihoods.Gaussian(0.3), scaling="global", encoder=encoders.Linear())
    ae = ae.set_params(max_epochs=1, random_state=0, validation_fraction=0.0).fit(x)
    x = ae.scale(x)
    values, axes = np.linalg.eigh(np.cov(x.T))
    noise, values, axes = values[:5].mean(), values[5:], axes[:, 5:]
    V = torch.as_tensor(axes * np.sqrt(values - noise))
    with torch.no_grad():
        reader, layer = ae.module_.decoder.reader, ae.module_.encoder.dense[0]
        reader.matrix.copy_(V)
        reader.bias.copy_(torch.as_tensor(x.mean(axis=0)))
        layer.matrix[:3], layer.matrix[3:] = V.T / torch.as_tensor(values)[:, None], 0
        layer.bias[:3] = -layer.matrix[:3] @ reader.bias
        layer.bias[3:] = torch.as_tensor(np.log(noise / values))
    return ae


def examined(ae, blobs):
    return evidence.examine(ae, blobs[:600], blobs[600:])


def status(found, name):
    return next(v for v in found.verdicts if v.name == name)


def test_a_sound_model_passes(gaussian, blobs):
    found = examined(gaussian, blobs)
    told, made = found.sections["aggregate"], found.sections["generation"]
    assert told["rows"] == 300
    assert told["mean_shift"].value < 0.25
    assert told["p_value"] > 1e-3
    assert told["energy"] < 0.02
    assert made["features"] == 3
    assert made["p_value"] > 1e-3
    assert made["frechet"].value < 0.1
    assert status(found, "collapse").status == "pass"
    plain = found.to_dict()
    assert plain["generation"]["frechet_interval"][0] <= plain["generation"]["frechet"]
    assert 3 < plain["code"]["divergence"] < 15
    assert plain["code"]["informative"] == plain["code"]["active"] == 3
    page = found.to_html()
    assert "nats in the code" in page
    assert "samples told from rows, AUC" in page


def test_codes_away_from_the_prior_are_seen(gaussian, blobs):
    moved = copy.deepcopy(gaussian)
    with torch.no_grad():
        moved.module_.encoder.layers[0].bias[2] += 2.0
        moved.module_.decoder.reader.bias[0] += 3.0
    told = examined(moved, blobs).sections
    assert told["aggregate"]["mean_shift"].value == pytest.approx(2, abs=0.3)
    assert told["aggregate"]["p_value"] < 1e-6
    assert told["aggregate"]["energy_p_value"] == 1 / 200
    assert told["generation"]["p_value"] < 1e-6
    assert told["generation"]["frechet"].value > 0.1


def test_the_divergence_is_that_of_the_code(gaussian, blobs):
    subject = Subject.of(gaussian, Reference.of(gaussian, blobs[:600]), blobs[600:])
    x = torch.as_tensor(subject.seen_x)
    with torch.no_grad():
        mean, log_variance = gaussian.module_.encoder(x).chunk(2, dim=-1)
    expected = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance)
    np.testing.assert_allclose(subject.divergence, expected.numpy(), rtol=1e-6)
    np.testing.assert_allclose(subject.noise, log_variance.exp().mean(dim=0).numpy(), rtol=1e-6)


def test_codes_without_a_prior_have_no_such_sections(blobs):
    found = examined(zoo.linear(3, max_epochs=3, random_state=0).fit(blobs[:600]), blobs)
    assert found.sections["aggregate"] == found.sections["generation"] == {}
    assert "divergence" not in found.sections["code"]
    assert examined_without(blobs).sections["generation"] == {}


def examined_without(blobs):
    ae = zoo.variational(2, max_epochs=2, random_state=0).fit(blobs[:600])
    return evidence.examine_with(ae, None, blobs[600:])


def test_a_posterior_that_is_the_prior_has_collapsed(gaussian, blobs):
    """Whatever the decoder makes of such codes, and whether or not the code tells μ and σ."""
    gone = copy.deepcopy(gaussian)
    with torch.no_grad():
        gone.module_.encoder.layers[0].matrix.mul_(0.01)
        gone.module_.encoder.layers[0].bias.zero_()
        gone.module_.decoder.reader.matrix.mul_(100)
    assert status(examined(gone, blobs), "collapse").status == "fail"
    gone.module_.code.gives = frozenset({"density", "divergence"})
    found = examined(gone, blobs)
    assert found.sections["code"]["divergence"].value < 0.05
    assert status(found, "collapse").status == "fail"


def test_a_decoder_that_does_not_listen_has_collapsed(gaussian, blobs):
    deaf = copy.deepcopy(gaussian)
    with torch.no_grad():
        deaf.module_.decoder.reader.matrix.mul_(0.01)
    found = examined(deaf, blobs)
    assert found.sections["code"]["active"] == 3
    assert status(found, "collapse").status == "fail"


def test_partial_collapse_is_told_where_the_missing_units_were_needed(gaussian, blobs):
    starved = copy.deepcopy(gaussian)
    with torch.no_grad():  # the posterior of two units becomes their prior
        starved.module_.encoder.layers[0].matrix[[0, 1, 3, 4]] = 0
        starved.module_.encoder.layers[0].bias[[0, 1, 3, 4]] = 0
    found = examined(starved, blobs)
    verdict = status(found, "collapse")
    assert found.sections["code"]["active"] == found.sections["code"]["informative"] == 1
    assert verdict.status == "warn"
    assert verdict.sentence.startswith(
        "Partial collapse: only 1 of 3 units tell anything of the row, and the reconstruction misses 6"
    )


def test_units_that_nobody_needs_are_no_collapse(blobs):
    ae = Autoencoder(
        8, encoders.Linear(), code=codes.Gaussian(), penalty=penalties.Divergence(),
        scaling="global", learning_rate=1e-2, max_epochs=60, random_state=0,
    ).fit(blobs[:600])  # fmt: skip
    found = examined(ae, blobs)
    assert found.sections["code"]["active"] < 8
    assert status(found, "collapse").status == "pass"
