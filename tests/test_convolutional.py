"""Convolutional encoders and decoders: every size comes back, transposes are adjoint, each kind takes the pair."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from isthmus import Autoencoder, codes, decoders, encoders, likelihoods, load, penalties, zoo
from isthmus.enlarging import at
from isthmus.errors import SettingError
from isthmus.nn.convolutional import halvings, transposed
from isthmus.populations import fit_together

SHAPES = [(1, 8, 8), (1, 7, 9), (3, 5, 1), (2, 11), (13,), (2, 3, 4, 5), (1, 1, 1)]
STYLES = {
    "strided": {},
    "pooled": {"down": "pooled"},
    "blocks": {"blocks": 1, "norm": True},
    "even kernel": {"kernel": 4, "blocks": 1},
    "even kernel, pooled": {"kernel": 2, "down": "pooled"},
    "hidden": {"hidden": (7,), "activation": "tanh"},
}


def rows(shape, n=24, seed=0):
    return np.random.default_rng(seed).normal(size=(n, int(np.prod(shape))))


def quick(shape=(1, 8, 8), **settings):
    own = {"code_size": 4, "max_epochs": 2, "random_state": 0, "device": "cpu"}
    return Autoencoder(input_shape=shape, **(own | {"encoder": encoders.Convolutional((3, 4))} | settings))


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("up", ["transposed", "resize"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_maps_of_every_size_come_back(shape, up, style):
    X = rows(shape)
    encoder = encoders.Convolutional((3, 4), **STYLES[style])
    decoder = encoder.mirror().set_params(up=up)
    ae = quick(shape, encoder=encoder, decoder=decoder).fit(X)
    assert ae.transform(X).shape == (24, 4)
    assert ae.reconstruct(X).shape == X.shape
    assert ae.history_[-1]["gradient_norm"] > 0


def test_every_parameter_is_trained():
    ae = quick(encoder=encoders.Convolutional((3, 4), blocks=2, norm=True, hidden=(5,)), max_epochs=3)
    X = rows((1, 8, 8))
    first, last = ae.fit(X).untrained().module_.state_dict(), ae.module_.state_dict()
    still = [name for name in first if torch.equal(first[name], last[name])]
    assert still == []


def test_it_is_the_network_that_torch_would_build():
    """Oracle: the same layers put together by hand."""
    encoder = encoders.Convolutional((3, 4), hidden=(6,), activation="relu").build((2, 9, 6), 5)
    own = [encoder.levels[0].convolution, encoder.levels[1].convolution]
    dense = encoder.head.dense
    x = torch.randn(7, 2, 9, 6)
    a = F.conv2d(x, own[0].weight, own[0].bias, stride=2, padding=1).relu()  # 5 × 3
    a = F.conv2d(a, own[1].weight, own[1].bias, stride=2, padding=1).relu().flatten(1)  # 3 × 2
    expected = (a @ dense[0].weight.T + dense[0].bias).relu() @ dense[1].weight.T + dense[1].bias
    torch.testing.assert_close(encoder(x.flatten(1)), expected)

    decoder = decoders.Convolutional((4, 3), activation="relu").build(5, (2, 9, 6), encoder)
    z = torch.randn(7, 5)
    reader, (up, last) = decoder.head.dense[0], decoder.levels
    a = (z @ reader.weight.T + reader.bias).reshape(7, 4, 3, 2).relu()
    a = F.conv_transpose2d(a, up.weight, up.bias, stride=2, padding=1, output_padding=(0, 0)).relu()  # 5 × 3
    a = F.conv_transpose2d(a, last.weight, last.bias, stride=2, padding=1, output_padding=(0, 1))
    torch.testing.assert_close(decoder(z), a.flatten(1))


def test_numbers_of_parameters():
    module = quick((1, 28, 28), encoder=encoders.Convolutional((16, 32))).fit(rows((1, 28, 28))).module_
    convolutions = (16 * 9 + 16) + (32 * 16 * 9 + 32) + (32 * 16 * 9 + 16) + (16 * 9 + 1)
    assert sum(p.numel() for p in module.parameters()) == convolutions + (32 * 49 * 4 + 4) + (4 * 32 * 49 + 32 * 49)


def test_maxima_are_those_of_pairs():
    level = encoders.Convolutional((3,), down="pooled", activation="relu").build((1, 5, 4), 2).levels[0]
    x = torch.randn(6, 1, 5, 4)
    a = level.convolution(x)
    assert a.shape == (6, 3, 5, 4)
    torch.testing.assert_close(level(x), F.max_pool2d(a, 2, ceil_mode=True).relu())


@given(st.integers(1, 9), st.integers(1, 9), st.integers(2, 5), st.integers(0, 100))
@settings(max_examples=40, deadline=None)
def test_the_transpose_is_adjoint(height, width, kernel, seed):
    """⟨Conv x, y⟩ = ⟨x, Convᵀ y⟩ for every extent and kernel."""
    torch.manual_seed(seed)
    level = encoders.Convolutional((3,), kernel).build((2, height, width), 1).double().levels[0]
    level.convolution.bias.data.zero_()
    level.style = type(level.style)(kernel, activation="identity")
    x = torch.randn(1, 2, height, width, dtype=torch.float64)
    image = level(x)
    assert tuple(image.shape[2:]) == halvings((height, width), 1)[1]
    y = torch.randn_like(image)
    back = transposed(y, level.convolution.weight, None, (height, width))
    torch.testing.assert_close((image * y).sum(), (x * back).sum(), rtol=1e-9, atol=1e-9)


def test_tied_weights_are_the_encoders_own():
    X = rows((1, 7, 9))
    ae = quick((1, 7, 9), decoder=decoders.Tied(), likelihood=likelihoods.Gaussian()).fit(X)
    names = [name for name, _ in ae.module_.decoder.named_parameters()]
    assert names == ["head.biases.0", "biases.0", "biases.1"]
    kernel = ae.module_.encoder.levels[0].convolution.weight
    ae.module_.decoder.biases[1].data.fill_(7.0)
    z = torch.zeros(1, 4, dtype=kernel.dtype)
    with torch.no_grad():
        before = ae.module_.decoder(z)
        kernel.zero_()
        after = ae.module_.decoder(z)
    assert not torch.allclose(before, after)
    torch.testing.assert_close(after, torch.full_like(after, 7.0))


@pytest.mark.parametrize(
    "encoder",
    [encoders.Convolutional(**own) for own in ({"blocks": 1}, {"norm": True}, {"down": "pooled"}, {"spatial": True})],
    ids=str,
)
def test_what_cannot_be_tied(encoder):
    with pytest.raises(SettingError) as caught:
        quick(encoder=encoder, decoder=decoders.Tied()).fit(rows((1, 8, 8)))
    assert str(caught.value) == (
        "decoders.Tied transposes levels of one strided convolution each; in encoders.Convolutional; "
        "blocks=0, norm=False, down='strided' and spatial=False; give a decoder of its own: decoders.Convolutional()"
    )


def test_a_spatial_code_is_a_map():
    """No dense layer: moving the picture by two pixels moves the code by one place."""
    X = np.zeros((2, 1, 12, 12))
    X[0, 0, 4:7, 4:6], X[1, 0, 6:9, 4:6] = 1, 1
    ae = Autoencoder(
        2 * 36,
        encoders.Convolutional((3,), spatial=True),
        input_shape=(1, 12, 12),
        scaling=None,
        max_epochs=1,
        random_state=0,
        device="cpu",
    ).fit(X.reshape(2, -1))
    assert not any(isinstance(part, nn.Linear) or part.__class__.__name__ == "Dense" for part in ae.module_.modules())
    first, second = ae.transform(X.reshape(2, -1)).reshape(2, 2, 6, 6)
    np.testing.assert_allclose(second[:, 2:5, 1:4], first[:, 1:4, 1:4], atol=1e-12)
    assert np.abs(first[:, 2, 2]).max() > 0


def test_a_code_that_is_no_map():
    with pytest.raises(SettingError) as caught:
        quick(encoder=encoders.Convolutional((3, 4), spatial=True), code_size=6).fit(rows((1, 8, 8)))
    assert str(caught.value) == "6 numbers are no map of 2 × 2; in a spatial code; a multiple of 4; set code_size=8"


def spatial(shape=(2, 8, 8), **settings):
    own = {"encoder": encoders.Convolutional((3, 4), spatial=True), "code_size": 12, "scaling": None}
    return quick(shape, **(own | settings)).fit(rows(shape))


def test_the_same_weights_on_larger_pictures():
    """Oracle: away from the borders a large picture is what its parts are."""
    ae = spatial((2, 24, 24), code_size=36 * 3)
    large = at(ae, (2, 40, 31))
    assert large.code_size == large.module_.code.size == 3 * 10 * 8
    assert large.n_features_in_ == 2 * 40 * 31
    picture = rows((2, 40, 31), n=1, seed=3)
    whole = large.reconstruct(picture).reshape(2, 40, 31)
    part = picture.reshape(2, 40, 31)[:, 8:32, 4:28].reshape(1, -1)
    np.testing.assert_allclose(
        whole[:, 18:22, 14:18], ae.reconstruct(part).reshape(2, 24, 24)[:, 10:14, 10:14], atol=1e-9
    )
    assert ae.input_shape == (2, 24, 24)


def test_pictures_of_another_size_need_a_network_without_fixed_sizes():
    with pytest.raises(SettingError) as caught:
        at(quick(scaling=None).fit(rows((1, 8, 8))), (1, 16, 16))
    assert str(caught.value) == (
        "the network has layers of a fixed size; for pictures of (1, 16, 16); a spatial code; "
        "use encoders.Convolutional(spatial=True)"
    )
    with pytest.raises(SettingError) as caught:
        at(spatial(scaling="standard"), (2, 16, 16))
    assert str(caught.value) == (
        "columns of a channel are scaled differently; for pictures of (2, 16, 16); one scale a channel; "
        "train with scaling=None"
    )
    with pytest.raises(SettingError) as caught:
        at(spatial(), (1, 16, 16))
    assert str(caught.value) == "pictures of (1, 16, 16); for a network of (2, 8, 8); 2 channels and 2 extents"


def test_rows_of_four_extents_are_refused():
    with pytest.raises(SettingError) as caught:
        quick((1, 2, 2, 2, 2)).fit(rows((1, 2, 2, 2, 2)))
    assert str(caught.value) == (
        "rows of shape (1, 2, 2, 2, 2) have 4 extents; in a convolution; "
        "(channels, length), (channels, height, width) or (channels, depth, height, width); set input_shape"
    )


@pytest.mark.parametrize("kind", [kind for kind in zoo.KINDS if kind != "convolutional"])
def test_every_kind_takes_the_pair(kind):
    X = rows((1, 6, 6), n=60)
    settings = {"input_shape": (1, 6, 6), "max_epochs": 8, "random_state": 0, "device": "cpu"}
    settings |= {"content": 4} if kind in zoo.GROUPED else {}
    groups = np.arange(60) % 3 if kind in zoo.GROUPED else None
    ae = zoo.KINDS[kind](8, encoder=encoders.Convolutional((3, 4)), **settings).fit(X, groups=groups)
    assert type(ae.module_.decoder).__name__ == (
        "TransposedConvolutional" if kind == "contractive" else "ConvolutionalDecoder"
    )
    assert ae.history_[-1]["loss"] < ae.history_[0]["loss"]


CODES = {"plain": codes.Plain(), "sigmoid": codes.Activation(), "gaussian": codes.Gaussian(), "topk": codes.TopK(2)}


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("style", STYLES)
def test_contraction_is_exact_on_convolutions(style, code):
    """Oracle: the Jacobian by torch.func, row by row."""
    X = rows((1, 5, 6), n=10)
    encoder = encoders.Convolutional((3, 4), **STYLES[style])
    own = {"penalty": penalties.Contraction(0.7), "validation_fraction": 0, "scaling": None}
    ae = quick((1, 5, 6), encoder=encoder, code=CODES[code], **own).fit(X)
    x = torch.tensor(X)
    terms = ae.module_.objective(ae.module_(x))
    each = torch.func.vmap(torch.func.jacrev(lambda row: ae.module_.encode(row[None])[0]))(x)
    torch.testing.assert_close(terms["contraction"], 0.7 * each.square().sum(dim=(1, 2)).mean())
    np.testing.assert_allclose(ae.jacobian(X), each.detach().numpy(), atol=1e-12)


def test_its_gradient_is_that_of_autodiff():
    X = rows((2, 5, 6), n=6)
    ae = quick((2, 5, 6), encoder=encoders.Convolutional((3, 4), hidden=(5,)), penalty=penalties.Contraction(1.0)).fit(
        X
    )
    weights, x = list(ae.module_.encoder.parameters()), torch.tensor(X)
    ours = torch.autograd.grad(ae.module_.objective(ae.module_(x))["contraction"], weights, materialize_grads=True)
    z = torch.func.vmap(torch.func.jacrev(lambda row: ae.module_.encode(row[None])[0]))
    expected = torch.autograd.grad(z(x).square().sum(dim=(1, 2)).mean(), weights, materialize_grads=True)
    for own, other in zip(ours, expected, strict=True):
        torch.testing.assert_close(own, other)


def test_probes_estimate_it_without_bias():
    X = rows((1, 5, 6), n=10)
    ae = quick((1, 5, 6), penalty=penalties.Contraction(1.0, probes=2), validation_fraction=0, scaling=None).fit(X)
    assert "contraction by 2 random probes" in ae.engine_
    rng, x = torch.Generator().manual_seed(0), torch.tensor(X)
    with torch.no_grad():
        drawn = [float(ae.module_.objective(ae.module_(x, None, rng))["contraction"]) for _ in range(400)]
        exact = float(ae.module_.objective(ae.module_(x))["contraction"])
    assert abs(np.mean(drawn) - exact) < 4 * np.std(drawn) / 20


def test_l1_keeps_the_readers_columns_at_unit_length():
    ae = quick(penalty=penalties.L1(0.1)).fit(rows((1, 8, 8)))
    reader = ae.module_.decoder.reader
    torch.testing.assert_close(reader.weight.norm(dim=0), torch.ones(4, dtype=reader.weight.dtype))
    with pytest.raises(SettingError) as caught:
        quick(encoder=encoders.Convolutional((3, 4), spatial=True), penalty=penalties.L1(0.1)).fit(rows((1, 8, 8)))
    assert str(caught.value) == (
        "penalties.L1 cannot keep the columns of ConvolutionalDecoder at unit length; decoder; "
        "decoders.Linear or decoders.MLP"
    )


def test_saved_and_loaded_bit_for_bit(tmp_path):
    X = rows((2, 5, 7))
    encoder = encoders.Convolutional((3, 4), 4, "pooled", 1, True, (6,), initialisation="orthogonal")
    ae = quick((2, 5, 7), encoder=encoder, code=codes.Gaussian()).fit(X)
    ae.save(tmp_path)
    again = load(tmp_path)
    assert again.encoder == encoder
    np.testing.assert_array_equal(again.reconstruct(X), ae.reconstruct(X))


@pytest.mark.parametrize("style", STYLES)
def test_recorded_or_not_it_learns_the_same(style):
    X = rows((1, 7, 6), n=40)
    own = {"encoder": encoders.Convolutional((3, 4), **STYLES[style]), "max_epochs": 4}
    eager, recorded = (quick((1, 7, 6), engine=engine, **own).fit(X) for engine in ("eager", "recorded"))
    assert recorded.engine_.startswith("recorded")
    np.testing.assert_allclose(recorded.transform(X), eager.transform(X), rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("style", STYLES)
def test_a_population_of_them_is_what_each_is_alone(style):
    X = rows((1, 6, 6), n=40)

    def crew():
        encoder = encoders.Convolutional((3, 4), **STYLES[style])
        return [quick((1, 6, 6), encoder=encoder, random_state=i, learning_rate=1e-3 * (i + 1)) for i in range(3)]

    together, alone = crew(), crew()
    assert fit_together(together, X) == [None] * 3
    for one, other in zip(together, alone, strict=True):
        np.testing.assert_allclose(one.transform(X), other.fit(X).transform(X), rtol=1e-7, atol=1e-9)
    assert "one by one" not in together[0].engine_


def test_a_population_under_contraction_is_what_each_is_alone():
    X = rows((1, 6, 6), n=40)

    def crew():
        return [quick((1, 6, 6), penalty=penalties.Contraction(10.0**-i), random_state=i) for i in range(3)]

    together, alone = crew(), crew()
    assert fit_together(together, X) == [None] * 3
    for one, other in zip(together, alone, strict=True):
        np.testing.assert_allclose(one.transform(X), other.fit(X).transform(X), rtol=1e-7, atol=1e-9)
    assert "one by one" not in together[0].engine_


def test_large_pictures_are_trained_one_by_one(monkeypatch):
    """Bit for bit, where a population would differ by rounding."""
    monkeypatch.setattr("isthmus.populations.LARGE", 35)
    X = rows((1, 6, 6), n=40)
    together, alone = ([quick((1, 6, 6), random_state=i) for i in range(2)] for _ in range(2))
    assert fit_together(together, X) == [None, None]
    for one, other in zip(together, alone, strict=True):
        np.testing.assert_array_equal(one.transform(X), other.fit(X).transform(X))
