"""The experiment's contenders, tasks and shifts are what they say; without new examples nothing is regained."""

from __future__ import annotations

import numpy as np
import pytest
from lab.pictured import assert_readable, assert_told

from isthmus import handmade
from isthmus.data import load_data, reviews, scenes
from isthmus.errors import SettingError
from isthmus.lab import holds, shifts, unshifted
from isthmus.lab.feature_engineering import EVERY, FEATURE_ENGINEERING
from isthmus.lab.shifts import SHIFTS, TASKS, WHO, Sizes, adapted

SMALL = Sizes(300, 200, 100)


@pytest.fixture(scope="module")
def tasks():
    return {name: make(SMALL, 3) for name, make in TASKS.items()}


def test_without_new_examples_it_does_not_hold_and_its_pictures_are_told():
    small = {"rows": 200, "test_rows": 100, "new_rows": 20, "passes": 0}
    settings = dict(FEATURE_ENGINEERING.settings) | small
    measured = FEATURE_ENGINEERING.measure(settings, range(2))
    numbers = measured.numbers
    assert not holds(numbers, FEATURE_ENGINEERING.expected)
    for shift in EVERY:
        for who in WHO:
            assert numbers[f"{shift}_{who}_after"] == numbers[f"{shift}_{who}_adapted"]
        assert numbers[f"{shift}_margin"] == 0
    assert_told(measured, FEATURE_ENGINEERING.expected, settings)
    assert_readable(measured)


def test_sizes_that_no_task_can_have_are_one_clear_error():
    with pytest.raises(SettingError) as caught:
        Sizes(2, 200, 5000)
    assert str(caught.value) == (
        "rows must be a whole number >= 100 and <= 3000; got 2 and new_rows must be a whole number >= 20 and <= 500; "
        "got 5000; in the experiment 'feature-engineering'"
    )


def test_each_task_has_its_shifts_and_as_many_rows_as_asked_for(tasks):
    assert {name: tuple(task.shifted) for name, task in tasks.items()} == SHIFTS
    for name in ("scenes", "reviews"):
        task = tasks[name]
        assert len(task.test.y) == 200
        assert [len(rows.y) for pair in task.shifted.values() for rows in pair] == [100, 200] * len(task.shifted)
        for rows in (task.train, task.test):
            assert rows.hand.shape[0] == rows.raw.shape[0] == len(rows.y)
            assert 0.3 < np.mean(rows.y) < 0.7


def test_digits_are_turned_and_inverted_and_none_is_seen_twice(tasks):
    task, pictures = tasks["digits"], np.asarray(load_data("digits").X).reshape(-1, 8, 8) / 16
    still = task.test.raw.reshape(-1, 8, 8)
    for name, way in {"turned": lambda P: np.rot90(P, axes=(1, 2)), "inverted": lambda P: 1 - P}.items():
        new, later = task.shifted[name]
        shown = np.concatenate([new.raw, later.raw]).reshape(-1, 8, 8)
        np.testing.assert_allclose(shown, way(still), atol=1e-6)
        np.testing.assert_array_equal(np.concatenate([new.y, later.y]), task.test.y)
        assert len(new.y) == 100
    every = np.concatenate([task.train.raw, task.test.raw])
    assert (len(task.train.y), len(task.test.y)) == (898, 629)
    assert len(np.unique(every, axis=0)) == len(every)
    assert len(np.unique(pictures.reshape(1797, -1), axis=0)) == 1797


def test_a_pixel_is_described_by_its_own_patch_and_its_own_features():
    rows = shifts._pixels(50, "dark", 8)
    pictures, masks = scenes.generate(shifts.SCENES, shifts.SIDE, "dark", random_state=8)
    middle = shifts.PATCH**2 // 2
    np.testing.assert_array_equal(rows.raw[:, middle], rows.hand[:, 0].astype(np.float32))
    assert rows.y.sum() == 25
    known = {patch.tobytes(): own for patch, own in zip(_flat(pictures), masks.ravel(), strict=True)}
    assert [known[patch.tobytes()] for patch in rows.raw] == rows.y.tolist()


def _flat(pictures):
    return handmade.patches(pictures, shifts.PATCH).reshape(-1, shifts.PATCH**2)


def test_a_fixed_vocabulary_does_not_see_new_words_and_hashing_does():
    words = shifts.bag_of_words((1, 1)).fit(reviews.generate(400, random_state=1).texts)
    vocabulary = set(words[0].get_feature_names_out())
    assert {*reviews.GOOD, *reviews.BAD} <= vocabulary
    assert not {*reviews.NEW_GOOD, *reviews.NEW_BAD} & vocabulary
    hashed = TASKS["reviews"](Sizes(400, 50, 50), 0)
    new, _ = hashed.shifted["reworded"]
    used = np.asarray((hashed.train.raw != 0).sum(axis=0)).ravel() == 0
    assert (new.raw[:, used] != 0).sum() > 100  # places that the training reviews left empty


def test_a_copy_adapts_and_the_original_stays(tasks):
    task = tasks["scenes"]
    new, later = task.shifted["dark"]
    for who in WHO:
        model = task.learned(who, 0)
        before = model.predict(later.read(who))
        other = adapted(model, new.read(who), new.y, 20)
        np.testing.assert_array_equal(model.predict(later.read(who)), before)
        assert other.score(later.read(who), later.y) > model.score(later.read(who), later.y)
    assert task.train.read("hand") is task.train.hand
    assert task.train.read("network") is task.train.read("raw") is task.train.raw


def test_segmenting_and_clustering_are_scored_against_the_truth(tasks, monkeypatch):
    network = tasks["scenes"].learned("network", 0)
    monkeypatch.setattr(unshifted, "masks_of", lambda network, pictures: scenes.generate(12, 48, random_state=5)[1])
    shares = unshifted.segmented(network, 1)
    assert shares["network"] == 100
    assert 70 < shares["otsu"] < shares["watershed"] < 100
    monkeypatch.setattr(unshifted.KMeans, "fit_predict", lambda self, X: (reviews.generate(60).topic + 1) % 4)
    assert unshifted.clustered(60, 0) == {"words": 1, "components": 1, "code": 1}


def test_masks_of_a_network_are_its_answers_pixel_by_pixel(tasks):
    network, pictures = tasks["scenes"].learned("network", 0), scenes.generate(2, 48, random_state=9)[0]
    found = unshifted.masks_of(network, pictures)
    assert found.shape == pictures.shape
    np.testing.assert_array_equal(found[1, 20], network.predict(handmade.patches(pictures, shifts.PATCH)[1, 20]))
