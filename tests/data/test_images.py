"""Folders of images: every colour mode, orientation and fault."""

import struct
import sys
import zlib

import numpy as np
import pytest

from isthmus.data import load_data
from isthmus.errors import DataError

Image = pytest.importorskip("PIL.Image")

GRAY = np.array([[0, 51, 102], [153, 204, 255]], dtype=np.uint8)  # 2 high, 3 wide
COLOUR = np.stack([GRAY, 255 - GRAY, GRAY // 2], axis=2)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    return tmp_path / "photos"


def one(mode):
    """A second image, so that the set is not constant."""
    return Image.new(mode, (3, 2))


def test_gray_and_colour(folder):
    Image.fromarray(GRAY).save(folder / "b.png")
    Image.fromarray(GRAY[::-1]).save(folder / "a.PNG")
    (folder / "notes.txt").write_text("not an image")
    (folder / ".hidden.png").write_text("nor this")
    dataset = load_data("photos")
    assert (dataset.name, dataset.input_shape, dataset.X.dtype) == ("photos", (1, 2, 3), np.float32)
    np.testing.assert_allclose(dataset.X, np.stack([GRAY[::-1], GRAY]).reshape(2, 6) / 255, rtol=1e-6)


def test_one_colour_image_makes_all_colour(folder):
    Image.fromarray(GRAY).save(folder / "a.png")
    Image.fromarray(COLOUR).save(folder / "b.png")
    dataset = load_data("photos")
    assert dataset.input_shape == (3, 2, 3)
    a, b = dataset.X.reshape(2, 3, 2, 3)
    np.testing.assert_allclose(a, np.stack([GRAY] * 3) / 255, rtol=1e-6)
    np.testing.assert_allclose(b, np.moveaxis(COLOUR, 2, 0) / 255, rtol=1e-6)


OPAQUE = np.dstack([COLOUR, np.full((2, 3), 255, dtype=np.uint8)])
SIXTEEN = (GRAY.astype(np.uint16) * 257 + 1).clip(0, 65535).astype(np.uint16)

MODES = {
    "palette": (Image.fromarray(COLOUR).quantize(), "a.png", np.moveaxis(COLOUR, 2, 0) / 255),
    "one bit": (Image.fromarray(GRAY > 128), "a.png", (GRAY > 128)[None]),
    "opaque alpha": (Image.fromarray(OPAQUE), "a.png", np.moveaxis(COLOUR, 2, 0) / 255),
    "gray with opaque alpha": (Image.fromarray(GRAY).convert("LA"), "a.png", GRAY[None] / 255),
    "16 bits": (Image.fromarray(SIXTEEN), "a.png", SIXTEEN[None] / 65535),
    "16 bits, tiff": (Image.fromarray(SIXTEEN), "a.tiff", SIXTEEN[None] / 65535),
    "cmyk": (
        Image.fromarray(COLOUR).convert("CMYK"),
        "a.tif",
        np.moveaxis(np.asarray(Image.fromarray(COLOUR).convert("CMYK").convert("RGB")), 2, 0) / 255,
    ),
    "gif": (Image.fromarray(GRAY), "a.gif", GRAY[None] / 255),
    "portable graymap": (Image.fromarray(GRAY), "a.pgm", GRAY[None] / 255),
    "lossless webp": (Image.fromarray(COLOUR), "a.webp", np.moveaxis(COLOUR, 2, 0) / 255),
}


@pytest.mark.parametrize(("image", "name", "expected"), MODES.values(), ids=MODES)
def test_colour_modes(folder, image, name, expected):
    image.save(folder / name, **({"lossless": True} if name.endswith("webp") else {}))
    dataset = load_data("photos")
    pixels = dataset.X[0].reshape(dataset.input_shape)
    np.testing.assert_allclose(pixels, np.broadcast_to(expected, pixels.shape), rtol=1e-6)


@pytest.mark.parametrize(
    ("orientation", "upright"), [(1, GRAY), (3, GRAY[::-1, ::-1]), (6, np.rot90(GRAY, -1)), (8, np.rot90(GRAY))]
)
def test_exif_orientation_is_undone(folder, orientation, upright):
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(GRAY).save(folder / "a.png", exif=exif)
    dataset = load_data("photos")
    assert dataset.input_shape == (1, *upright.shape)
    np.testing.assert_allclose(dataset.X[0].reshape(upright.shape), upright / 255, rtol=1e-6)


def test_folders_of_a_folder_are_classes(folder):
    for name, count in [("dog", 1), ("cat", 2)]:
        (folder / name).mkdir()
        for i in range(count):
            Image.fromarray(GRAY + np.uint8(i)).save(folder / name / f"{i}.png")
    dataset = load_data("photos")
    assert dataset.y.tolist() == [0, 0, 1]
    assert len(dataset.X) == 3


CURE = (
    "expected an opaque image; flatten it onto a background, or store its alpha channel in a npy file of shape "
    "(N, H, W, 4)"
)


def png(width, height, data, depth=8, colour=2):
    """A PNG written by hand, since Pillow writes no colours of 16 bits."""

    def chunk(name, content):
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    chunks = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def save_truncated(folder):
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64), dtype=np.uint8)).save(folder / "a.png")
    (folder / "a.png").write_bytes((folder / "a.png").read_bytes()[:-500])


def save_animation(folder):
    Image.fromarray(GRAY).save(folder / "a.gif", save_all=True, append_images=[Image.fromarray(255 - GRAY)])


def save_sizes(folder):
    for name, size in [("a.png", (3, 2)), ("b.png", (3, 2)), ("c.png", (2, 3))]:
        Image.new("L", size).save(folder / name)


def save_palette_with_a_hole(folder):
    Image.fromarray(GRAY).convert("P").save(folder / "a.png", transparency=0)


BAD = {
    "nothing": (
        lambda folder: (folder / "a.txt").write_text("x"),
        (
            "no images; in the folder photos; expected files ending in .png, .jpg, .jpeg, .bmp, .gif, .tif, .tiff, "
            ".webp, .ppm, .pgm, .pbm; check the path, or name one file in it"
        ),
    ),
    "foreign": (
        lambda folder: (folder / "a.png").write_text("not a PNG"),
        "truncated, damaged or of another kind; in photos/a.png; expected an image; make or fetch the file again",
    ),
    "empty": (
        lambda folder: (folder / "a.png").write_text(""),
        "an empty file; at photos/a.png; expected an image; make or fetch the file again",
    ),
    "mislabelled": (
        lambda folder: Image.fromarray(GRAY).save(folder / "a.png", format="JPEG"),
        (
            "content of the format JPEG; in photos/a.png; expected PNG, as its suffix says; "
            "rename it, or save it in the format of its suffix"
        ),
    ),
    "too many pixels": (
        lambda folder: (folder / "a.png").write_bytes(png(20_000, 20_000, b"")),
        "more pixels than can safely be read; in photos/a.png; expected at most 178,956,970; cut it up first",
    ),
    "all bad": (
        lambda folder: [(folder / name).write_text(name) for name in ("b.png", "a.png")],
        (
            "none of the 2 images can be used; in photos; expected images that can be read; "
            "the first is a.png: truncated, damaged or of another kind"
        ),
    ),
    "truncated": (
        save_truncated,
        "truncated, damaged or of another kind; in photos/a.png; expected an image; make or fetch the file again",
    ),
    "sizes": (
        save_sizes,
        (
            "images of different sizes: a.png is 3 × 2, c.png is 2 × 3; in the folder photos; "
            "expected one size (width × height), or to hear how to cut them; say --images tile:2 (tiles that cover "
            "each) or --images crop:2 (the centre of each); in Python, images='tile:2'"
        ),
    ),
    "transparent": (
        lambda folder: Image.fromarray(OPAQUE - np.uint8(9)).save(folder / "a.png"),
        f"transparent pixels; in photos/a.png; {CURE}",
    ),
    "transparent palette": (save_palette_with_a_hole, f"transparent pixels; in photos/a.png; {CURE}"),
    "animation": (
        save_animation,
        "2 frames; in photos/a.gif; expected a still image; save one frame as an image",
    ),
    "floats": (
        lambda folder: Image.fromarray(GRAY.astype(np.float32)).save(folder / "a.tiff"),
        "the colour mode F; in photos/a.tiff; expected gray, RGB, CMYK or a palette; save it as an RGB or gray PNG",
    ),
    "lab": (
        lambda folder: Image.new("LAB", (3, 2)).save(folder / "a.tiff"),
        "the colour mode LAB; in photos/a.tiff; expected gray, RGB, CMYK or a palette; save it as an RGB or gray PNG",
    ),
    "32 bits": (
        lambda folder: Image.fromarray(GRAY.astype(np.int32) * 1000).save(folder / "a.tiff"),
        (
            "pixels from 0 to 255000; in photos/a.tiff; expected 16 bits, 0 to 65535; "
            "rescale it and save it with 8 or 16 bits"
        ),
    ),
    "all the same": (
        lambda folder: [one("L").save(folder / f"{name}.png") for name in "ab"],
        (
            "every column is constant; in photos; expected at least one column that varies; "
            "check that this is the right file and the right columns"
        ),
    ),
}


@pytest.mark.parametrize(("save", "message"), BAD.values(), ids=BAD)
def test_bad_folders_are_told_in_one_line(folder, save, message):
    save(folder)
    with pytest.raises(DataError) as caught:
        load_data("photos")
    assert str(caught.value) == message


def test_without_pillow_the_extra_is_named(folder, monkeypatch):
    Image.fromarray(GRAY).save(folder / "a.png")
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(DataError) as caught:
        load_data("photos")
    assert str(caught.value) == (
        "Pillow is not installed; to read images; expected the package Pillow; pip install 'isthmus[report]'"
    )
