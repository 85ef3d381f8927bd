"""Photos against Pillow's, patches and tiles against the photos that they are cut of."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from isthmus.data.photos import bundled, cropped, in_bytes, patches, read_photos, tiles, untiled
from isthmus.errors import DataError


def test_tiles_are_the_photo_and_patches_are_pieces_of_it():
    photo = np.arange(7 * 11, dtype=np.uint8).reshape(7, 11)
    np.testing.assert_array_equal(tiles(photo, 3)[0], photo[:3, :3].ravel())
    np.testing.assert_array_equal(untiled(tiles(photo, 3), photo, 3), cropped(photo, 3))
    assert cropped(photo, 3).shape == (6, 9)
    cut = patches([photo], 20, 3, np.random.default_rng(0)).reshape(20, 3, 3)
    np.testing.assert_array_equal(cut - cut[:, :1, :1], np.tile(photo[:3, :3] - 0.0, (20, 1, 1)))


def test_photos_are_gray_and_as_pillow_reads_them():
    photos = {name: in_bytes(photo) for name, photo in (bundled("skimage") | bundled("sklearn")).items()}
    assert {"camera", "chelsea", "china"} <= set(photos)
    assert photos["camera"].shape == (512, 512)
    from sklearn.datasets import load_sample_image

    expected = np.asarray(Image.fromarray(load_sample_image("china.jpg")).convert("L"), int)
    assert np.abs(photos["china"] - expected).max() <= 1  # Pillow's luma is in whole numbers


def test_photos_of_a_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("ISTHMUS_DATA", str(tmp_path))
    with pytest.raises(DataError) as caught:
        read_photos("natural")
    assert str(caught.value) == (
        f"there is no photo; in {tmp_path / 'natural'}; expected photos; put some there, without loss"
    )
    (tmp_path / "natural").mkdir()
    Image.new("RGB", (5, 4), (255, 0, 0)).save(tmp_path / "natural" / "red.png")
    found = read_photos("natural")
    assert list(found) == ["red"]
    np.testing.assert_array_equal(found["red"], np.full((4, 5), 0.299 * 255))
    np.testing.assert_array_equal(in_bytes(found["red"]), np.full((4, 5), 76, np.uint8))


def test_patches_are_windows_of_the_photos_as_many_of_each_and_none_from_the_margin():
    photos = [np.arange(400.0).reshape(20, 20), 1000 + np.arange(500.0).reshape(20, 25)]
    found = patches(photos, 101, 5, np.random.default_rng(0), margin=3)
    assert found.shape == (101, 25)
    found = found.reshape(-1, 5, 5)
    assert (found[:, 0, 0] < 1000).sum() == 51
    for patch in found:
        own = photos[int(patch[0, 0] >= 1000)]
        top, left = np.argwhere(own == patch[0, 0])[0]
        np.testing.assert_array_equal(patch, own[top : top + 5, left : left + 5])
        assert 3 <= top <= own.shape[0] - 8
        assert 3 <= left <= own.shape[1] - 8
    assert len(np.unique(found[:, 0, 0])) > 50
    np.testing.assert_array_equal(found.reshape(-1, 25), patches(photos, 101, 5, np.random.default_rng(0), margin=3))


@pytest.mark.parametrize("photos", [[], [np.eye(30), np.eye(9)]])
def test_photos_that_are_too_small_are_refused(photos):
    with pytest.raises(DataError) as caught:
        patches(photos, 10, 8, np.random.default_rng(0), margin=1)
    assert str(caught.value) == "no photo that is large enough; in patches; photos of 10 pixels a side or more"
