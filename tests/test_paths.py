"""Ways through codes: their ends, their pace, and the places where a naive arc divides by zero."""

import numpy as np
import pytest

from isthmus import paths
from isthmus.errors import DataError, SettingError

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("how", sorted(paths.HOW))
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_ends_are_kept_to_the_last_bit(how, dtype):
    a, b = RNG.normal(size=(2, 5, 7)).astype(dtype)
    way = paths.HOW[how](a, b, 4)
    assert way.shape == (5, 4, 7)
    assert way.dtype == dtype
    np.testing.assert_array_equal(way[:, 0], a)
    np.testing.assert_array_equal(way[:, -1], b)


def test_a_line_is_straight_and_even():
    a, b = RNG.normal(size=(2, 3, 4))
    way = paths.linear(a, b, 5)
    np.testing.assert_allclose(way[:, 2], (a + b) / 2)
    np.testing.assert_allclose(np.diff(way, axis=1), np.repeat(((b - a) / 4)[:, None], 4, axis=1))


def test_an_arc_turns_at_an_even_pace_and_its_length_changes_linearly():
    a, b = RNG.normal(size=(2, 20, 6))
    way = paths.spherical(a, b, 7)
    lengths = np.linalg.norm(way, axis=2)
    np.testing.assert_allclose(lengths, np.linspace(lengths[:, 0], lengths[:, -1], 7, axis=1))
    u = way / lengths[..., None]
    turns = np.arccos((u[:, 1:] * u[:, :-1]).sum(axis=2))
    whole = np.arccos((u[:, 0] * u[:, -1]).sum(axis=1))
    np.testing.assert_allclose(turns, np.repeat(whole[:, None] / 6, 6, axis=1), rtol=1e-6)
    corners = np.stack([u[:, 0], u[:, -1], u[:, 3]], axis=1)  # all in one plane through 0
    np.testing.assert_allclose(np.linalg.svd(corners)[1][:, 2], 0, atol=1e-12)


def test_a_quarter_of_a_circle():
    way = paths.spherical([[2.0, 0.0]], [[0.0, 2.0]], 3)
    np.testing.assert_allclose(way[0, 1], [np.sqrt(2), np.sqrt(2)])


def test_of_two_gaussian_codes_the_arc_stays_as_long_and_the_line_does_not():
    a, b = RNG.normal(size=(2, 200, 64))
    middle = [np.linalg.norm(way(a, b, 3)[:, 1], axis=1).mean() / 8 for way in (paths.spherical, paths.linear)]
    assert middle[0] == pytest.approx(1, abs=0.02)
    assert middle[1] == pytest.approx(np.sqrt(0.5), abs=0.02)


def test_parallel_codes_go_straight():
    a = RNG.normal(size=(4, 5))
    np.testing.assert_allclose(paths.spherical(a, 3 * a, 5), paths.linear(a, 3 * a, 5))
    np.testing.assert_allclose(paths.spherical(a, a, 5), np.repeat(a[:, None], 5, axis=1))
    near = a * (1 + 1e-9 * RNG.normal(size=a.shape))
    np.testing.assert_allclose(paths.spherical(a, near, 5), paths.linear(a, near, 5), rtol=1e-7)


@pytest.mark.parametrize("size", [2, 3, 8])
def test_opposite_codes_turn_round_without_passing_zero(size):
    a = RNG.normal(size=(6, size))
    way = paths.spherical(a, -a, 5)
    np.testing.assert_allclose(np.linalg.norm(way, axis=2), np.repeat(np.linalg.norm(a, axis=1)[:, None], 5, axis=1))
    np.testing.assert_allclose((way[:, 2] * a).sum(axis=1), 0, atol=1e-12)
    np.testing.assert_array_equal(way, paths.spherical(a, -a, 5))


def test_codes_at_zero_and_codes_of_one_number():
    zero, a = np.zeros((1, 3)), RNG.normal(size=(1, 3))
    np.testing.assert_allclose(paths.spherical(zero, a, 5), paths.linear(zero, a, 5))
    np.testing.assert_allclose(paths.spherical(a, zero, 5), paths.linear(a, zero, 5))
    np.testing.assert_array_equal(paths.spherical(zero, zero, 3), np.zeros((1, 3, 3)))
    one = paths.spherical([[1.0]], [[-3.0]], 5)[0, :, 0]
    assert np.isfinite(one).all()
    np.testing.assert_allclose(one[[0, 2, 4]], [1, 0, -3], atol=1e-12)


def test_a_traversal_sets_one_number():
    z = RNG.normal(size=(4, 3)).astype(np.float32)
    way = paths.traversal(z, 1, [-1, 0, 2])
    assert way.dtype == np.float32
    np.testing.assert_array_equal(way[:, :, 1], np.tile([-1, 0, 2], (4, 1)))
    for other in (0, 2):
        np.testing.assert_array_equal(way[:, :, other], np.repeat(z[:, [other]], 3, axis=1))


FAULTS = [
    (lambda: paths.linear([[1.0]], [[1.0]], 1), SettingError, "steps must be a whole number >= 2; got 1; in a path"),
    (
        lambda: paths.spherical([[1.0, 2.0]], [[1.0]], 3),
        DataError,
        "codes of shapes (1, 2) and (1, 1); in a path; two of one shape, (P, K)",
    ),
    (
        lambda: paths.traversal([[1.0, 2.0]], 2, [0]),
        DataError,
        "unit 2 of codes of shape (1, 2); in a traversal; codes (N, K), a unit below K",
    ),
]


@pytest.mark.parametrize(("act", "kind", "message"), FAULTS)
def test_what_does_not_fit_is_one_line(act, kind, message):
    with pytest.raises(kind) as caught:
        act()
    assert str(caught.value) == message
