"""Generated shapes measured in their pixels, and dSprites read from a file of its layout."""

import numpy as np
import pytest

from isthmus.data import describe_sets, load_data, shapes, sprites
from isthmus.errors import DataError, SettingError

AREAS = np.array([2 * 2 * 0.5, np.pi * 0.5, 0.5 * 1.5 * 2 * 0.75])  # of a half length of 1: 2 × 1, ellipse, triangle


@pytest.fixture(scope="module")
def drawn():
    return shapes.generate(400, side=32, random_state=3)


def moments(rows, side):
    """Area, centre and covariance of the white, in shares of the side."""
    images = rows.reshape(-1, side, side).astype(float)
    at = (np.arange(side) + 0.5) / side
    area = images.mean(axis=(1, 2))
    x, y = (images.mean(axis=axis) @ at / side / area for axis in (1, 2))
    across, down = at[None, None, :] - x[:, None, None], at[None, :, None] - y[:, None, None]
    spread = [(images * part).mean(axis=(1, 2)) / area for part in (across**2, down**2, across * down)]
    return area, x, y, spread


def test_a_shape_covers_its_area_around_its_centre(drawn):
    rows, factors = drawn
    area, x, y, _ = moments(rows, 32)
    length = np.linspace(*shapes.SCALES, 4)[factors[:, 1]]
    np.testing.assert_allclose(area, AREAS[factors[:, 0]] * length**2, rtol=0.06)
    np.testing.assert_allclose(x, np.linspace(*shapes.PLACES, 8)[factors[:, 3]], atol=0.004)
    np.testing.assert_allclose(y, np.linspace(*shapes.PLACES, 8)[factors[:, 4]], atol=0.004)


def test_long_shapes_lie_along_their_orientation(drawn):
    rows, factors = drawn
    _, _, _, (xx, yy, xy) = moments(rows, 32)
    angle = 0.5 * np.arctan2(2 * xy, xx - yy)  # of the longer axis
    long = factors[:, 0] < 2
    wanted = np.linspace(*shapes.ANGLES, 8)[factors[long, 2]]
    missed = np.abs(np.angle(np.exp(2j * (angle[long] - wanted)))) / 2
    assert missed.max() < np.radians(3)


def test_a_triangle_points_along_its_orientation():
    rows, _ = shapes.generate(side=64, levels=(3, 1, 2, 1, 1))
    right, down = rows[-2:].reshape(2, 64, 64)
    heights = right.sum(axis=0)
    assert heights.argmax() < np.flatnonzero(heights).mean()  # the base is on the left
    np.testing.assert_allclose(right, down.T, atol=1e-6)


def test_pixels_are_shares(drawn):
    images = drawn[0].reshape(-1, 32, 32)
    assert images.min() == 0
    assert images.max() == 1
    assert np.mean(((images > 0) & (images < 1)).any(axis=(1, 2))) > 0.99  # edges are soft


def test_the_grid_has_every_combination_once():
    rows, factors = shapes.generate(side=8, levels=(2, 3, 2, 4, 3))
    assert (rows.shape, rows.dtype, factors.dtype) == ((144, 64), np.float32, np.int64)
    np.testing.assert_array_equal(factors, list(np.ndindex(2, 3, 2, 4, 3)))


def test_every_image_of_the_named_set_is_its_own():
    dataset = load_data("shapes")
    assert dataset.input_shape == (1, 16, 16)
    assert len(np.unique(dataset.X, axis=0)) == len(dataset.X) == 6144
    np.testing.assert_array_equal(dataset.y, np.repeat([0, 1, 2], 2048))


def test_draws_are_independent_uniform_and_of_their_seed():
    rows, factors = shapes.generate(3000, side=4, levels=(3, 4, 2, 5, 6))
    assert [len(np.unique(column)) for column in factors.T] == [3, 4, 2, 5, 6]
    correlations = np.corrcoef(factors.T)[np.triu_indices(5, 1)]
    assert np.abs(correlations).max() < 4 / np.sqrt(3000)
    for column in factors.T:
        counts = np.bincount(column)
        assert np.abs(counts - counts.mean()).max() < 4 * np.sqrt(counts.mean())
    again, other = (shapes.generate(3000, side=4, levels=(3, 4, 2, 5, 6), random_state=s)[0] for s in (0, 1))
    assert np.array_equal(rows, again)
    assert not np.array_equal(rows, other)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n": 0}, "n must be one of None or a whole number >= 1; got 0"),
        ({"side": 3}, "side must be a whole number >= 4; got 3"),
        ({"levels": (3, 0, 1, 1, 1)}, "levels must be a sequence, each a whole number >= 1; got (3, 0, 1, 1, 1)"),
        ({"levels": (3, 2)}, "levels must be a whole number >= 5 and <= 5; got 2"),
        ({"levels": (4, 1, 1, 1, 1)}, "shapes must be a whole number >= 1 and <= 3; got 4"),
        ({"random_state": -1}, "random_state must be a whole number >= 0; got -1"),
    ],
)
def test_wrong_settings(settings, message):
    with pytest.raises(SettingError) as caught:
        shapes.generate(**settings)
    assert str(caught.value) == f"{message}; in shapes.generate"


# dSprites

COMBINATIONS = np.array(list(np.ndindex(1, 3, 2, 2, 3, 4)))


@pytest.fixture
def published(tmp_path, monkeypatch):
    """A small file of the same layout, whose `metadata` can only be unpickled, and the images in it."""
    path = tmp_path / "dsprites" / sprites.FILE
    path.parent.mkdir()
    images = np.random.default_rng(0).integers(0, 2, (len(COMBINATIONS), 8, 8), dtype=np.uint8)
    values = COMBINATIONS / 2.0
    metadata = np.array({"author": "nobody"}, dtype=object)
    np.savez(path, metadata=metadata, imgs=images, latents_values=values, latents_classes=COMBINATIONS)
    monkeypatch.setenv("ISTHMUS_DATA", str(tmp_path))
    return path, images


def test_sprites_come_with_their_factors(published):
    path, images = published
    rows, factors = sprites.read_sprites(path)
    assert (rows.dtype, factors.dtype) == (np.float32, np.int64)
    np.testing.assert_array_equal(rows, images.reshape(len(images), 64))
    np.testing.assert_array_equal(factors, COMBINATIONS[:, 1:])


def test_some_sprites_are_drawn_each_once(published):
    path, images = published
    rows, factors = sprites.read_sprites(path, 50)
    places = [np.flatnonzero((COMBINATIONS[:, 1:] == own).all(axis=1)).item() for own in factors]
    assert len(set(places)) == 50
    np.testing.assert_array_equal(rows, images[places].reshape(50, 64))
    assert np.array_equal(rows, sprites.read_sprites(path, 50)[0])
    assert not np.array_equal(rows, sprites.read_sprites(path, 50, random_state=1)[0])


def test_the_named_set_is_read_from_isthmus_data(published, monkeypatch):
    monkeypatch.setattr(sprites, "ROWS", 40)
    dataset = load_data("dsprites")
    assert (dataset.X.shape, dataset.input_shape, dataset.name) == ((40, 64), (1, 8, 8), "dsprites")
    np.testing.assert_array_equal(dataset.y, sprites.read_sprites(published[0], 40)[1][:, 0])
    assert {info.name: info.present for info in describe_sets()}["dsprites"]


def test_a_file_that_is_not_there(tmp_path, monkeypatch):
    monkeypatch.setenv("ISTHMUS_DATA", str(tmp_path))
    with pytest.raises(DataError) as caught:
        load_data("dsprites")
    assert str(caught.value) == (
        f"the file of dSprites is not there; at {tmp_path / 'dsprites' / sprites.FILE}; expected the npz file as "
        "published; put it there, from github.com/google-deepmind/dsprites-dataset"
    )
    assert not {info.name: info.present for info in describe_sets()}["dsprites"]


FOREIGN = [
    ({"imgs": np.zeros((2, 4, 4))}, "no array 'latents_classes'"),
    ({"latents_classes": np.zeros((2, 6))}, "no array 'imgs'"),
    (
        {"imgs": np.zeros((2, 4, 4)), "latents_classes": np.zeros((3, 6))},
        "imgs of shape (2, 4, 4) and latents_classes of shape (3, 6)",
    ),
    (
        {"imgs": np.zeros((2, 16)), "latents_classes": np.zeros((2, 6))},
        "imgs of shape (2, 16) and latents_classes of shape (2, 6)",
    ),
]


@pytest.mark.parametrize(("arrays", "what"), FOREIGN, ids=[what for _, what in FOREIGN])
def test_other_arrays(arrays, what, tmp_path):
    path = tmp_path / "own.npz"
    np.savez(path, **arrays)
    with pytest.raises(DataError) as caught:
        sprites.read_sprites(path)
    assert str(caught.value) == (
        f"{what}; in {path}; expected imgs, (N, H, W), and latents_classes, (N, 6); fetch the file of dSprites again"
    )


def test_a_single_array(tmp_path):
    path = tmp_path / "own.npz"
    with path.open("wb") as file:
        np.save(file, np.zeros((2, 4, 4)))
    with pytest.raises(DataError, match=r"^no array 'imgs'; in "):
        sprites.read_sprites(path)


def test_a_damaged_file(published):
    path, _ = published
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(DataError) as caught:
        sprites.read_sprites(path)
    assert str(caught.value) == (
        f"truncated, damaged or of another kind; in {path}; expected the npz file of dSprites; "
        "make or fetch the file again"
    )
