"""Folders of images of mixed sizes and of damaged ones: tiles, crops, what is left out, how much memory is taken."""

import io
import struct
import zlib

import numpy as np
import pytest

from isthmus.data import ImageOptions, Skipped, load_data
from isthmus.data.pictures import Picture, read_picture, write_picture
from isthmus.errors import DataError, IsthmusError, SettingError

Image = pytest.importorskip("PIL.Image")

RNG = np.random.default_rng(0)
WIDE = RNG.integers(0, 256, (20, 33), dtype=np.uint8)  # H W
TALL = RNG.integers(0, 256, (41, 17, 3), dtype=np.uint8)
SMALL = RNG.integers(0, 256, (5, 30), dtype=np.uint8)


@pytest.fixture(autouse=True)
def photos(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    return tmp_path / "photos"


@pytest.fixture
def mixed(photos):
    Image.fromarray(WIDE).save(photos / "a.png")
    Image.fromarray(TALL).save(photos / "b.png")
    return photos


def test_tiles_cover_every_image(mixed):
    dataset = load_data("photos", images="tile:16x8")
    assert dataset.input_shape == (3, 8, 16)
    tops, lefts = (0, 8, 12), (0, 16, 17)  # of the wide image: the last row and the last two columns are moved inwards
    wide = [WIDE[top : top + 8, left : left + 16] for top in tops for left in lefts]
    tall = [TALL[top : top + 8, left : left + 16] for top in (0, 8, 16, 24, 32, 33) for left in (0, 1)]
    expected = [np.stack([part] * 3) for part in wide] + [np.moveaxis(part, 2, 0) for part in tall]
    np.testing.assert_allclose(dataset.X, np.stack(expected).reshape(21, -1) / 255, rtol=1e-6)
    assert dataset.notes == ("2 images cut into 21 tiles of 16 × 8",)
    assert str(dataset.images) == "tile:16x8,channels=3"


def test_a_stride_lays_tiles_over_each_other(mixed):
    dataset = load_data("photos", images=ImageOptions((16, 16), "tile", stride=(4, 16), channels=1))
    assert len(dataset.X) == 2 * 3 + 8 * 2
    first = dataset.X[:6].reshape(6, 16, 16)
    for tile, (top, left) in zip(first, [(top, left) for top in (0, 4) for left in (0, 16, 17)], strict=True):
        np.testing.assert_allclose(tile, WIDE[top : top + 16, left : left + 16] / 255, rtol=1e-6)


def test_gray_is_pillow_s_gray(mixed):
    dataset = load_data("photos", images="crop:16,channels=1")
    gray = np.asarray(Image.fromarray(TALL).convert("L"))[12:28, 0:16]
    np.testing.assert_allclose(dataset.X[1].reshape(16, 16), gray / 255, atol=0.51 / 255)
    assert dataset.notes == ("the centre of 2 images taken, 16 × 16", "1 colour image made gray")


def test_crops_are_centres_and_small_images_are_reflected(mixed):
    Image.fromarray(SMALL).save(mixed / "c.png")
    dataset = load_data("photos", images="crop:10x6,channels=3")
    assert dataset.notes[1] == "1 image smaller than 10 × 6 continued by reflection"
    a, b, c = dataset.X.reshape(3, 3, 6, 10)
    np.testing.assert_allclose(a[1], WIDE[7:13, 11:21] / 255, rtol=1e-6)
    np.testing.assert_allclose(b, np.moveaxis(TALL[17:23, 3:13], 2, 0) / 255, rtol=1e-6)
    np.testing.assert_allclose(c[0], np.vstack([SMALL, SMALL[3:4]])[:, 10:20] / 255, rtol=1e-6)


def test_labels_are_those_of_the_image(photos):
    for name, size in (("cat", (16, 8)), ("dog", (24, 8))):
        (photos / name).mkdir()
        Image.fromarray(RNG.integers(0, 256, (size[1], size[0]), dtype=np.uint8)).save(photos / name / "x.png")
        (photos / name / "bad.png").write_text("no image")
    dataset = load_data("photos", images="tile:8")
    assert dataset.y.tolist() == [0, 0, 1, 1, 1]
    assert [one.file for one in dataset.skipped] == ["photos/cat/bad.png", "photos/dog/bad.png"]


def test_one_size_may_be_demanded(mixed):
    with pytest.raises(DataError) as caught:
        load_data("photos", images="whole:33x20")
    assert str(caught.value) == (
        "an image of another size: b.png is 17 × 41; in the folder photos; expected 33 × 20 (width × height), or to "
        "hear how to cut them; say --images tile:33x20 (tiles that cover each) or --images crop:33x20 (the centre of "
        "each); in Python, images='tile:33x20'"
    )


def test_what_a_message_proposes_works(mixed):
    with pytest.raises(DataError) as caught:
        load_data("photos")
    said = str(caught.value)
    assert "a.png is 33 × 20, b.png is 17 × 41" in said
    assert "--images tile:16 " in said
    assert "--images crop:17x20 " in said
    assert len(load_data("photos", images="tile:16").X) == 2 * 3 + 3 * 2
    assert len(load_data("photos", images="crop:17x20").X) == 2


def damaged(photos):
    """One good image among all that can be wrong, and what is said of each."""
    Image.fromarray(WIDE).save(photos / "good.png")
    (photos / "empty.png").touch()
    (photos / "text.png").write_text("not an image")
    (photos / "folder.png").mkdir()
    (photos / "link.png").symlink_to("nowhere.png")
    (photos / "cut.png").write_bytes((photos / "good.png").read_bytes()[:-200])
    Image.fromarray(WIDE).save(photos / "photo.png", format="JPEG")
    Image.fromarray(WIDE).save(photos / "moving.gif", save_all=True, append_images=[Image.fromarray(WIDE[::-1])])
    Image.fromarray(WIDE.astype(np.float32)).save(photos / "floats.tif")
    Image.new("LAB", (33, 20)).save(photos / "lab.tif")
    Image.new("RGBA", (33, 20)).save(photos / "glass.png")
    (photos / "nothing.ppm").write_bytes(b"P6 0 5 255\n")
    broken = "truncated, damaged or of another kind"
    return {
        "cut.png": broken,
        "empty.png": "an empty file",
        "floats.tif": "the colour mode F",
        "folder.png": broken,
        "glass.png": "transparent pixels",
        "lab.tif": "the colour mode LAB",
        "link.png": "no such file or folder",
        "moving.gif": "2 frames",
        "nothing.ppm": broken,
        "photo.png": "content of the format JPEG",
        "text.png": broken,
    }


def test_images_that_cannot_be_used_are_named_and_left_out(photos):
    expected = damaged(photos)
    dataset = load_data("photos")
    assert dataset.skipped == tuple(Skipped(f"photos/{name}", why) for name, why in expected.items())
    np.testing.assert_allclose(dataset.X[0].reshape(WIDE.shape), WIDE / 255, rtol=1e-6)
    assert " ".join(dataset.notes) == (
        "11 of 12 images left out: cut.png (truncated, damaged or of another kind); empty.png (an empty file); "
        "floats.tif (the colour mode F); folder.png (truncated, damaged or of another kind); "
        "glass.png (transparent pixels); and 6 more"
    )


def test_or_refused(photos):
    damaged(photos)
    with pytest.raises(DataError) as caught:
        load_data("photos", images=ImageOptions(strict=True))
    assert str(caught.value) == (
        "truncated, damaged or of another kind; in photos/cut.png; expected an image; make or fetch the file again"
    )


def test_too_many_tiles_are_sampled_the_same_ones_each_time(mixed):
    most = 30 * 3 * 64 * 4 / (1 << 30)  # room for 30 tiles of 3 × 8 × 8
    options = ImageOptions((8, 8), "tile", stride=(1, 1), most=most)
    total = 13 * 26 + 34 * 10
    dataset, again = load_data("photos", images=options), load_data("photos", images=options)
    assert len(dataset.X) == 30
    assert len(np.unique(dataset.X, axis=0)) == 30
    np.testing.assert_array_equal(dataset.X, again.X)
    assert dataset.notes[1] == (
        f"30 of {total} tiles taken at random (seed 0): all would take {total * 192 * 4 / (1 << 30):.3g} GiB, and "
        f"{most:g} GiB are allowed, which most=… in --images changes"
    )
    every = {row.tobytes() for row in load_data("photos", images=ImageOptions((8, 8), "tile", stride=(1, 1))).X}
    assert len(every) == total
    assert all(row.tobytes() in every for row in dataset.X)


def test_each_tile_is_sampled_with_the_same_chance(photos, monkeypatch):
    """60 tiles in three images, 20 kept, 300 seeds: the counts of the tiles are those of draws without replacement."""
    for i in range(3):
        Image.fromarray(np.arange(20 * i, 20 * i + 20, dtype=np.uint8).repeat(4)[None]).save(photos / f"{i}.png")
    options = ImageOptions((1, 4), "tile", channels=1, most=20 * 4 * 4 / (1 << 30))
    counts = np.zeros(60)
    for seed in range(300):
        monkeypatch.setattr("isthmus.data.images.SEED", seed)
        taken = np.rint(load_data("photos", images=options).X[:, 0] * 255).astype(int)
        assert taken.tolist() == sorted(set(taken.tolist()))
        counts[taken] += 1
    assert counts.sum() == 300 * 20
    chi2 = np.sum((counts - 100) ** 2 / (100 * 2 / 3))  # about 59 ± 11
    assert 59 - 4 * 11 < chi2 < 59 + 4 * 11


def test_too_many_images_are_refused(photos):
    for i in range(5):
        Image.fromarray(WIDE + np.uint8(i)).save(photos / f"{i}.png")
    allowed = 3 * 660 * 4 / (1 << 30)
    with pytest.raises(DataError) as caught:
        load_data("photos", images=ImageOptions(most=allowed))
    assert str(caught.value) == (
        f"more than 3 images of 33 × 20 take more than {allowed:g} GiB; in the folder photos; expected rows that fit "
        f"into the memory allowed; allow more with --images whole,most={4 * allowed}, or cut tiles or crops"
    )
    assert len(load_data("photos", images=f"whole,most={4 * allowed}").X) == 5


TEXTS = {
    "tile:64": ImageOptions((64, 64), "tile"),
    "tile:64x48": ImageOptions((48, 64), "tile"),
    "tile:32,stride=16,channels=1": ImageOptions((32, 32), "tile", (16, 16), 1),
    "tile:32,stride=8x4,most=0.5": ImageOptions((32, 32), "tile", (4, 8), most=0.5),
    "crop:64x48,channels=3": ImageOptions((48, 64), "crop", channels=3),
    "whole": ImageOptions(),
    "whole:28": ImageOptions((28, 28)),
}


@pytest.mark.parametrize(("text", "options"), TEXTS.items())
def test_options_as_text(text, options):
    assert ImageOptions.parse(text) == options
    assert str(options) == text


def test_settings_alone_are_of_whole_images():
    assert ImageOptions.parse("channels=1, most=4") == ImageOptions(channels=1, most=4.0)


def test_what_is_said_goes_before_what_is_remembered():
    run = ImageOptions.parse("tile:64,stride=32,channels=3,most=4")
    assert ImageOptions(strict=True).over(run) == ImageOptions((64, 64), "tile", (32, 32), 3, True, 4.0)
    assert str(ImageOptions.parse("crop:64").over(run)) == "crop:64,channels=3,most=4.0"
    assert ImageOptions.parse("tile:8").over(None) == ImageOptions((8, 8), "tile")


GRAMMAR = "in images; tile:64, crop:64x48 or whole, and after commas stride=32, channels=1 or most=4 (GiB)"
WRONG = {
    **{
        text: f"{text!r} does not say how to cut images; {GRAMMAR}"
        for text in ("tiles:64", "tile:", "tile:axb", "tile:1x2x3", "tile:64,step=2", "tile:64,stride", "", "64")
    },
    "tile": "tile without a size; in images; such as tile:64",
    "crop:8,stride=4": "a stride without tiles; in images; such as tile:64,stride=32",
    "tile:0": "size must be one of None or two whole numbers >= 1, height and width; got (0, 0); in ImageOptions",
    "tile:8,channels=2": "channels must be one of None, 1, 3; got 2; in ImageOptions",
    "tile:8,most=-1": "most must be one of None or a number > 0; got -1.0; in ImageOptions",
}


@pytest.mark.parametrize(("text", "message"), WRONG.items())
def test_options_that_say_something_else(text, message):
    with pytest.raises(SettingError) as caught:
        ImageOptions.parse(text)
    assert str(caught.value) == message


def test_only_folders_are_cut(tmp_path):
    np.save(tmp_path / "x.npy", RNG.random((4, 5)))
    for spec in ("digits", "x.npy"):
        with pytest.raises(DataError) as caught:
            load_data(spec, images="tile:4")
        assert str(caught.value) == (
            f"images are to be cut (tile:4); with {spec}; expected a folder of images; leave out images"
        )
        assert len(load_data(spec, images=ImageOptions(strict=True)).X) >= 4


def deep_png():
    """Two pixels of RGB with 16 bits each."""

    def chunk(name, content):
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    rows = b"\0" + struct.pack(">6H", 0, 256, 65535, 1000, 20000, 40000)
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 2, 1, 16, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def test_colours_of_16_bits_lose_the_lower_8_and_it_is_said(photos):
    (photos / "a.png").write_bytes(deep_png())
    assert read_picture(photos / "a.png").lost == "16 bits a channel, read with 8"
    dataset = load_data("photos")
    np.testing.assert_allclose(dataset.X[0] * 255, [0, 3, 1, 78, 255, 156], rtol=1e-6)
    assert dataset.notes == ("1 image with 16 bits a channel, of which Pillow gives 8",)


PICTURES = {
    "gray": Picture(WIDE[None]),
    "colour": Picture(np.moveaxis(TALL, 2, 0)),
    "16 bits": Picture(WIDE[None].astype(np.uint16) * 257 + 3),
    "colour and alpha": Picture(np.moveaxis(TALL, 2, 0), TALL[..., 0]),
    "gray and alpha": Picture(WIDE[None], WIDE),
}
KEPT = [
    *((name, suffix) for name in PICTURES for suffix in (".png", ".tif", ".tiff")),
    *(("gray", suffix) for suffix in (".bmp", ".pgm", ".ppm")),
    *(("colour", suffix) for suffix in (".bmp", ".ppm")),
    ("16 bits", ".pgm"),
]


@pytest.mark.parametrize(("name", "suffix"), KEPT)
def test_pictures_come_back_as_they_were_written(photos, name, suffix):
    picture, path = PICTURES[name], photos / f"x{suffix}"
    write_picture(path, picture)
    back = read_picture(path)
    np.testing.assert_array_equal(back.pixels, picture.pixels)
    assert back.pixels.dtype == picture.pixels.dtype
    assert (back.alpha is None) == (picture.alpha is None)
    if picture.alpha is not None:
        np.testing.assert_array_equal(back.alpha, picture.alpha)
    assert not back.lost


def test_a_colour_profile_is_kept_where_colours_are(photos):
    image = Image.fromarray(TALL)
    image.save(photos / "a.png", icc_profile=b"a profile")
    assert read_picture(photos / "a.png").profile == b"a profile"
    write_picture(photos / "b.png", read_picture(photos / "a.png"))
    assert read_picture(photos / "b.png").profile == b"a profile"
    image.convert("CMYK").save(photos / "c.tif", icc_profile=b"of inks")
    assert read_picture(photos / "c.tif").profile is None  # the pixels are RGB now


FORMS = {
    "a.png": {},
    "p.png": {"mode": "P"},
    "a.jpg": {},
    "a.bmp": {},
    "a.gif": {"mode": "P"},
    "a.webp": {},
    "a.ppm": {},
    "a.pbm": {"mode": "1"},
}


@pytest.mark.parametrize("name", FORMS)
def test_no_damage_escapes(photos, name):
    """Bytes changed and files cut short at random: a picture or one line, never another exception."""
    rng = np.random.default_rng(len(name))
    held = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    form = Image.registered_extensions()[name[1:]]
    image = Image.fromarray(TALL[:9, :7]).convert(FORMS[name].get("mode", "RGB"))
    image.save(held, format=form, **({"exif": exif} if form in ("PNG", "JPEG") else {}))
    refused = 0
    for _ in range(120):
        content = bytearray(held.getvalue())
        for place in rng.integers(len(content), size=rng.integers(1, 6)):
            content[place] = rng.integers(256)
        (photos / name).write_bytes(content if rng.random() < 0.7 else content[: rng.integers(1, len(content))])
        try:
            whole = read_picture(photos / name).pixels.size > 0
        except IsthmusError as fault:
            whole, refused = "\n" not in str(fault), refused + 1
        assert whole
    assert refused
