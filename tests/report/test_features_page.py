"""The page on features: whole, offline, escaped, and the same every time."""

from __future__ import annotations

import itertools
import re
from html.parser import HTMLParser

import pytest
from PIL import Image

from isthmus import report


class Reader(HTMLParser):
    def __init__(self, page):
        super().__init__()
        self.tags, self.texts = [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.texts.append(data)

    @property
    def text(self):
        return re.sub(r"\s+", " ", " ".join(self.texts))


@pytest.fixture
def result(tmp_path):
    Image.new("L", (40, 20), 128).save(tmp_path / "sheet.png")
    sheet = str(tmp_path / "sheet.png")
    layer = {
        "name": "encoder.0", "type": "Conv2d", "shape": [16, 8, 8], "units": 16, "sheet": sheet, "shown": [0, 3],
        "told": "Filters.", "sees": [3, 5], "columns": [],
    }  # fmt: skip
    dense = layer | {
        "name": "code", "type": "Dense", "shape": [2], "units": 2, "sees": None,
        "columns": [{"unit": 0, "columns": [["alcohol", 1.0], ["hue", -0.523]]}],
    }  # fmt: skip
    view = {"name": "Where it looks", "told": "Occluded.", "sheet": str(tmp_path / "missing.png")}
    return {"run": "runs/a", "rows": "161 rows", "layers": [layer, dense], "views": [view]}


def test_it_tells_of_each_layer(result):
    page = Reader(report.features_page(result, "What it sees"))
    assert "2 layers, in the order they run. Strong activations were looked for in 161 rows." in page.text
    assert "Conv2d; gives 16 × 8 × 8; a unit sees 3 × 5 of the picture; 2 of 16 units: 0, 3." in page.text
    assert "unit 0 alcohol +1, hue −0.520" in page.text
    assert "This picture could not be read." in page.text
    images = [attrs for tag, attrs in page.tags if tag == "img"]
    assert [image["alt"] for image in images] == ["units of encoder.0", "units of code"]
    assert all(image["src"].startswith("data:image/png;base64,") for image in images)
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert all(later - earlier <= 1 for earlier, later in itertools.pairwise(levels))


def test_hostile_text_is_only_text(result):
    hostile = '<script>alert("1")</script>'
    result["rows"] = result["layers"][0]["name"] = result["layers"][1]["columns"][0]["columns"][0][0] = hostile
    page = report.features_page(result, hostile)
    assert "<script" not in page
    assert page.count("&lt;script&gt;") >= 5
    assert not re.search(r"@import|url\((?!#)|<link|<iframe|https?://", page)


def test_the_same_result_gives_the_same_bytes_and_an_empty_one_a_page(result):
    assert report.features_page(result, "t") == report.features_page(result, "t")
    assert "0 layers, in the order they run." in Reader(report.features_page({}, "t")).text
