"""Pictures of any size through runs: denoise, reconstruct into a folder, and training on folders of mixed sizes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from isthmus import Autoencoder, corruptions, encoders, enlarging, load
from isthmus.cli import main
from isthmus.data import load_data
from isthmus.data.pictures import read_picture
from isthmus.runs.pictures import psnr, restored

Image = pytest.importorskip("PIL.Image")

QUICK = ("--set", "max_epochs=2", "--set", "batch_size=64")


def smooth(height, width, channels, shift=0.0):
    """Waves, as bytes (H, W) or (H, W, C)."""
    y, x = np.mgrid[:height, :width]
    planes = [0.5 + 0.3 * np.sin(x / (5 + c) + shift) * np.cos(y / (7 - c)) for c in range(channels)]
    return np.rint(255 * np.stack(planes, axis=2)).astype(np.uint8).squeeze(2 if channels == 1 else ())


def spoiled(picture):
    noise = np.random.default_rng(0).normal(0, 25, picture.shape)
    return np.clip(picture + noise, 0, 255).astype(np.uint8)


@pytest.fixture(scope="session")
def photos(tmp_path_factory):
    """A folder of colour and gray pictures of many sizes, and a text among them."""
    folder = tmp_path_factory.mktemp("photos")
    for i, size in enumerate([(40, 61), (33, 30), (57, 48)]):
        Image.fromarray(smooth(*size, 1 if i == 1 else 3, shift=i)).save(folder / f"{i}.png")
    (folder / "broken.png").write_text("no image")
    return folder


def trained_on(photos, out, *words):
    words = ("--images", "tile:8,stride=4", "--code-size", "6", "--out", str(out), *words, *QUICK)
    assert main(["train", str(photos), *words]) == 0
    return out


@pytest.fixture(scope="session")
def gray(tmp_path_factory, photos):
    out = tmp_path_factory.mktemp("runs") / "gray"
    words = ("--kind", "denoising", "--set", "amount=0.1", "--set", "scaling=none", "--set", "hidden=16", "--images")
    return trained_on(photos, out, *words, "tile:8,stride=4,channels=1")


@pytest.fixture(scope="session")
def colour(tmp_path_factory, photos):
    return trained_on(photos, tmp_path_factory.mktemp("runs") / "colour", "--kind", "linear")


@pytest.fixture
def noisy(tmp_path):
    """Pictures to denoise in every form that must stay as it is."""
    folder = tmp_path / "noisy"
    folder.mkdir()
    gray, colour = spoiled(smooth(21, 50, 1)), spoiled(smooth(30, 19, 3))
    Image.fromarray(gray).save(folder / "gray.png")
    Image.fromarray(colour).save(folder / "colour.bmp")
    Image.fromarray(colour).save(folder / "photo.jpg")
    Image.fromarray(gray.astype(np.uint16) * 257).save(folder / "deep.tif")
    alpha = np.arange(570, dtype=np.uint16).reshape(30, 19, 1).astype(np.uint8)
    Image.fromarray(np.concatenate([colour, alpha], axis=2)).save(folder / "glass.png")
    Image.fromarray(gray[:5, :3]).save(folder / "tiny.png")
    return folder


def test_training_on_mixed_sizes_says_how_they_were_cut(cli, photos):
    words = ("train", photos, "--kind", "linear", "--code-size", 3, "--out", "r", *QUICK)
    refused = cli(*words)
    assert refused.code == 2
    assert "0.png is 61 × 40, 1.png is 30 × 33" in refused.err
    assert "say --images tile:24 " in refused.err
    answer = cli(*words, "--images", "tile:24", "--json")
    assert answer.code == 0
    assert answer.err == (
        "1 of 4 images left out: broken.png (truncated, damaged or of another kind)\n"
        "3 images cut into 16 tiles of 24 × 24\n"
        "too few rows to hold any out: no evidence was written; isthmus evaluate writes it from other rows\n"
    )
    assert answer.json["skipped"] == [
        {"file": str(photos / "broken.png"), "why": "truncated, damaged or of another kind"}
    ]
    assert answer.json["n_train"] == 16
    about = json.loads((photos.cwd() / "r/config.json").read_text())["run"]
    assert about["data"]["images"] == "tile:24,channels=3"
    strict = cli(*words, "--images", "tile:24", "--overwrite", "--strict")
    assert (strict.code, strict.err) == (
        2,
        (
            f"isthmus: truncated, damaged or of another kind; in {photos / 'broken.png'}; expected an image; "
            "make or fetch the file again\n"
        ),
    )


def test_a_run_remembers_how_images_are_cut(cli, gray, photos, tmp_path):
    assert (
        json.loads((gray / "evidence.json").read_text())["rows"] == "rows held out, tiles of images it was trained on"
    )
    told = cli("evaluate", gray, photos, "--json").json
    assert told["rows"] == f"{photos}: the rows held out from training, tiles of images it was trained on"
    assert told["skipped"] == [{"file": str(photos / "broken.png"), "why": "truncated, damaged or of another kind"}]
    (tmp_path / "new").mkdir()
    Image.fromarray(smooth(16, 16, 3)).save(tmp_path / "new/a.png")
    for verb, name in (("encode", "z.npy"), ("reconstruct", "x.npy"), ("anomalies", "s.npy")):
        answer = cli(verb, gray, "new", "-o", name, "--json")
        assert (answer.json["n"], answer.json["skipped"]) == (9, [])
        assert answer.err == "1 image cut into 9 tiles of 8 × 8\n1 colour image made gray\n"
    assert cli("encode", gray, "new", "-o", "z.npy", "--images", "tile:8", "--json").json["n"] == 4
    assert cli("encode", gray, "new", "-o", "z.npy", "--images", "tile:4").err.endswith(
        f"isthmus: 16 columns; in new; the 64 columns that {gray} was trained on; "
        "give data of the same columns, or train on these\n"
    )


def test_compare_and_sweep_cut_too(cli, photos):
    words = ("--images", "tile:16", "--seeds", 1, "--set", "max_epochs=1", "--json")
    told = cli("compare", photos, "--kinds", "linear", "--code-size", 2, "--out", "c", *words)
    assert (told.json["n_train"] + told.json["n_test"], len(told.json["skipped"])) == (12 + 6 + 12, 1)
    told = cli("sweep", photos, "--kind", "linear", "--set", "learning_rate=1e-3,1e-2", "--out", "s", *words)
    assert (told.json["n_test"], len(told.json["skipped"])) == (9, 1)
    assert "broken.png" in told.err


def test_a_configuration_says_it_as_well(cli, photos, tmp_path):
    text = f'data = "{photos}"\nkind = "linear"\ncode_size = 2\nimages = "crop:16,channels=1"\n'
    (tmp_path / "run.toml").write_text(f"{text}[settings]\nmax_epochs = 1\n")
    assert cli("train", "--config", "run.toml", "--out", "r", "--json").json["n_train"] == 3
    assert load("r").blueprint_.input_shape == (1, 16, 16)
    assert cli("train", "--config", "run.toml", "--out", "q", "--images", "crop:12", "--json").code == 0
    assert load("q").blueprint_.input_shape == (1, 12, 12)


def test_denoise_writes_every_form_as_it_was(cli, gray, noisy, tmp_path):
    (noisy / "note.txt").write_text("passed over")
    (noisy / "broken.png").write_text("no image")
    before = {path: path.read_bytes() for path in noisy.iterdir()}
    answer = cli("denoise", gray, "noisy", "-o", "out", "--json")
    assert answer.code == 0
    assert answer.err == "left out noisy/broken.png: truncated, damaged or of another kind\n"
    told = answer.json
    assert set(told) == {"run", "n", "output", "pictures", "skipped"}
    assert (told["run"], told["n"], told["output"]) == (str(gray), 6, "out")
    assert told["skipped"] == [{"file": "noisy/broken.png", "why": "truncated, damaged or of another kind"}]
    assert told["pictures"][0] == {
        "file": "noisy/colour.bmp",
        "output": "out/colour.bmp",
        "width": 19,
        "height": 30,
        "tiles": 7 * 4,
    }
    expected = {"colour.bmp", "deep.tif", "glass.png", "gray.png", "photo.png", "tiny.png"}
    assert {path.name for path in (tmp_path / "out").iterdir()} == expected
    for name in expected:
        source = noisy / ("photo.jpg" if name == "photo.png" else name)
        given, found = read_picture(source), read_picture(tmp_path / "out" / name)
        assert (found.pixels.shape, found.pixels.dtype) == (given.pixels.shape, given.pixels.dtype)
        assert not np.array_equal(found.pixels, given.pixels)
    np.testing.assert_array_equal(
        read_picture(tmp_path / "out/glass.png").alpha, read_picture(noisy / "glass.png").alpha
    )
    assert before == {path: path.read_bytes() for path in noisy.iterdir()}


def test_denoise_is_the_run_s_reconstruction_of_tiles(cli, gray, noisy, tmp_path):
    """One tile, channel by channel, is what the estimator makes of it; nothing is added."""
    ae = load(gray)
    Image.fromarray(spoiled(smooth(8, 8, 3))).save(noisy / "one.png")
    cli("denoise", gray, "noisy/one.png", "-o", "out")
    rows = read_picture(noisy / "one.png").pixels.reshape(3, 64).astype(np.float32) / 255
    expected = np.rint(255 * np.clip(ae.reconstruct(rows), 0, 1)).reshape(3, 8, 8)
    np.testing.assert_array_equal(read_picture(tmp_path / "out/one.png").pixels, expected)


def test_a_run_of_colours_takes_gray_as_three_equal_channels(cli, colour, noisy, tmp_path):
    ae = load(colour)
    Image.fromarray(spoiled(smooth(8, 8, 1))).save(noisy / "one.png")
    answer = cli("denoise", colour, "noisy/one.png", "-o", "out")
    assert answer.err == (
        f"{colour} was trained without a corruption: it reconstructs, it was not taught to remove noise\n"
    )
    row = np.tile(read_picture(noisy / "one.png").pixels.reshape(1, 64).astype(np.float32) / 255, 3)
    expected = np.rint(255 * np.clip(ae.reconstruct(row).reshape(3, 8, 8).mean(axis=0), 0, 1))
    np.testing.assert_array_equal(read_picture(tmp_path / "out/one.png").pixels[0], expected)


def test_reconstruct_into_a_folder(cli, colour, noisy, tmp_path):
    answer = cli("reconstruct", colour, "noisy", "-o", "out", "--json")
    assert (answer.code, answer.err, answer.json["n"]) == (0, "", 6)
    assert cli("reconstruct", colour, "noisy/tiny.png", "-o", "out", "--json").json["pictures"][0]["tiles"] == 1
    assert cli("reconstruct", colour, "noisy", "-o", "sheet.png", "--images", "crop:8", "--strict").code == 2
    (noisy / "glass.png").unlink()
    assert cli("reconstruct", colour, "noisy", "-o", "sheet.png", "--images", "crop:8", "--strict").code == 0
    assert (tmp_path / "sheet.png").is_file()


def test_psnr_against_clean_pictures(cli, gray, tmp_path):
    for name in ("noisy", "clean"):
        (tmp_path / name).mkdir()
    truth = smooth(40, 40, 1)
    for name, suffix in (("a", "png"), ("b", "jpg"), ("c", "png")):
        Image.fromarray(spoiled(truth)).save(tmp_path / f"noisy/{name}.{suffix}")
    Image.fromarray(truth).save(tmp_path / "clean/a.png")
    Image.fromarray(truth).save(tmp_path / "clean/b.png")
    answer = cli("denoise", gray, "noisy", "-o", "out", "--clean", "clean", "--json")
    told = answer.json
    noisy, out = (read_picture(tmp_path / place / "a.png").pixels / 255 for place in ("noisy", "out"))
    expected = {
        name: -10 * np.log10(np.mean((x - truth / 255) ** 2)) for name, x in (("given", noisy), ("restored", out))
    }
    assert told["pictures"][0]["psnr"] == pytest.approx(expected, rel=1e-9)
    assert [one["psnr"] is None for one in told["pictures"]] == [False, False, True]
    assert told["psnr"]["given"] == pytest.approx(np.mean([p["psnr"]["given"] for p in told["pictures"][:2]]))
    assert answer.err.startswith("no PSNR of c.png: no such file or folder; at clean/c.png; ")
    shown = cli("denoise", gray, "noisy", "-o", "out", "--clean", "clean").out
    assert f"{expected['given']:.4g}" in shown
    assert psnr(truth[None], truth[None]) is None


def test_folders_of_folders_keep_their_names(cli, gray, noisy, tmp_path):
    (tmp_path / "all").mkdir()
    shutil.copytree(noisy, tmp_path / "all/one")
    shutil.copytree(noisy, tmp_path / "all/two")
    assert cli("denoise", gray, "all", "-o", "out", "--json").json["n"] == 12
    assert len(list((tmp_path / "out/two").iterdir())) == 6


def test_names_that_meet(cli, gray, noisy, tmp_path):
    shutil.copy(noisy / "gray.png", noisy / "photo.png")
    told = cli("denoise", gray, noisy / "photo.jpg", noisy / "photo.png", "-o", "out", "--json").json
    assert [one["output"] for one in told["pictures"]] == ["out/photo.jpg.png", "out/photo.png"]
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"photo.png", "photo.jpg.png"}


BAD = {
    "an input would be overwritten": (
        ("gray", "noisy", "-o", "noisy"),
        "noisy/colour.bmp would be overwritten, which is read; in noisy; a folder of its own for the output",
    ),
    "a clean picture would be": (
        ("gray", "noisy/gray.png", "-o", "clean", "--clean", "clean"),
        "clean/gray.png would be overwritten, which is read; in clean; a folder of its own for the output",
    ),
    "a link to an input would be": (
        ("gray", "noisy/tiny.png", "-o", "links"),
        "links/tiny.png would be overwritten, which is read; in links; a folder of its own for the output",
    ),
    "two pictures of one name": (
        ("gray", "noisy/gray.png", "clean/gray.png", "-o", "out"),
        "noisy/gray.png and clean/gray.png have one name; to write gray.png; pictures of different names",
    ),
    "nowhere": (
        ("gray", "noisy", "nowhere.png", "-o", "out"),
        (
            "no such file or folder; at nowhere.png; expected a file, a folder of images or a named set; "
            "check the path; `isthmus data list` names the sets"
        ),
    ),
    "the folder is a file": (
        ("gray", "noisy", "-o", "file"),
        "no folder; at file; a new folder, or one that pictures may be written to",
    ),
    "strict": (
        ("gray", "broken.png", "noisy", "-o", "out", "--strict"),
        "truncated, damaged or of another kind; in broken.png; expected an image; make or fetch the file again",
    ),
    "all broken": (
        ("gray", "broken.png", "file", "-o", "out"),
        (
            "none of the 2 images can be used; in .; expected images that can be read; "
            "the first is broken.png: truncated, damaged or of another kind"
        ),
    ),
    "a run of a table": (
        ("table", "noisy", "-o", "out"),
        "rows of shape (5,), which are no images; in the run {table}; a run trained on images",
    ),
    "a run of other numbers": (
        ("digits", "noisy", "-o", "out"),
        (
            "trained on numbers from 0 to 16; in the run {digits}; pixels from 0 to 1, as images from files have them; "
            "train on a folder of images"
        ),
    ),
}


@pytest.fixture
def places(gray, trained, digits):
    return {"gray": str(gray), "table": str(trained), "digits": str(digits)}


@pytest.mark.parametrize(("words", "message"), BAD.values(), ids=BAD)
def test_one_line_and_nothing_written(cli, places, noisy, tmp_path, words, message):
    (tmp_path / "file").write_text("x")
    (tmp_path / "broken.png").write_text("x")
    (tmp_path / "links").mkdir()
    (tmp_path / "links/tiny.png").symlink_to(noisy / "tiny.png")
    shutil.copytree(noisy, tmp_path / "clean")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    answer = cli("denoise", places[words[0]], *words[1:])
    assert answer.err == f"isthmus: {message.format(**places)}\n"
    assert (answer.code, answer.out) == (2, "")
    assert before == {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}


def test_a_full_disk_leaves_no_half_of_a_picture(cli, gray, noisy, tmp_path, monkeypatch):
    def full(image, path, **settings):
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full)
    answer = cli("denoise", gray, noisy, "-o", "out")
    assert (answer.code, answer.err) == (
        2,
        (
            "isthmus: no room to write the file; at out/colour.bmp; nothing was written; "
            "free some room or choose another folder\n"
        ),
    )
    assert list((tmp_path / "out").iterdir()) == []


def test_denoise_has_an_example(cli):
    answer = cli("denoise", "--help")
    assert answer.code == 0
    assert "Example: isthmus denoise runs/photos holiday/ scan.png -o clean/" in " ".join(answer.out.split())


def test_a_denoiser_denoises():
    """Waves in noise through a small dense net trained on tiles of other waves: clearly nearer to the truth."""
    rng = np.random.default_rng(0)
    waves = [smooth(64, 64, 1, shift) / 255 for shift in np.linspace(0, 5, 6)]
    rows = np.concatenate([
        np.lib.stride_tricks.sliding_window_view(wave, (8, 8))[::2, ::2].reshape(-1, 64) for wave in waves
    ]).astype(np.float32)  # fmt: skip
    ae = Autoencoder(
        12,
        encoders.MLP((48,)),
        corruption=corruptions.Gaussian(0.1),
        scaling=None,
        input_shape=(1, 8, 8),
        max_epochs=8,
        random_state=0,
    ).fit(rows)
    from isthmus.data.pictures import Picture

    truth = smooth(50, 71, 1, shift=2.3)[None]
    noisy = np.clip(truth + rng.normal(0, 25, truth.shape), 0, 255).astype(np.uint8)
    result, tiles = restored(ae, Picture(noisy))
    assert tiles == 12 * 17
    assert psnr(result.pixels, truth) > psnr(noisy, truth) + 6


def test_a_network_for_any_size_takes_larger_tiles(cli, noisy, photos, tmp_path):
    """And the result is what it makes of the whole picture, away from the borders that the tiles have."""
    words = ("--kind", "denoising", "--set", "encoder=convolutional", "--set", "encoder.spatial=true")
    small = ("--set", "encoder.channels=4", "--set", "scaling=none", "--code-size", 32, "--set", "max_epochs=1")
    assert cli("train", photos, "--images", "tile:8,channels=1", *words, *small, "--out", "r").code == 0
    picture = spoiled(smooth(150, 200, 1))
    Image.fromarray(picture).save(tmp_path / "a.png")
    told = cli("denoise", "r", "a.png", "-o", "out", "--json").json
    assert told["pictures"][0]["tiles"] == 2 * 2
    whole = enlarging.at(load("r"), (1, 150, 200)).reconstruct(picture.reshape(1, -1).astype(np.float32) / 255)
    expected = np.clip(whole.reshape(150, 200), 0, 1) * 255
    np.testing.assert_allclose(read_picture(tmp_path / "out/a.png").pixels[0], expected, rtol=0, atol=0.51)


def test_images_of_a_run_without_a_note_are_taken_whole(cli, digits, tmp_path):
    """A run of digits, trained on no folder, says which size it needs."""
    (tmp_path / "new").mkdir()
    Image.fromarray(smooth(16, 24, 1)).save(tmp_path / "new/a.png")
    answer = cli("encode", digits, "new", "-o", "z.npy")
    assert answer.err.startswith(
        "isthmus: an image of another size: a.png is 24 × 16; in the folder new; expected 8 × 8 "
    )
    assert cli("encode", digits, "new", "-o", "z.npy", "--images", "tile:8", "--json").json["n"] == 6
    assert load_data("new", images="tile:8").X.shape == (6, 64)


def test_the_example_trains_a_denoiser_for_any_size(cli, photos, noisy):
    """The configuration in `examples/`, with tiles, channels and epochs that are quick."""
    example = Path(__file__).parents[2] / "examples/denoise-photos.toml"
    small = ("--images", "tile:8", "--code-size", 3 * 16, "--set", "encoder.channels=3", "--set", "max_epochs=1")
    answer = cli("train", photos, "--config", example, *small, "--out", "runs/photos", "--json")
    assert answer.code == 0, answer.err
    assert answer.json["code_size"] == 48
    assert enlarging.can_be_enlarged(load("runs/photos"))
    assert cli("denoise", "runs/photos", noisy, "-o", "clean").code == 0
