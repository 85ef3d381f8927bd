"""Tiles and their blending: the identity comes back, unequal results meet without a seam, memory stays bounded."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isthmus.data.tiles import bands, blended, mirrored, shares, spread, starts, tiling

sides = st.integers(1, 40)


@st.composite
def layouts(draw):
    """A picture's size, a tile's, and an overlap of at most half of it."""
    size, tile = (draw(sides), draw(sides)), (draw(st.integers(1, 17)), draw(st.integers(1, 17)))
    return size, tile, tuple(draw(st.integers(0, side // 2)) for side in tile)


@settings(max_examples=150, deadline=None)
@given(layouts(), st.integers(1, 3), st.integers(0, 2**32 - 1))
def test_the_identity_gives_the_picture_back(layout, channels, seed):
    size, tile, overlap = layout
    picture = np.random.default_rng(seed).random((channels, *size), dtype=np.float32)
    found = blended(picture, tile, overlap, lambda tiles: tiles)
    assert (found.shape, found.dtype) == (picture.shape, np.float32)
    np.testing.assert_allclose(found, picture, rtol=0, atol=1e-6)


@settings(max_examples=150, deadline=None)
@given(layouts(), st.integers(0, 2**32 - 1))
def test_blending_is_the_weighted_mean_of_all_tiles(layout, seed):
    """Against a plain sum over whole pictures: numerator and denominator of raised cosines."""
    size, tile, overlap = layout
    picture = np.random.default_rng(seed).random((1, *size))
    values = np.random.default_rng(seed + 1).random(10_000)
    wide = mirrored(picture, tile)
    above, below = np.zeros(wide.shape[1:]), np.zeros(wide.shape[1:])

    def window(first, extent, side, lap):
        """From the distances to the tile's ends, which at the picture's borders are far away."""
        before = np.arange(side) + 0.5 if first > 0 else np.inf
        after = np.arange(side)[::-1] + 0.5 if first + side < extent else np.inf
        ends = np.minimum(np.minimum(before, after), lap)
        return 0.5 - 0.5 * np.cos(np.pi * np.broadcast_to(ends, side) / lap) if lap else np.ones(side)

    down, across = tiling(size, tile, overlap)
    for i, (top, left) in enumerate((top, left) for top in down for left in across):
        weight = np.outer(*map(window, (top, left), wide.shape[1:], tile, overlap))
        above[top : top + tile[0], left : left + tile[1]] += weight * values[i]
        below[top : top + tile[0], left : left + tile[1]] += weight
    count = iter(values)
    constant = blended(
        picture, tile, overlap, lambda tiles: np.stack([np.full((1, *tile), next(count)) for _ in tiles])
    )
    np.testing.assert_allclose(constant[0], (above / below)[: size[0], : size[1]], rtol=0, atol=1e-6)


@settings(max_examples=300, deadline=None)
@given(sides, sides, st.data())
def test_places_cover_everything_once_inside(extent, tile, data):
    tile = min(tile, extent)
    overlap = data.draw(st.integers(0, tile // 2))
    even, strided = spread(extent, tile, overlap), starts(extent, tile, tile - overlap)
    for first in (even, strided):
        assert (first[0], first[-1]) == (0, extent - tile)
        assert np.all(np.diff(first) >= 1)
        assert np.all(np.diff(first) <= tile - overlap)  # neighbours overlap so far at least
    assert np.all(np.diff(strided)[:-1] == tile - overlap)
    assert len(even) == len(strided)
    assert np.ptp(np.diff(even)) <= 1 if len(even) > 1 else True


@settings(max_examples=300, deadline=None)
@given(st.integers(1, 90), st.integers(2, 24), st.data())
def test_shares_sum_to_1_and_turn_no_faster_than_the_cosine(extent, tile, data):
    """Half the sum of their steps bounds how fast a blend of results of range 1 can turn."""
    overlap = data.draw(st.integers(1, tile // 2))
    extent = max(extent, tile)
    first = spread(extent, tile, overlap)
    whole = np.zeros((len(first), extent))
    for row, left, share in zip(whole, first, shares(first, extent, tile, overlap), strict=True):
        row[left : left + tile] = share
    assert whole.min() >= 0
    np.testing.assert_allclose(whole.sum(axis=0), 1, rtol=1e-12)
    turning = np.abs(np.diff(whole, axis=1)).sum(axis=0) / 2
    assert np.all(turning <= 1.03 * np.sin(np.pi / (2 * overlap)))  # whole pixels cost the 3 %


def planes(size, tile, overlap):
    """A smooth picture whose every tile comes back with a constant of its own added, from -0.1 to 0.1."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[: size[0], : size[1]].astype(np.float32)
    picture = (0.5 + 0.3 * np.sin(x / 19) * np.cos(y / 23))[None]
    return picture, blended(picture, tile, overlap, lambda t: t + rng.uniform(-0.1, 0.1, (len(t), 1, 1, 1)))


def test_tiles_that_disagree_leave_no_seam():
    tile, overlap, size = (24, 32), (12, 16), (233, 311)
    picture, found = planes(size, tile, overlap)
    error = (found - picture)[0]
    assert error.std() > 0.02  # the constants are there
    borders = tiling(size, tile, overlap)
    for axis, lap in enumerate(overlap):
        step = np.abs(np.diff(error, axis=axis))
        bound = 0.2 * 1.03 * np.sin(np.pi / (2 * lap)) + 1e-6
        assert step.max() <= bound
        edges = np.unique([border + shift for border in borders[axis] for shift in (-1, tile[axis] - 1)])
        edges = edges[(edges >= 0) & (edges < size[axis] - 1)]
        at_edges = np.take(step, edges, axis=axis)
        assert at_edges.max() <= step.max() / 4  # a window begins and ends flat: changes lie between the borders


def test_without_overlap_the_same_tiles_do_leave_a_seam():
    """So that the test above can fail."""
    picture, found = planes((233, 311), (24, 32), (0, 0))
    step = np.abs(np.diff((found - picture)[0], axis=1))
    assert step.max() > 0.2 * np.sin(np.pi / 32) * 4


def test_memory_grows_with_the_width_not_with_the_height():
    """A picture of 6 million bytes through bands of 24 rows; what restores holds a few tiles."""
    picture = np.zeros((3, 2500, 800), np.uint8)
    most = 0

    def restore(tiles):
        nonlocal most
        most = max(most, tiles.size)
        return tiles * np.float32(1 / 255)

    tracemalloc.start()
    rows = sum(band.shape[1] for band in bands(picture, (24, 24), (12, 12), restore))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert rows == 2500
    assert most <= 66 * 3 * 24 * 24  # the tiles of one row
    assert peak < 4_000_000, "a whole float32 picture would be 24 MB"


def test_a_row_of_tiles_is_restored_some_at_a_time(monkeypatch):
    monkeypatch.setattr("isthmus.data.tiles.NUMBERS", 3 * 8 * 8 * 5)
    picture = np.random.default_rng(0).random((3, 20, 200), dtype=np.float32)
    sizes = []

    def restore(tiles):
        sizes.append(len(tiles))
        return tiles

    np.testing.assert_allclose(blended(picture, (8, 8), (4, 4), restore), picture, rtol=0, atol=1e-6)
    assert max(sizes) == 5


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (9, 1), (3, 2)])
def test_pictures_smaller_than_a_tile_are_reflected(size):
    picture = np.arange(size[0] * size[1], dtype=np.float32).reshape(1, *size)
    seen = []

    def restore(tiles):
        seen.append(tiles[0, 0])
        return tiles

    np.testing.assert_allclose(blended(picture, (7, 7), (3, 3), restore), picture, rtol=0, atol=1e-6)
    assert seen[0].shape == (7, 7)
    column, row = seen[0][:, 0], seen[0][0]
    if size == (3, 2):
        assert (column.tolist(), row.tolist()) == ([0, 2, 4, 2, 0, 2, 4], [0, 1, 0, 1, 0, 1, 0])


def test_other_channels_may_come_back():
    picture = np.random.default_rng(0).random((3, 30, 30), dtype=np.float32)
    found = blended(picture, (8, 8), (4, 4), lambda tiles: tiles.mean(axis=1, keepdims=True))
    np.testing.assert_allclose(found, picture.mean(axis=0, keepdims=True), rtol=0, atol=1e-6)
