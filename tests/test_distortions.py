"""Distortions of images: their distributions, the units they act in, chains of them, and training with them."""

import math

import numpy as np
import pytest
import torch
from scipy import ndimage
from sklearn.base import clone

from isthmus import Autoencoder, corruptions, encoders, load, penalties
from isthmus.errors import SettingError
from isthmus.populations import fit_together

SHAPE = (2, 8, 6)
D = torch.float64
SPECS = [
    corruptions.Shift(2.0),
    corruptions.Shift(1.5, whole=False),
    corruptions.Rotation(40.0),
    corruptions.Elastic(12.0, 2.0),
    corruptions.Distortion(),
]
STILL = [
    corruptions.Shift(0.0),
    corruptions.Shift(0.9),
    corruptions.Shift(0.0, whole=False),
    corruptions.Rotation(0.0),
    corruptions.Elastic(0.0),
    corruptions.Distortion(0.0, 0.0, 0.0, 0.0, 0.0),
    corruptions.Chain(),
    corruptions.Chain(one=corruptions.Nothing(), two=corruptions.Rotation(0.0)),
]


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def columns(shape=SHAPE, **units):
    width = math.prod(shape)
    low = torch.linspace(-3, -2, width, dtype=D)
    return corruptions.Columns(low, low + 5, shape, **units)


def built(spec, where=None):
    return spec.build(where or columns()).to(D)


def images(n=5, shape=SHAPE, seed=1):
    return torch.rand(n, math.prod(shape), generator=generator(seed), dtype=D)


@pytest.mark.parametrize("spec", STILL, ids=repr)
def test_nothing_moves_where_amounts_are_zero(spec):
    x = images()
    moved, mask = built(spec)(x, generator())
    torch.testing.assert_close(moved, x, rtol=0, atol=1e-14)
    assert mask is None


@pytest.mark.parametrize("spec", SPECS, ids=repr)
def test_a_distortion_is_a_function_of_its_generator_and_differs_from_row_to_row(spec):
    x = images(1).expand(4, -1).clone()
    part, before = built(spec), x.clone()
    torch.manual_seed(1)
    first = part(x, generator(7))[0]
    torch.manual_seed(2)
    assert torch.equal(first, part(x, generator(7))[0])
    assert not torch.equal(first, part(x, generator(8))[0])
    assert not torch.equal(first[0], first[1])
    assert torch.equal(x, before)


def test_whole_shifts_are_slices_each_as_often():
    picture = torch.arange(9.0 * 7).view(9, 7)
    x = picture.flatten().expand(5000, -1)
    wide = torch.nn.functional.pad(picture[None], (2, 2, 2, 2), mode="replicate")[0]
    slices = torch.stack([wide[i : i + 9, j : j + 7].flatten() for i in range(5) for j in range(5)])
    moved = corruptions.Shift(2.0).build(columns((1, 9, 7))).float()(x, generator())[0]
    distance = (moved[:, None] - slices).abs().amax(dim=2)  # (N, 25)
    assert distance.amin(dim=1).max() < 1e-3
    counts = torch.bincount(distance.argmin(dim=1), minlength=25)
    assert ((counts - 200).abs() < 5 * math.sqrt(200)).all()


def test_parts_of_a_pixel_are_spread_evenly():
    ramp = torch.arange(21.0, dtype=D).expand(21, 21)
    for place, x in ((0, ramp), (1, ramp.T)):
        flat = x.flatten().expand(3000, -1)
        moved = built(corruptions.Shift(3.0, whole=False), columns((1, 21, 21)))(flat, generator(place))[0]
        steps = (flat - moved).view(-1, 21, 21)[:, 10, 10]
        assert -3 <= steps.min() < -2.95 < 2.95 < steps.max() <= 3
        assert abs(float(steps.std()) - 3 / math.sqrt(3)) < 0.05


def test_rotations_are_those_of_scipy_within_their_bounds():
    x = images(40)
    moved = built(corruptions.Rotation(40.0))(x, generator(3))[0].view(-1, *SHAPE)
    degrees = 40 * (2 * torch.rand(40, 1, generator=generator(3), dtype=D)[:, 0] - 1)
    assert -40 <= degrees.min() < -30 < 30 < degrees.max() <= 40
    for got, one, angle in zip(moved, x.view(-1, *SHAPE), degrees.tolist(), strict=True):
        want = ndimage.rotate(one.numpy(), angle, axes=(2, 1), reshape=False, order=1, mode="nearest")
        np.testing.assert_allclose(got, want, rtol=0, atol=1e-12)


def fields(noise, alpha, sigma):
    return alpha * ndimage.gaussian_filter(noise.numpy(), (0, 0, sigma, sigma), mode="constant", truncate=20)


def read(x, dx, dy):
    """A row's channels read at (row, column) = (dy, dx), from the image's corner."""
    return np.stack([ndimage.map_coordinates(m, (dy, dx), order=1, mode="nearest") for m in x])


def test_elastic_distortions_are_those_of_scipy():
    x = images()
    moved = built(corruptions.Elastic(12.0, 2.0))(x, generator(3))[0].view(-1, *SHAPE)
    field = fields(2 * torch.rand(5, 2, 8, 6, generator=generator(3), dtype=D) - 1, 12.0, 2.0)
    down, across = np.mgrid[:8, :6]
    for got, one, (dx, dy) in zip(moved, x.view(-1, *SHAPE).numpy(), field, strict=True):
        np.testing.assert_allclose(got, read(one, across + dx, down + dy), rtol=0, atol=1e-12)


def test_all_at_once_is_one_reading_of_the_image():
    spec = corruptions.Distortion(2.0, 30.0, 0.3, 0.4, 9.0, 1.5)
    x, rng = images(), generator(3)
    moved = built(spec)(x, rng)[0].view(-1, *SHAPE)
    rng = generator(3)
    draws = (2 * torch.rand(5, 6, generator=rng, dtype=D) - 1).numpy()
    field = fields(2 * torch.rand(5, 2, 8, 6, generator=rng, dtype=D) - 1, 9.0, 1.5)
    y, across = np.mgrid[:8, :6] - np.array([3.5, 2.5])[:, None, None]
    for got, one, u, (dx, dy) in zip(moved, x.view(-1, *SHAPE).numpy(), draws, field, strict=True):
        angle, slant, wide, high = np.deg2rad(30 * u[2]), 0.4 * u[3], 1 + 0.3 * u[4], 1 + 0.3 * u[5]
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        push = np.array([[1, slant], [0, 1]]) @ np.diag([1 / wide, 1 / high])
        to = np.einsum("ij,jhw->ihw", turn @ push, np.stack([across, y]))
        want = read(one, to[0] - 2 * u[0] + dx + 2.5, to[1] - 2 * u[1] + dy + 3.5)
        np.testing.assert_allclose(got, want, rtol=0, atol=1e-12)


def test_outside_is_the_least_value_of_the_channel_where_asked():
    where = columns()
    moved = built(corruptions.Shift(20.0, outside="low"), where)(images(200) + 7, generator())[0].view(-1, *SHAPE)
    gone = moved.flatten(1).amax(dim=1) < 0
    assert gone.sum() > 20
    for channel, part in enumerate(moved[gone].unbind(1)):
        torch.testing.assert_close(part, where.low.view(2, -1)[channel].min().expand(part.shape))


@pytest.mark.parametrize("outside", ["edge", "low"])
@pytest.mark.parametrize("spec", SPECS, ids=repr)
def test_pictures_are_moved_not_their_scaled_numbers(spec, outside):
    """Each column has its own scale: what is moved is the picture in input units, and then scaled again."""
    x = images() * 255
    low, shift = x.amin(dim=0), 100 * images(1, seed=5)[0] + 1e4
    scale = 1 + 30 * images(1, seed=6)[0]
    spec = clone(spec).set_params(outside=outside)
    where = corruptions.Columns((low - shift) / scale, (255 - shift) / scale, SHAPE, shift, scale)
    got = built(spec, where)((x - shift) / scale, generator())[0] * scale + shift
    want = built(spec, corruptions.Columns(low, low + 255, SHAPE))(x, generator())[0]
    torch.testing.assert_close(got, want, rtol=0, atol=1e-8)


def test_signals_are_shifted_along_their_one_axis():
    x = torch.arange(2 * 9.0, dtype=D).expand(60, -1)
    for outside in ("edge", "low"):
        moved = built(corruptions.Shift(2.0, outside=outside), columns((2, 9)))(x, generator())[0].view(-1, 2, 9)
        assert set(moved[:, 0, 4].round(decimals=6).tolist()) == {2.0, 3.0, 4.0, 5.0, 6.0}
        torch.testing.assert_close(moved[:, 1, 3:6] - moved[:, 0, 3:6], torch.full((60, 3), 9.0, dtype=D))


REFUSED = [
    (corruptions.Rotation(), (784,), "(channels, height, width)"),
    (corruptions.Rotation(), (1, 784), "(channels, height, width)"),
    (corruptions.Elastic(), (784,), "(channels, height, width)"),
    (corruptions.Distortion(), (1, 4, 4, 4), "(channels, height, width)"),
    (corruptions.Shift(), (784,), "(channels, height, width) or (channels, length)"),
    (corruptions.Shift(), (1, 4, 4, 4), "(channels, height, width) or (channels, length)"),
]


@pytest.mark.parametrize(("spec", "shape", "expected"), REFUSED, ids=str)
def test_rows_that_are_no_images(spec, shape, expected):
    kinds = "images or signals" if "length" in expected else "images"
    for part in (spec, corruptions.Chain(noise=corruptions.Gaussian(), moved=spec)):
        with pytest.raises(SettingError) as caught:
            part.build(columns(shape))
        assert str(caught.value) == (
            f"corruptions.{type(spec).__name__} needs rows that are {kinds}; these have the shape {shape}; {expected}; "
            "set input_shape, as in input_shape=(1, 28, 28)"
        )


# --- chains ------------------------------------------------------------------------------------------------------


def test_a_chain_is_one_after_the_other():
    turn, noise = corruptions.Rotation(30.0), corruptions.Gaussian(0.2)
    x, rng = images(), generator(4)
    want = built(noise)(built(turn)(x, rng)[0], rng)[0]
    assert torch.equal(built(corruptions.Chain(turn=turn, noise=noise))(x, generator(4))[0], want)
    assert not torch.equal(built(corruptions.Chain(noise=noise, turn=turn))(x, generator(4))[0], want)


def test_what_any_part_hides_is_scored():
    hide = corruptions.Masking(0.3, "hidden")
    x, rng = images(), generator(4)
    once, first = built(hide)(x, rng)
    twice, second = built(hide)(once, rng)
    hidden, scored = built(corruptions.Chain(one=hide, two=hide, noise=corruptions.Gaussian(0.0)))(x, generator(4))
    assert torch.equal(hidden, twice)
    assert scored.unique().tolist() == [0.0, 1.0]
    assert torch.equal(scored, ((first + second) > 0).double())
    assert built(corruptions.Chain(noise=corruptions.Gaussian(0.1), all=corruptions.Masking(0.3)))(x, rng)[1] is None


def test_parts_of_a_chain_have_names():
    chain = corruptions.Chain(turn=corruptions.Rotation(30.0), noise=corruptions.Gaussian(0.2))
    assert chain.get_params()["noise__amount"] == 0.2
    ae = Autoencoder(corruption=chain).set_params(corruption__noise__amount=0.7)
    assert ae.corruption == corruptions.Chain(turn=corruptions.Rotation(30.0), noise=corruptions.Gaussian(0.7))
    assert chain != corruptions.Chain(noise=chain.get_params()["noise"], turn=chain.get_params()["turn"]), "the order"
    assert clone(chain) == chain
    assert chain != penalties.Sum(**chain.get_params(deep=False))


WRONG = [
    ({"noise": 3}, "noise must be a corruption such as corruptions.Masking(0.3); got 3; in Chain"),
    (
        {"noise": penalties.L1(0.1)},
        "noise must be a corruption such as corruptions.Masking(0.3); got L1(strength=0.1); in Chain",
    ),
    (
        {"noise": corruptions.Chain()},
        "noise must be a corruption such as corruptions.Masking(0.3); got Chain(); in Chain",
    ),
    (
        {"a__b": corruptions.Gaussian()},
        "a corruption cannot be called 'a__b'; in Chain; a name without '__' that no method has",
    ),
    (
        {"member": corruptions.Gaussian()},
        "a corruption cannot be called 'member'; in Chain; a name without '__' that no method has",
    ),
    ({"noise": corruptions.Gaussian(-1)}, "amount must be a number >= 0; got -1; in Gaussian"),
]


@pytest.mark.parametrize(("parts", "message"), WRONG, ids=lambda v: next(iter(v)) if isinstance(v, dict) else "")
def test_wrong_chains(parts, message):
    with pytest.raises(SettingError) as caught:
        Autoencoder(corruption=corruptions.Chain(**parts)).fit(np.random.default_rng(0).normal(size=(20, 4)))
    assert str(caught.value) == message


@pytest.mark.parametrize("name", ["shift", "rotation", "elastic"])
def test_names_and_amounts(name):
    spec = corruptions.named(name, 3.0)
    assert type(spec).__name__.lower() == name
    assert next(iter(spec.get_params().values())) == 3.0


# --- in training -------------------------------------------------------------------------------------------------

X = images(120, (1, 6, 6)).numpy()
ALL = corruptions.Chain(moved=corruptions.Distortion(), noise=corruptions.Gaussian(0.1))


def estimator(corruption, **settings):
    steps = {"batch_size": 16, "max_epochs": 12, "random_state": 0, "input_shape": (1, 6, 6)}
    return Autoencoder(3, encoder=encoders.MLP((8,)), corruption=corruption, **steps | settings)


@pytest.mark.parametrize("spec", [*SPECS, ALL], ids=repr)
def test_steps_with_distortions_are_recorded_and_saved(spec, tmp_path):
    ae, eager = estimator(spec).fit(X), estimator(spec, engine="eager").fit(X)
    assert ae.engine_.startswith("recorded, ")
    np.testing.assert_allclose(ae.transform(X), eager.transform(X), rtol=0, atol=1e-8)
    ae.save(tmp_path)
    again = load(tmp_path)
    assert again.corruption == spec
    assert np.array_equal(again.transform(X), ae.transform(X))
    before = ae.module_.corruption(torch.as_tensor(X), generator())[0]
    assert torch.equal(again.module_.corruption(torch.as_tensor(X), generator())[0], before)


VARIED = {
    "pixels": lambda v: corruptions.Shift(3 * v),
    "parts of pixels": lambda v: corruptions.Shift(3 * v, whole=False),
    "degrees": lambda v: corruptions.Rotation(60 * v),
    "alpha": lambda v: corruptions.Elastic(30 * v, 2.0),
    "sigma": lambda v: corruptions.Elastic(9.0, 2 * v),
    "all": lambda v: corruptions.Distortion(v, 40 * v, v / 2, v, 20 * v, 3 * v),
    "chained": lambda v: corruptions.Chain(moved=corruptions.Shift(3 * v), noise=corruptions.Gaussian(v)),
}


@pytest.mark.parametrize("varied", VARIED)
def test_members_of_a_population_differ_in_their_amounts(varied):
    amounts = (0.4, 0.9)
    alone = [estimator(VARIED[varied](v)).fit(X) for v in amounts]
    together = [estimator(VARIED[varied](v)) for v in amounts]
    assert fit_together(together, X) == [None, None]
    for one, other in zip(alone, together, strict=True):
        assert "one by one" not in other.engine_
        np.testing.assert_allclose(one.transform(X), other.transform(X), rtol=0, atol=1e-8)
    assert together[0].history_[-1]["loss"] != together[1].history_[-1]["loss"], "the amount changes nothing"
