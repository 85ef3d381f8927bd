"""The pages: whole, offline, escaped, readable by a machine and by a screen reader, and the same every time."""

from __future__ import annotations

import itertools
import re
from base64 import b64decode
from html.parser import HTMLParser
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from isthmus import report
from isthmus.errors import DataError

VOID = {"meta", "img", "br", "link", "input", "hr"}


class Reader(HTMLParser):
    """Everything a test asks of a page: tags with their attributes, visible text, ids, what was left open."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.open, self.texts, self.verdicts = [], [], [], []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.tags.append((tag, found))
        if "data-verdict" in found:
            self.verdicts.append(found["data-verdict"])
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not self.open or self.open[-1] != "style":
            self.texts.append(data)

    @property
    def text(self):
        return re.sub(r"\s+", " ", " ".join(self.texts))

    def all(self, tag):
        return [attrs for name, attrs in self.tags if name == tag]


@pytest.fixture(params=["digits", "wine", "compare", "sweep", "gallery"])
def page(request, pages):
    return pages[request.param]


def test_nothing_is_fetched(page):
    text = page
    for tag, attrs in Reader(text).tags:
        for name in ("src", "href", "xlink:href", "srcset", "data", "action", "poster"):
            value = attrs.get(name, "#")
            assert value.startswith(("#", "data:image/")), (tag, name, value[:60])
    assert not re.search(r"@import|url\((?!#)|<link|<script|<iframe|https?://", text)


def test_tags_close_and_ids_are_unique(page):
    reader = Reader(page)
    assert reader.open == []
    ids = [attrs["id"] for _, attrs in reader.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    known = set(ids)
    targets = [attrs.get("xlink:href", attrs.get("href")) for _, attrs in reader.tags]
    assert {target[1:] for target in targets if target} <= known


def test_every_picture_says_what_it_shows(page):
    reader = Reader(page)
    assert all(attrs.get("alt") for attrs in reader.all("img"))
    assert all(attrs.get("role") == "img" and attrs.get("aria-label") for attrs in reader.all("svg"))


def test_headings_and_tables_can_be_followed(page):
    reader = Reader(page)
    levels = [int(tag[1]) for tag, _ in reader.tags if re.fullmatch("h[1-6]", tag)]
    assert levels.count(1) == 1
    assert levels[0] == 1
    assert all(later - earlier <= 1 for earlier, later in itertools.pairwise(levels))
    assert all(attrs.get("scope") in {"row", "col", "rowgroup"} for attrs in reader.all("th"))


def test_hostile_text_is_only_text(page):
    text = page
    assert "<script" not in text
    assert text.count("</style>") == 1
    assert "alert(&#34;1&#34;)" in text


def test_the_same_input_gives_the_same_bytes(pages, hostile, digits, comparison, swept):
    assert report.evidence_page(digits, hostile) == pages["digits"]
    assert report.compare_page(*comparison, hostile) == pages["compare"]
    result = swept(**{hostile: [0.01, 0.1, 1.0], "penalty": [hostile, None]})
    assert report.sweep_page(result, hostile) == pages["sweep"]


def test_a_page_is_small(page):
    assert len(page.encode()) < 1_500_000


def test_both_schemes_and_paper_are_styled(page):
    text = page
    assert "prefers-color-scheme: dark" in text
    assert "@media print" in text
    assert not re.search(r"#0[0-9a]0[0-9]0[0-9]\b", re.sub(r"data:[^\"]*", "", text))  # no stand-in colour is left


def test_verdicts_stand_first_the_worst_before_all(digits):
    reader = Reader(report.evidence_page(digits, "t"))
    assert reader.verdicts == [
        "dead-units", "generalises", "code-size",
        "better-than-mean", "better-than-pca", "better-than-untrained", "memorises", "copies", "collapse", "robust",
        "converged", "saturation", "same-distribution",
    ]  # fmt: skip
    told = reader.text
    assert all(verdict["sentence"] in told for verdict in digits.tree["verdicts"])
    assert "Do something about dead-units." in told
    assert told.index("1 fail") < told.index("2 warnings") < told.index("8 passes") < told.index("How much comes back")


def test_numbers_carry_their_intervals(digits):
    told = Reader(report.evidence_page(digits, "t")).text
    assert "95 % interval 0.903 to 0.921; PCA 0.853" in told
    assert "6.31 (6.10 to 6.50)" in told
    assert "3.1 × 10⁻⁵" in told


def test_images_are_drawn_as_images_and_tables_as_fields(digits, wine):
    images = Reader(report.evidence_page(digits, "t")).all("img")
    assert [image["alt"] for image in images[:3]] == [
        f"{name}: images 1 to 8" for name in ("original", "this code", "PCA")
    ]
    assert len(images) == 6
    fields = Reader(report.evidence_page(wine, "t"))
    assert next(image["alt"] for image in fields.all("img")) == "original: 16 rows by 13 columns"
    assert any(svg["aria-label"].startswith("error, in spreads of the column") for svg in fields.all("svg"))


def test_what_the_code_makes_is_shown_of_images(digits):
    made = np.random.default_rng(0).uniform(0, 16, size=(2, 9, 64))
    digits.pictures |= {"walked": [5, 0], "walks": made, "samples": made.reshape(18, 64)[:16]}
    reader = Reader(report.evidence_page(digits, "t"))
    shown = [image["alt"] for image in reader.all("img")][6:]
    assert shown == [
        *(f"decoded rows while unit {unit} goes from its low to its high end" for unit in (5, 0)),
        *("samples 1 and on", "samples 9 and on"),
    ]
    assert "Along its units unit 5 unit 0 A line is a unit" in reader.text
    digits.pictures["samples"] = None
    text = Reader(report.evidence_page(digits, "t")).text
    assert "Along its units" in text
    assert "Drawn from the prior" not in text


def test_an_evidence_without_pictures_is_still_a_page(digits):
    full = digits.pictures
    for name in full:
        digits.pictures = {name: full[name]}
        assert Reader(report.evidence_page(digits, "t")).open == []
    digits.pictures = {}
    assert len(Reader(report.evidence_page(digits, "t")).verdicts) == 13
    digits.tree = {"n": 0, "verdicts": []}
    assert Reader(report.evidence_page(digits, "t")).open == []


def test_pictures_that_cannot_be_drawn_are_left_out(digits):
    broken = {key: np.full_like(np.asarray(value, dtype=float), np.nan) for key, value in digits.pictures.items()
              if key not in {"history", "input_shape", "map_labels"}}  # fmt: skip
    history = [{"epoch": 1, "loss": float("nan"), "seconds": 0.1}]
    digits.pictures = broken | {"history": history, "input_shape": (1, 5, 5), "map_labels": None}
    reader = Reader(report.evidence_page(digits, "t"))
    assert not reader.all("img")


def test_edge_shapes_are_drawn(digits):
    digits.pictures |= {
        "map": np.zeros((3, 2)), "map_labels": np.array(["<b>", "$a$", "ok"]), "spectrum": np.zeros(1),
        "unit_std": np.zeros(1), "unit_mean": np.zeros(1), "history": [{"epoch": 1, "loss": 2.0}],
        "originals": np.ones((1, 64)), "reconstructions": np.ones((1, 64)), "pca_reconstructions": None,
    }  # fmt: skip
    reader = Reader(report.evidence_page(digits, "t"))
    assert reader.open == []
    assert "<b>" in reader.text


def test_many_labels_share_a_grey(digits):
    digits.pictures["map_labels"] = np.arange(600) % 25
    assert "16 more" in Reader(report.evidence_page(digits, "t")).text


def test_a_large_colour_image_is_shrunk(digits):
    rng = np.random.default_rng(0)
    rows = rng.random((16, 3 * 200 * 100))
    digits.pictures |= {"originals": rows, "reconstructions": rows, "pca_reconstructions": rows}
    digits.pictures["input_shape"] = (3, 200, 100)
    page = report.evidence_page(digits, "t")
    assert len(page.encode()) < 1_500_000
    assert len(Reader(page).all("img")) == 6


def test_many_rows_without_labels_are_a_density(wine):
    wine.pictures["map"] = np.random.default_rng(0).normal(size=(20_000, 2))
    assert len(report.evidence_page(wine, "t").encode()) < 1_500_000


def test_a_comparison_says_who_is_above_pca(comparison):
    result, pictures = comparison
    reader = Reader(report.compare_page(result, {"verdicts": pictures["verdicts"]}, "t"))
    assert "Best of the kinds: linear, R² 0.920 ± 0.004." in reader.text
    assert "PCA of equal size: R² 0.78 ± 0.02." in reader.text
    assert "Above PCA: linear, undercomplete, denoising, contractive, sparse, topk." in reader.text
    assert "Level with PCA: variational." in reader.text
    assert "7 fails, in sentences" in reader.text


def test_a_comparison_without_pictures_is_still_a_page(comparison):
    result, pictures = comparison
    for name in pictures:
        assert Reader(report.compare_page(result, {name: pictures[name]}, "t")).open == []
    assert "0.920 ± 0.004" in Reader(report.compare_page(result, {}, "t")).text
    assert Reader(report.compare_page({"data": "d", "code_size": 2, "rows": []}, {}, "t")).open == []


def test_a_comparison_of_tables_draws_fields(comparison):
    result, pictures = comparison
    reader = Reader(report.compare_page(result, pictures | {"input_shape": None, "maps": {}}, "t"))
    assert len(reader.all("img")) == 9
    assert "Which columns linear brings back worst" in reader.text


def test_a_sweep_says_which_is_best_and_how_sure_that_is(swept):
    told = Reader(report.sweep_page(swept(strength=[0.01, 0.1]), "t")).text
    assert "2 combinations, each trained with 16 seeds, on the same split of digits." in told
    assert "1,258 rows to learn from, 539 to judge on. The same for all: max_epochs 5." in told
    assert "Best: strength 0.01; squared error 1.50 ± 0.01, R² 0.900 ± 0.004." in told
    assert "It was chosen on the rows it is measured on: expect a little more error on others." in told
    assert "Level with it" not in told
    assert "By R²" not in told
    assert "seed 3 had the lowest loss on its own validation rows" in told
    assert "isthmus info runs/c/best" in told


def test_a_sweep_says_what_chance_may_have_decided(swept):
    result = swept(strength=[0.01, 0.1])
    result["rows"][1]["mse"] = {"mean": 1.55, "sd": 0.05}
    result["rows"][1]["r2"] = {"mean": 0.95, "sd": 0.001}
    told = Reader(report.sweep_page(result, "t")).text
    assert "Level with it, as their spreads meet: strength 0.1." in told
    assert "By R², in which each column counts as it is scaled: strength 0.1, 0.950 ± 0.001." in told
    for row in result["rows"]:
        row["seeds"] = 1
    told = Reader(report.sweep_page(result, "t")).text
    assert "One training of each does not tell how much of a difference is chance." in told
    assert "Level with it" not in told


def test_a_sweep_counts_what_diverged(swept):
    result = swept(learning_rate=[1e-3, 1e-2, 10.0])
    nothing = {name: {"mean": None, "sd": None} for name in ("mse", "r2", "epochs", "seconds")}
    result["rows"][2] |= nothing | {"diverged": 16}
    reader = Reader(report.sweep_page(result, "t"))
    assert "16 of 48 trainings diverged; the means are over the others." in reader.text
    label = next(svg["aria-label"] for svg in reader.all("svg"))
    assert label == "squared error on test rows by learning_rate: 0.001: 1.50 ± 0.01, 0.01: 2.00 ± 0.01."
    for row in result["rows"]:
        row["mse"] = row["r2"] = {"mean": None, "sd": None}
    reader = Reader(report.sweep_page(result | {"best": {}}, "t"))
    assert (reader.open, reader.all("svg")) == ([], [])


@pytest.mark.parametrize(
    ("values", "label"),
    [
        ({"b": [2, 10]}, "squared error on test rows by b: 2: 1.50 ± 0.01, 10: 2.00 ± 0.01."),
        (
            {"a": ["tanh", None], "b": [1, 2]},
            (
                "squared error on test rows by b: a none 1: 2.00 ± 0.01, 2: 2.50 ± 0.01; "
                "a tanh 1: 1.50 ± 0.01, 2: 2.00 ± 0.01."
            ),
        ),
        (
            {"a": [True, False], "b": [1, 2], "c": [[8, 4], {"part": "penalties.KL", "params": {"rho": 0.5}}]},
            "squared error on test rows: True · 1 · 8, 4 1.50 (1.49 to 1.51); ",
        ),
        ({"a": list(range(11)), "b": list(range(11, 23))}, "squared error on test rows: 0 · 11 1.50 (1.49 to 1.51); "),
    ],
)
def test_a_sweep_gets_the_picture_its_settings_need(swept, values, label):
    reader = Reader(report.sweep_page(swept(**values), "t"))
    assert next(svg["aria-label"] for svg in reader.all("svg")).startswith(label)


@pytest.mark.parametrize(
    ("values", "scale", "places"),
    [
        ([0.01, 0.1, 1], "log", [0.01, 0.1, 1]),
        ([2, 4, 8], "linear", [2, 4, 8]),
        ([-1, 0, 2], "linear", [-1, 0, 2]),
        ([1, 0, 0.01], "places", [2, 0, 1]),
        (["b", "a"], "places", [1, 0]),
        ([True, False], "places", [1, 0]),
        ([3, "auto"], "places", [0, 1]),
    ],
)
def test_values_stand_where_they_belong(values, scale, places):
    from isthmus.report.trends import Mark, _places

    found = _places([Mark(value, str(value), 1.0, 0.1) for value in values])
    assert found == (scale, dict(zip(map(str, values), places, strict=True)))


def test_a_sweep_with_an_r2_far_below_zero_draws_the_error_alone(swept):
    result = swept(learning_rate=[1e-3, 1e-2])
    assert len(Reader(report.sweep_page(result, "t")).all("svg")) == 2
    result["rows"][1]["r2"]["mean"] = -40.0
    assert len(Reader(report.sweep_page(result, "t")).all("svg")) == 1


def test_a_sweep_s_json_alone_is_enough(swept):
    rows = swept(strength=[1, 2])["rows"]
    assert Reader(report.sweep_page({"rows": rows}, "t")).open == []
    assert Reader(report.sweep_page({"rows": []}, "t")).open == []


def test_a_gallery_tells_what_holds(experiments):
    reader = Reader(report.gallery_page(experiments, {"I": "Neurons", "II": "Autoencoders"}))
    assert "1 of 3 hold. Together they took 1 min." in reader.text
    assert "I. Neurons xor Layers. – not run II. Autoencoders linear-pca" in reader.text
    assert "It could not be run: gymnasium is not installed; pip install 'isthmus[lab]'" in reader.text
    assert "quick protocol, 1 seed, 0.1 s" in reader.text
    assert "0.9999995 at least 0.999999 ✓ , as it must be" in reader.text
    assert "0.9999995 at least 0.999999 ✕ , and is not" in reader.text
    assert reader.text.count("3 more that were measured") == 2
    assert "Its code: src/isthmus/lab/linear_pca.py" in reader.text
    assert "print('<b>')" in reader.text
    assert reader.text.count("This picture could not be read.") == 2
    assert [(image["src"].split(",")[0], image["alt"]) for image in reader.all("img")] == [
        ("data:image/png;base64", "linear-pca: share against seed"),
        ("data:image/svg+xml;base64", "linear-pca: curve"),
    ]
    assert Reader(report.gallery_page([])).open == []
    assert Reader(report.gallery_page([{"name": "a", "claim": "b"}])).all("h2")


def test_pictures_of_a_gallery_keep_their_size_and_get_a_palette(tmp_path):
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 255, (300, 400, 4), dtype=np.uint8)).save(tmp_path / "a.png")
    page = report.gallery_page([{"name": "a", "claim": "b", "pictures": [{"path": str(tmp_path / "a.png")}]}])
    (shown,) = Reader(page).all("img")
    assert (shown["width"], shown["height"]) == ("400", "300")
    with Image.open(BytesIO(b64decode(shown["src"].partition(",")[2]))) as image:
        assert (image.mode, image.size) == ("P", (400, 300))


@pytest.mark.parametrize(("module", "package"), [("jinja2", "jinja2"), ("matplotlib", "matplotlib"), ("PIL", "pillow")])
def test_a_missing_package_is_one_line(module, package, digits, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, module, None)
    with pytest.raises(DataError) as raised:
        report.evidence_page(digits, "t")
    assert str(raised.value) == (
        f"{package} is not installed; to write a report; expected the package {package}; pip install 'isthmus[report]'"
    )


def test_a_users_own_style_changes_nothing(digits):
    import matplotlib as mpl

    digits.pictures = {"history": digits.pictures["history"]}
    before = report.evidence_page(digits, "t")
    with mpl.rc_context({"axes.facecolor": "black", "font.size": 30, "svg.fonttype": "path"}):
        after = report.evidence_page(digits, "t")
        assert mpl.rcParams["font.size"] == 30
    assert before == after
