"""`sample`, `interpolate`, `traverse` and `swap-codes`: what they write in each format, and from which rows."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from PIL import Image

from isthmus import Autoencoder, codes, decoders, generating, load
from isthmus.cli import main
from isthmus.data import load_data

LINE = 64 + 2  # pixels of an image in a sheet, with its gap


@pytest.fixture(scope="session")
def multilevel(tmp_path_factory):
    """A finished run of images whose code tells content from style."""
    out = tmp_path_factory.mktemp("runs") / "multilevel"
    words = ("--set", "max_epochs=2", "--set", "content=3")
    assert main(["train", "digits", "--kind", "multilevel", "--code-size", "6", "--out", str(out), *words]) == 0
    return out


@pytest.fixture(scope="session")
def hearing(tmp_path_factory):
    """A model saved from Python whose decoder hears groups."""
    X = np.random.default_rng(0).normal(size=(60, 4))
    settings = {"max_epochs": 2, "random_state": 0, "device": "cpu"}
    ae = Autoencoder(2, decoder=decoders.Conditional(), code=codes.Gaussian(), **settings)
    out = tmp_path_factory.mktemp("runs") / "hearing"
    ae.fit(X, groups=np.array(["left", "right"])[np.arange(60) % 2]).save(out)
    return out


def size(name):
    with Image.open(name) as image:
        return image.size, getattr(image, "n_frames", 1)


def held_out(run, data="digits"):
    from isthmus import runs

    opened = runs.open_run(run)
    return opened, runs.source.rows_to_examine(opened, load_data(str(data)))[0]


def test_interpolate_in_every_format(cli, digits):
    words = ("interpolate", digits, "digits", "--pairs", 3, "--steps", 4, "--seed", 5, "-o")
    answer = cli(*words, "i.npy", "--json")
    assert (answer.code, answer.err) == (0, "")
    assert answer.json == {
        "run": str(digits),
        "n": 12,
        "columns": 64,
        "output": "i.npy",
        "rows": "the rows held out from training",
        "pairs": 3,
        "steps": 4,
        "how": "spherical",
    }
    made = np.load("i.npy")
    assert made.shape == (3, 4, 64)
    run, X = held_out(digits)
    back = run.ae.reconstruct(X)
    for pair in made:
        ends = [np.abs(back - end).max(axis=1).argmin() for end in (pair[0], pair[-1])]
        np.testing.assert_allclose(back[ends], pair[[0, -1]], rtol=1e-4, atol=1e-3)
        way = generating.interpolate(run.ae, X[ends[:1]], X[ends[1:]], 4)
        np.testing.assert_allclose(way[0], pair, rtol=1e-4, atol=1e-3)
    for name in ("i.csv", "i.parquet"):
        assert cli(*words, name).code == 0
        table = load_data(name)
        assert table.feature_names[:3] == ("pair", "step", run.columns[0])
        np.testing.assert_array_equal(table.X[:, :2], [(p, s) for p in range(3) for s in range(4)])
        np.testing.assert_array_equal(table.X[:, 2:], made.reshape(12, 64))
    assert cli(*words, "i.png").code == cli(*words, "i.gif").code == 0
    assert size("i.png") == ((2 + 4 * LINE, 2 + 3 * LINE), 1)
    assert size("i.gif") == ((2 + 2 * LINE, 2 + 2 * LINE), 6)


def test_how_and_seed_of_interpolate(cli, digits):
    words = ("interpolate", digits, "digits", "--pairs", 2)
    for name, more in (("a", ()), ("b", ()), ("c", ("--how", "linear")), ("d", ("--seed", 1))):
        assert cli(*words, *more, "-o", f"{name}.npy").code == 0
    a, b, c, d = (np.load(f"{name}.npy") for name in "abcd")
    np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(a[:, [0, -1]], c[:, [0, -1]])
    assert not np.allclose(a, c)
    assert not np.allclose(a[:, 0], d[:, 0])


def test_a_plain_code_goes_straight(cli, trained, table):
    told = cli("interpolate", trained, table, "--steps", 3, "-o", "i.npy", "--json").json
    assert told["how"] == "linear"
    made = np.load("i.npy")
    assert made.shape == (8, 3, 5)


def test_traverse_in_every_format(cli, digits):
    words = ("traverse", digits, "--units", "2,0", "--steps", 5, "-o")
    answer = cli(*words, "t.npy", "--json")
    assert (answer.code, answer.err) == (0, "")
    assert answer.json == {
        "run": str(digits), "n": 10, "columns": 64, "output": "t.npy", "units": [2, 0], "steps": 5, "reach": 3.0
    }  # fmt: skip
    made = np.load("t.npy")
    assert made.shape == (2, 5, 64)
    assert cli(*words, "t.csv").code == 0
    table = load_data("t.csv")
    assert table.feature_names[:2] == ("unit", "value")
    np.testing.assert_array_equal(table.X[:, 0], np.repeat([2, 0], 5))
    np.testing.assert_array_equal(table.X[:, 2:], made.reshape(10, 64))
    ae = load(digits)
    for unit, part in ((2, table.X[:5]), (0, table.X[5:])):
        codes = np.repeat(np.median(ae.transform(kept(digits)), axis=0, keepdims=True), 5, axis=0)
        codes[:, unit] = part[:, 1]
        np.testing.assert_allclose(part[:, 2:], ae.inverse_transform(codes), rtol=1e-4, atol=1e-3)
        np.testing.assert_allclose(np.diff(part[:, 1]), np.diff(part[:, 1])[0], rtol=1e-5)
    assert cli(*words, "t.png").code == cli(*words, "t.gif").code == 0
    (width, height), _ = size("t.png")
    assert width > 2 + 5 * LINE  # labels stand beside
    assert height == 2 + 2 * LINE
    assert size("t.gif")[1] == 8


def kept(folder):
    from isthmus import runs

    return load(folder).unscale(runs.examining.read_reference(folder).rows)


def test_traverse_from_a_row(cli, digits):
    assert cli("traverse", digits, "digits", "--row", 7, "--units", "1", "--steps", 3, "-o", "t.csv").code == 0
    rows, ae = load_data("t.csv").X, load(digits)
    codes = np.repeat(ae.transform(load_data("digits").X[7:8]), 3, axis=0)
    codes[:, 1] = rows[:, 1]
    np.testing.assert_allclose(rows[:, 2:], ae.inverse_transform(codes), rtol=1e-4, atol=1e-3)


def test_without_the_rows_of_training_only_a_prior_says_how_far(cli, digits, trained, tmp_path):
    copies = [shutil.copytree(run, tmp_path / run.name) for run in (digits, trained)]
    for copy in copies:
        (copy / "reference.safetensors").unlink()
    assert cli("traverse", copies[0], "-o", "t.npy").code == 0
    for words in (("traverse",), ("sample", "--sampler", "mixture")):
        answer = cli(words[0], copies[1], *words[1:], "-o", "x.npy")
        assert (answer.code, answer.err) == (
            2,
            (
                f"isthmus: the run keeps no rows; at {copies[1]}; its reference.safetensors; "
                "train it again without --no-reference\n"
            ),
        )


@pytest.mark.parametrize("sampler", ["mixture", "flow"])
def test_a_plain_code_can_be_sampled_after_the_fact(cli, trained, table, sampler):
    words = ("sample", trained, "--sampler", sampler, "-n", 400, "--seed", 3, "-o")
    assert cli(*words, "s.npy", "--json").json == {
        "run": str(trained), "n": 400, "columns": 5, "output": "s.npy"
    }  # fmt: skip
    made = np.load("s.npy")
    back = load(trained).reconstruct(load_data(str(table)).X)
    np.testing.assert_allclose(made.mean(axis=0), back.mean(axis=0), atol=0.5)
    np.testing.assert_allclose(made.std(axis=0), back.std(axis=0), rtol=0.3, atol=0.1)
    cli(*words, "again.npy")
    np.testing.assert_array_equal(made, np.load("again.npy"))


def test_swap_codes(cli, multilevel, tmp_path):
    answer = cli("swap-codes", multilevel, "digits", "digits", "-n", 3, "-o", "s.npy", "--json")
    assert (answer.code, answer.err) == (0, "")
    assert answer.json == {
        "run": str(multilevel), "n": 9, "columns": 64, "output": "s.npy", "contents": 3, "styles": 3
    }  # fmt: skip
    made, ae, X = np.load("s.npy"), load(multilevel), load_data("digits").X[:3]
    Z = ae.transform(X)
    for style in range(3):
        for content in range(3):
            z = np.concatenate([Z[content, :3], Z[style, 3:]])[None]
            np.testing.assert_allclose(made[style, content], ae.inverse_transform(z)[0], rtol=1e-4, atol=1e-3)
    assert cli("swap-codes", multilevel, "digits", "digits", "-n", 3, "-o", "s.csv").code == 0
    assert load_data("s.csv").feature_names[:2] == ("style", "content")
    assert cli("swap-codes", multilevel, "digits", "digits", "-n", 3, "-o", "s.png").code == 0
    assert size("s.png")[0] == (2 + 4 * LINE + 6, 2 + 4 * LINE + 6)
    sheet = np.asarray(Image.open("s.png"))
    assert (sheet[2:66, 2:66] == 255).all()
    first = np.clip(X[0].reshape(8, 8) / 16 * 255, 0, 255).round()  # the content above the first column
    np.testing.assert_array_equal(sheet[2:66:8, 74:138:8], first)
    np.testing.assert_array_equal(sheet[74:138:8, 2:66:8], first)  # and the style beside the first line


def test_a_decoder_that_hears_groups_is_told_one(cli, hearing):
    ae = load(hearing)
    assert cli("sample", hearing, "-n", 5, "--seed", 1, "--group", "right", "-o", "s.npy").code == 0
    np.testing.assert_allclose(np.load("s.npy"), ae.sample(5, 1, group="right"), rtol=1e-5)
    assert cli("traverse", hearing, "--group", "left", "--units", "0", "--steps", 2, "-o", "t.npy").code == 0
    assert cli("traverse", hearing, "--group", "right", "--units", "0", "--steps", 2, "-o", "u.npy").code == 0
    assert not np.allclose(np.load("t.npy"), np.load("u.npy"))
    answer = cli("sample", hearing, "--group", "up", "-o", "x.npy")
    assert answer.err == "isthmus: no group 'up' in training; in --group; known: left, right\n"
    assert answer.code == 2


def test_pictures_are_drawn_between_the_ends_of_the_training_rows(cli, digits):
    """0 is black and 16 is white, whatever the samples themselves reach to."""
    assert cli("sample", digits, "-n", 1, "-o", "s.png").code == cli("sample", digits, "-n", 1, "-o", "s.npy").code == 0
    sheet = np.asarray(Image.open("s.png"))[2:-2:8, 2:-2:8]
    expected = np.clip(np.load("s.npy").reshape(8, 8) / 16, 0, 1) * 255
    assert np.abs(sheet - expected).max() <= 1


@pytest.mark.parametrize("verb", ["interpolate", "traverse", "swap-codes", "sample"])
def test_a_form_for_people(cli, multilevel, verb):
    data = {"interpolate": ["digits"], "swap-codes": ["digits", "digits"]}.get(verb, [])
    answer = cli(verb, multilevel, *data, "-o", "x.npy")
    assert answer.code == 0
    assert "x.npy" in answer.out
    assert not answer.out.startswith("{")
