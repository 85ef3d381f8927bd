"""Tiles keep their pixels, patches are cut where the unit looked, sheets have a block for each unit."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from isthmus import Autoencoder, Classifier, decoders, encoders, seeing
from isthmus.errors import SettingError
from isthmus.seeing import sheets, tiles


def test_signed_puts_zero_at_grey_and_each_picture_on_its_own_scale():
    found = tiles.signed(np.array([[[[-2.0, 0.0, 1.0]]], [[[0.0, 0.0, 0.0]]]]))
    np.testing.assert_array_equal(found[0, 0, 0], [0, 0.5, 0.75])
    np.testing.assert_array_equal(found[1, 0, 0], [0.5, 0.5, 0.5])


def test_small_pictures_are_enlarged_and_large_ones_are_means():
    b = tiles.BLANK
    small = tiles.sized(np.array([[[0.0, 0.5]]]), 5)
    np.testing.assert_array_equal(small[0], [[b] * 5] + [[0, 0, 0.5, 0.5, b]] * 2 + [[b] * 5] * 2)
    large = np.arange(64.0).reshape(1, 8, 8)
    np.testing.assert_allclose(tiles.sized(large, 4), large.reshape(1, 4, 2, 4, 2).mean(axis=(2, 4)))


@pytest.mark.parametrize(
    ("extents", "side"), [((3, 3), 48), ((7, 5), 49), ((32, 30), 64), ((60, 60), 60), ((99, 1), 48)]
)
def test_a_tile_is_a_multiple_of_its_picture_near_the_side_asked_for(extents, side):
    assert tiles.fitting(extents, 48) == side


def test_pictures_are_laid_row_by_row():
    b = tiles.BLANK
    ones = [np.full((1, 1, 2), i / 10) for i in range(3)]
    np.testing.assert_allclose(tiles.laid(ones, 2, gap=1)[0], [[0, 0, b, 0.1, 0.1], [b] * 5, [0.2, 0.2, b, b, b]])


def test_patches_that_a_border_made_smaller_keep_to_it():
    pictures = np.arange(32.0).reshape(2, 1, 4, 4)
    whole, corner = tiles.cut(pictures, [(slice(1, 4), slice(0, 3)), (slice(0, 2), slice(2, 4))])
    np.testing.assert_array_equal(whole, pictures[0, :, 1:4, 0:3])
    nan = np.nan
    np.testing.assert_array_equal(corner[0], [[nan, nan, nan], [18, 19, nan], [22, 23, nan]])
    assert tiles.whole([corner])[0][0, 0, 0] == tiles.UNSEEN


def test_a_heat_map_is_blue_below_and_red_above():
    red, _, blue = tiles.heat(np.array([[-1.0, 0.0, 1.0]]))
    assert red[0, 0] < red[0, 1] < 1
    assert blue[0, 2] < blue[0, 1]
    assert red[0, 2] > blue[0, 2]


@pytest.fixture(scope="module")
def convolutional():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 3 * 8 * 8)).astype(np.float32)
    ae = Autoencoder(
        4, encoders.Convolutional((4, 6), down="pooled", activation="relu"), input_shape=(3, 8, 8),
        max_epochs=2, validation_fraction=0.0, early_stopping=False, random_state=0,
    )  # fmt: skip
    return ae.fit(X), X


def viewed(ae, X):
    network = seeing.Whole(ae)
    return seeing.Viewed(network, ae.scale(X).reshape(-1, *network.shape))


def test_an_autoencoder_is_one_network(convolutional):
    ae, X = convolutional
    network = seeing.Whole(ae)
    x = ae.scale(X[:5])
    np.testing.assert_allclose(network.codes(torch.from_numpy(x.reshape(-1, 3, 8, 8))), ae.transform(X[:5]), atol=1e-5)
    back = network.reconstructions(torch.from_numpy(x.reshape(-1, 3, 8, 8)))
    np.testing.assert_allclose(ae.unscale(back.numpy().reshape(5, -1)), ae.reconstruct(X[:5]), atol=1e-4)
    assert [layer.name for layer in viewed(ae, X).weighted] == [
        "encoder.levels.0.convolution",
        "encoder.levels.1.convolution",
        "encoder.head.layers.0",
        "decoder.head.layers.0",
        "decoder.levels.0.conv_transpose2d",
        "decoder.levels.1.conv_transpose2d",
    ]


def test_a_classifier_is_its_network():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(40, 36)), rng.integers(3, size=40)
    own = nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(48, 3))
    classifier = Classifier(own, input_shape=(1, 6, 6), max_epochs=1, random_state=0).fit(X, y)
    x = torch.from_numpy(classifier.scaler_.apply(X).reshape(-1, 1, 6, 6))
    network = seeing.of(classifier)
    shares = torch.stack([seeing.probability(network, label)(x) for label in range(3)], dim=1)
    np.testing.assert_allclose(shares, classifier.predict_proba(X), atol=1e-6)


def test_every_layer_of_a_coloured_autoencoder_has_a_sheet(convolutional):
    look = viewed(*convolutional)
    for layer in look.weighted[:-1]:
        found = seeing.sheet(look, layer, 3, paints=layer.name.startswith("decoder"))
        height, width = found.picture.shape[1:]
        side = (height - 20) // 2
        assert (height, width) == (2 * side + 20, 2 * (3 * side + 16) + 20)
        assert side == 3 * ((side - 2 * tiles.GAP) // 3) + 2 * tiles.GAP
        assert (found.picture >= 0).all()
        assert (found.picture <= 1).all()
        assert len(found.units) == 3
        assert found.of == layer.units
    last = seeing.last_sheet(look, look.weighted[-1], 4)
    assert (len(last.units), last.of, last.answers.shape) == (4, 4, (4, 3, 3, 3))


def test_a_first_sheet_holds_the_liveliest_units_and_the_parts_it_says(convolutional):
    look = viewed(*convolutional)
    layer = look.weighted[0]
    found = seeing.sheet(look, layer, 1)
    spread = seeing.activations(look.network, layer.name, look.X).reshape(60, 4, -1).max(axis=2).std(axis=0)
    assert found.units == [int(spread.argmax())]
    side = 3 * sheets.SIDE + 2 * tiles.GAP
    kernel = tiles.signed(layer.weight.detach().numpy()[found.units])[0]
    np.testing.assert_allclose(found.picture[:, :side, :side], tiles.sized(kernel, side))
    best = seeing.strongest(look.network, layer.name, look.X).of(found.units)
    boxes = [seeing.field(look.network, layer.name, (3, 8, 8), place) for place in best.places[0]]
    patches = tiles.whole(tiles.cut(look.lit(look.X[best.rows[0]]), boxes))
    drawn = found.picture[:, : sheets.SIDE, side + 8 : side + 8 + sheets.SIDE]
    np.testing.assert_allclose(drawn, tiles.sized(patches[0], sheets.SIDE))


def test_rows_that_go_in_lots_give_the_same_sheet(convolutional, monkeypatch):
    look = viewed(*convolutional)
    for layer, paints in ((look.weighted[1], False), (look.weighted[3], True)):
        at_once = seeing.sheet(look, layer, 2, paints).picture
        monkeypatch.setattr(sheets, "MOST", 4)
        assert [lot.stop - lot.start for lot in look.lots(9)] == [4, 4, 4]
        np.testing.assert_allclose(seeing.sheet(look, layer, 2, paints).picture, at_once, atol=1e-5)
        monkeypatch.undo()


@pytest.mark.parametrize("decoder", [None, decoders.Tied()])
def test_tables_and_signals_are_lines_of_colour(decoder):
    X = np.random.default_rng(0).normal(size=(50, 6))
    ae = Autoencoder(2, encoders.MLP((5,)), decoder, max_epochs=2, random_state=0).fit(X)
    look = viewed(ae, X)
    names = [layer.name for layer in look.weighted]
    tied = ["decoder.matmul", "decoder.matmul.2"]
    free = ["decoder.network.layers.0", "decoder.network.layers.1"]
    assert names == ["encoder.layers.0", "encoder.layers.1", *(free if decoder is None else tied)]
    first = seeing.sheet(look, look.weighted[0], 4)
    assert first.picture.shape == (3, 4 * 18, 6 * 24)
    np.testing.assert_array_equal(first.answers, look.weighted[0].weight.detach().numpy()[first.units])
    assert seeing.sheet(look, look.weighted[1], 4).answers.shape == (2, 6)
    assert seeing.sheet(look, look.weighted[2], 4, paints=True).answers.shape == (4, 6)
    last = seeing.last_sheet(look, look.weighted[3], 4)
    strokes = ae.module_.decoder.network.dense[1].weight if decoder is None else ae.module_.encoder.dense[0].weight.T
    np.testing.assert_allclose(last.answers, strokes.detach().numpy().T[last.units])


def test_a_unit_that_never_moves_and_a_single_row_are_drawn():
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Conv2d(2, 2, 3))
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
    look = seeing.Viewed(network, np.zeros((1, 1, 6, 6), dtype=np.float32))
    for layer in look.weighted:
        assert np.isfinite(seeing.sheet(look, layer).picture).all()


def test_a_layer_without_weights_has_no_last_sheet():
    look = seeing.Viewed(nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU()), np.ones((3, 1, 6, 6), dtype=np.float32))
    with pytest.raises(SettingError) as raised:
        seeing.last_sheet(look, look.layers[1])
    assert str(raised.value) == "the layer '1' multiplies by nothing; in filters; a product"
