"""One encoder and a decoder per domain: letters drawn solid become the same letters outlined, and back."""

from __future__ import annotations

import numpy as np
import pytest

from isthmus import Autoencoder, codes, decoders, encoders, load, penalties
from isthmus.data import characters
from isthmus.data.characters import LOOKS
from isthmus.errors import DataError, SettingError

N, TESTED = 1200, 300


def drawn(n, seed):
    """The same letters in both looks: what a translation ought to give is known."""
    return {look: characters.generate(n, seed, look).X for look in LOOKS}


@pytest.fixture(scope="module", params=[decoders.PerGroup(), decoders.Conditional()], ids=["PerGroup", "Conditional"])
def fitted(request):
    """Trained on other letters in either look, so that no pair is ever seen."""
    X = np.vstack([characters.generate(N, seed, look).X for seed, look in enumerate(LOOKS)])
    ae = Autoencoder(
        12,
        encoders.MLP((256, 128)),
        request.param,
        codes.Gaussian(),
        penalty=penalties.Divergence(2.0),
        input_shape=(1, characters.SIDE, characters.SIDE),
        max_epochs=25,
        batch_size=64,
        learning_rate=3e-3,
        random_state=0,
        device="cpu",
    )
    return ae.fit(X, groups=np.repeat(LOOKS, N))


def distances(found, wanted):
    """Squared distances of each of the one, (n,), from each of the other: (n, n)."""
    return np.square(found[:, None] - wanted[None]).sum(axis=2)


@pytest.mark.parametrize(("look", "to", "most"), [("solid", "outlined", 0.5), ("outlined", "solid", 0.45)])
def test_rows_become_their_counterparts(fitted, look, to, most):
    """Nearer than chance (rows of that look at random), nearer than untranslated, and often the nearest of all."""
    rows = drawn(TESTED, 9)
    between = distances(fitted.translate(rows[look], to=to), rows[to])
    chance, untouched = between.mean(), np.diag(distances(rows[look], rows[to])).mean()
    assert np.diag(between).mean() < most * chance
    assert np.diag(between).mean() < 0.9 * untouched
    found = np.mean(between.argmin(axis=1) == np.arange(TESTED))
    assert found > 50 / TESTED  # by chance 1 / TESTED


def test_a_translation_is_a_code_decoded_as_of_the_other_domain(fitted):
    rows = drawn(20, 4)["solid"]
    Z = fitted.transform(rows)
    for look in LOOKS:
        translated = fitted.translate(rows, to=look)
        np.testing.assert_allclose(translated, fitted.inverse_transform(Z, groups=[look] * 20), rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(translated, fitted.for_group(look).inverse_transform(Z), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(
        fitted.translate(rows, to="solid"), fitted.reconstruct(rows, groups=["solid"] * 20), rtol=1e-5, atol=1e-6
    )
    assert np.abs(fitted.translate(rows, to="solid") - fitted.translate(rows, to="outlined")).max() > 0.3


def test_a_swap_is_the_same_call(fitted):
    """What a domain shares is its decoder: the domain of one row, all else of the other."""
    rows = drawn(20, 5)
    swapped = fitted.swap(rows["outlined"], rows["solid"], groups=["outlined"] * 20)
    np.testing.assert_allclose(swapped, fitted.translate(rows["solid"], to="outlined"), rtol=1e-5, atol=1e-6)
    mixed = np.array(["outlined", "solid"] * 10)
    swapped = fitted.swap(rows["outlined"], rows["solid"], groups=mixed)
    for look in LOOKS:
        own = mixed == look
        np.testing.assert_allclose(swapped[own], fitted.translate(rows["solid"][own], to=look), rtol=1e-5, atol=1e-6)


def test_there_and_back_is_near_where_it_began(fitted):
    rows = drawn(TESTED, 9)["solid"]
    back = fitted.translate(fitted.translate(rows, to="outlined"), to="solid")
    assert np.diag(distances(back, rows)).mean() < 0.5 * distances(back, rows).mean()


def test_loaded_it_translates_the_same(fitted, tmp_path):
    rows = drawn(10, 6)["solid"]
    fitted.save(tmp_path)
    np.testing.assert_array_equal(load(tmp_path).translate(rows, to="outlined"), fitted.translate(rows, to="outlined"))


def test_an_unknown_domain_and_a_decoder_without_domains(fitted):
    rows = drawn(4, 7)["solid"]
    with pytest.raises(DataError) as caught:
        fitted.translate(rows, to="dotted")
    assert str(caught.value) == "no group 'dotted' in training; in groups; one of 'outlined', 'solid'"
    plain = Autoencoder(2, max_epochs=1).fit(np.random.default_rng(0).normal(size=(40, 3)))
    with pytest.raises(SettingError) as refused:
        plain.translate(np.zeros((2, 3)), to="outlined")
    assert str(refused.value) == (
        "this decoder is the same for all groups; in translate; "
        "decoder=decoders.PerGroup() or decoders.Conditional(), fitted with groups"
    )
