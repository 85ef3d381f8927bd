"""Distorted pictures against torch's sampling of the same points, SciPy's zoom, and transformations known by heart."""

import itertools

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.ndimage import zoom

from isthmus.data import distorted
from isthmus.data.distorted import BLOCK, CHANGES, KNOTS
from isthmus.errors import DataError, SettingError

rng = np.random.default_rng(3)
P, Y = rng.uniform(size=(12, 8, 8)).astype(np.float32), np.arange(12)
STILL = np.zeros((12, 2, KNOTS, KNOTS))


def changed(n=12, **changes):
    """Rows of changes, (n, 6), 0 but for these."""
    return np.array([[changes.get(name, 0.0) for name in CHANGES]] * n)


def read(pictures, changes, knots=STILL, side=8):
    return distorted.distort(pictures, changes, knots, side).reshape(len(pictures), side, side)


def test_nothing_changes_where_nothing_is_asked():
    np.testing.assert_allclose(read(P, changed()), P, atol=1e-6)


def test_enlarging_is_scipys():
    wanted = zoom(np.pad(P, ((0, 0), (1, 1), (1, 1))), (1, 2, 2), order=1, mode="grid-constant", grid_mode=True)
    np.testing.assert_allclose(read(np.pad(P, ((0, 0), (1, 1), (1, 1))), changed(), side=20), wanted, atol=1e-5)


@pytest.mark.parametrize("quarters", [-1, 1, 2])
def test_quarter_turns_are_counter_clockwise(quarters):
    np.testing.assert_allclose(read(P, changed(turn=90.0 * quarters)), np.rot90(P, quarters, axes=(1, 2)), atol=1e-5)


def test_moves_are_to_the_right_and_down():
    moved = read(P, changed(right=2 / 8, down=-1 / 8))
    np.testing.assert_allclose(moved[:, :-1, 2:], P[:, 1:, :-2], atol=1e-5)
    assert not moved[:, -1].any()
    assert not moved[:, :, :2].any()


def test_the_field_moves_where_pixels_are_read():
    """Knots that are all alike move the picture; of a cubic between knots the rows of the matrix add up to 1."""
    knots = np.zeros((12, 2, KNOTS, KNOTS))
    knots[:, 0] = 1 / 8
    np.testing.assert_allclose(read(P, changed(), knots), read(P, changed(right=-1 / 8)), atol=1e-5)
    knots = np.zeros((12, 2, KNOTS, KNOTS))
    knots[:, 1] = np.linspace(0, 3 / 8, KNOTS)[:, None]  # lower rows read further down
    bent = read(P, changed(), knots)
    ramp = np.arange(8)[:, None] * (1 + 3 / 7) + 0 * np.arange(8)
    below = np.floor(ramp[:, 0] + 1e-9).astype(int)
    for row, (at, start) in enumerate(zip(ramp[:, 0], below, strict=True)):
        share = at - start
        known = [P[:, k] if k < 8 else np.zeros((12, 8)) for k in (start, start + 1)]
        np.testing.assert_allclose(bent[:, row], (1 - share) * known[0] + share * known[1], atol=1e-5)


def test_a_slanted_stroke_leans_to_the_right_and_a_wider_one_is_wider():
    stroke = np.zeros((1, 16, 16), dtype=np.float32)
    stroke[:, :, 7:9] = 1
    top, bottom = (read(stroke, changed(1, slant=0.5), STILL[:1], 16)[0, row] @ np.arange(16) / 2 for row in (0, -1))
    assert top - bottom == pytest.approx(0.5 * 15, abs=1e-4)
    assert read(stroke, changed(1, width=np.log(2)), STILL[:1], 16)[0, 8].sum() == pytest.approx(4, abs=1e-5)


def test_all_at_once_is_what_torch_samples():
    """The order of the changes, as a product of matrices that each say what is done to the picture."""
    low, high = np.array(list(CHANGES.values())).T
    changes = rng.uniform(low, high, (12, 6))
    turn, width, height, slant, right, down = changes.T
    cos, sin = np.cos(np.radians(turn)), np.sin(np.radians(turn))
    zero, one = np.zeros(12), np.ones(12)
    stretch = np.array([[np.exp(width), zero], [zero, np.exp(height)]])
    lean = np.array([[one, -slant], [zero, one]])  # y is down: what lies above is pushed to the right
    spin = np.array([[cos, sin], [-sin, cos]])
    done = np.einsum("ijn,jkn,kln->nil", spin, lean, stretch)
    undone = np.linalg.inv(done)
    offset = -np.einsum("nij,jn->ni", undone, 2 * np.array([right, down]))  # torch's squares are 2 wide
    theta = torch.as_tensor(np.concatenate([undone, offset[:, :, None]], axis=2))
    grid = F.affine_grid(theta, [12, 1, 20, 20], align_corners=False)
    wanted = F.grid_sample(torch.as_tensor(P[:, None], dtype=torch.float64), grid, align_corners=False)[:, 0]
    np.testing.assert_allclose(read(P, changes, side=20), wanted, atol=1e-5)


def test_rows_are_float_in_the_pictures_range_with_their_own_labels():
    X, y = distorted.generate(500, P, Y + 5, side=10, random_state=4)
    assert (X.shape, X.dtype, y.dtype) == ((500, 100), np.float32, np.int64)
    assert 0 <= X.min() < X.max() <= 1
    assert set(y) == set(Y + 5)
    still, which = distorted.generate(500, P, Y, side=8, strength=0.0, random_state=4)
    np.testing.assert_allclose(still, P.reshape(12, -1)[which], atol=1e-6)


def test_fewer_are_the_beginning_of_more_and_other_seeds_are_others():
    X, y = distorted.generate(BLOCK + 10, P, Y)
    for n in (1, 7, BLOCK):
        fewer, few = distorted.generate(n, P, Y)
        np.testing.assert_array_equal(fewer, X[:n])
        np.testing.assert_array_equal(few, y[:n])
    assert not np.array_equal(X[:10], X[BLOCK:])
    assert not np.array_equal(distorted.generate(10, P, Y, random_state=1)[0], X[:10])


def test_a_stream_has_no_end_and_makes_a_block_at_a_time():
    blocks = [rows for rows, _ in itertools.islice(distorted.stream(P, Y, side=8), 3)]
    assert [rows.shape for rows in blocks] == [(BLOCK, 64)] * 3
    np.testing.assert_array_equal(
        np.concatenate(blocks)[: 2 * BLOCK + 5], distorted.generate(2 * BLOCK + 5, P, Y, 8)[0]
    )


def test_strength_multiplies_every_change():
    """One bright pixel in the middle: how far its centre of mass strays grows as the strength does."""
    dot = np.zeros((1, 9, 9), dtype=np.float32)
    dot[0, 4, 4] = 1
    strays = []
    for strength in (0.25, 0.5, 1.0):
        X, _ = distorted.generate(1000, dot, [0], 27, strength)
        across = X.reshape(-1, 27, 27).sum(axis=1)
        strays.append(np.std(across @ (np.arange(27) - 13) / across.sum(axis=1)))
    np.testing.assert_allclose(np.divide(strays, strays[0]), [1, 2, 4], rtol=0.03)
    assert strays[-1] / 27 == pytest.approx(np.hypot(0.3 / np.sqrt(12), 0.02), rel=0.12)  # moved, and bent a little


@pytest.mark.parametrize(
    ("pictures", "labels", "shapes"),
    [
        (P, Y[:3], "(12, 8, 8) and labels of shape (3,), int64"),
        (P[:0], Y[:0], "(0, 8, 8) and labels of shape (0,), int64"),
        (P, Y / 2, "(12, 8, 8) and labels of shape (12,), float64"),
        (P[0], Y[:8], "(8, 8) and labels of shape (8,), int64"),
    ],
)
def test_other_rows_are_refused(pictures, labels, shapes):
    with pytest.raises(DataError) as caught:
        distorted.stream(pictures, labels)
    wanted = "expected (M, H, W) with M >= 1, and (M,) whole numbers"
    assert str(caught.value) == f"pictures of shape {shapes}; in distorted.stream; {wanted}"


def test_wrong_settings_are_refused_at_once():
    with pytest.raises(SettingError) as caught:
        distorted.stream(P, Y, side=3, strength=-1, random_state=-1)
    for part in ("side must be a whole number >= 4; got 3", "strength must be a number >= 0; got -1", "got -1"):
        assert part in str(caught.value)
    with pytest.raises(SettingError, match="n must be a whole number >= 1; got 0"):
        distorted.generate(0, P, Y)
